import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { TestContext } from "node:test"
import { type Bytes, concat } from "@lockkeeper/encoding"
import { evmAddress } from "@lockkeeper/transactions"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { custodial } from "./local-owner.ts"
import {
  LocalOwner,
  localKeeper,
  onlyLine,
  temporaryDirectory,
  testHost,
  writeSecret,
} from "./support.ts"

/** An owner with one key of each type, and the command line in a profile of its own. */
export async function setUp(t: TestContext) {
  const home = temporaryDirectory(t)
  const owner = new LocalOwner()
  const { key: ecdsa } = await owner.createKey(custodial("ecdsa-secp256k1", "spending"))
  const { key: bip340 } = await owner.createKey(custodial("bip340", "taproot"))
  const { key: ed25519 } = await owner.createKey(custodial("ed25519", "savings"))
  const environment = {
    ...{ LK_HOME: home, LK_NAME: "ada", LK_AGENT: "off" },
    LK_PASSWORD_FILE: writeSecret(home, "password", "correct horse"),
  }
  const keeper = localKeeper(owner, "correct horse")
  const host = (input?: string) =>
    testHost({ environment, keeper, ...(input === undefined ? {} : { input }) })
  const succeeds = async (line: readonly string[], input?: string) => {
    const used = host(input)
    assert.equal(await run([...line, "--json"], used), EXIT.ok, used.out.text)
    return onlyLine(used)
  }
  const fails = async (line: readonly string[], code: number, field: string, words: RegExp) => {
    const before = owner.orders.length
    const used = host()
    assert.equal(await run([...line, "--json"], used), code, line.join(" "))
    const { error } = onlyLine(used) as { error: Record<string, string> }
    assert.match(error["message"] ?? "", words)
    assert.equal(error["field"], field, line.join(" "))
    assert.notEqual(error["remedy"], "", line.join(" "))
    assert.equal(owner.orders.length, before, "nothing was asked of the servers")
  }
  const file = (name: string, content: string | Uint8Array) => {
    const path = join(home, name)
    writeFileSync(path, content)
    return path
  }
  return { home, owner, ecdsa, bip340, ed25519, host, succeeds, fails, file }
}

/** The account whose key made this signature, as ecrecover finds it. */
export function recovered(digest: Bytes, signature: Bytes, recovery: number): string {
  const recoverable = concat(Uint8Array.of(recovery), signature)
  const options = { prehash: false } as const
  return evmAddress(secp256k1.recoverPublicKey(recoverable, digest, options))
}
