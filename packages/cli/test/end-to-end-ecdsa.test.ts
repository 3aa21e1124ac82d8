import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { after, before, describe, test } from "node:test"
import { type Bytes, concat, fromHex, toHex, utf8 } from "@lockkeeper/encoding"
import {
  evmAddress,
  evmMessageDigest,
  evmTransactionDigest,
  evmTypedDataDigest,
} from "@lockkeeper/transactions"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { p2tr, p2wpkh, SigHash, Transaction } from "@scure/btc-signer"
import { spawnAgent } from "../src/agent/spawn.ts"
import { nodeArguments } from "../src/child-process.ts"
import { type Cluster, startCluster } from "../src/dev/cluster.ts"
import { EXIT } from "../src/exit-codes.ts"
import { commands } from "./commands.ts"
import { writeSecret } from "./support.ts"

type Line = Record<string, unknown>

/** EIP-155's own example. */
const TRANSFER =
  "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"

const NOTE = JSON.stringify({
  types: {
    EIP712Domain: [{ name: "name", type: "string" }],
    Note: [{ name: "text", type: "string" }],
  },
  primaryType: "Note",
  domain: { name: "Lock Keeper" },
  message: { text: "hello" },
})

/** The account whose key made a signature, as ecrecover finds it. */
function recovered(digest: Bytes, rs: Bytes, recovery: number): string {
  const recoverable = concat(Uint8Array.of(recovery), rs)
  return evmAddress(secp256k1.recoverPublicKey(recoverable, digest, { prehash: false }))
}

/** The command line with ECDSA keys on a real cluster: real servers, presignatures and agent. */
describe("on a local cluster, an ECDSA key", () => {
  let cluster: Cluster
  let environment: Record<string, string>
  const command = commands(() => environment, { spawnAgent })
  const succeeds = (...line: readonly string[]): Promise<Line> => command.succeeds(line)
  const fails = (code: number, ...line: readonly string[]) => command.fails(line, code)
  let master: Line
  let child: Line

  async function ready(): Promise<number> {
    const { sets } = await succeeds("pool", "status", "spending")
    return (sets as { ready: number }[]).reduce((sum, set) => sum + set.ready, 0)
  }

  function file(name: string, content: string | Uint8Array): string {
    const path = join(cluster.directory, name)
    writeFileSync(path, content)
    return path
  }

  before(async () => {
    cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    environment = {
      ...{ LK_HOME: cluster.profile, LK_NAME: "ada" },
      LK_PASSWORD_FILE: writeSecret(cluster.directory, "password", "correct horse battery"),
    }
    await succeeds("register")
    await succeeds("login")
  })

  after(async () => {
    await command.lockkeeper(["logout"])
    await cluster.stop()
  })

  test("is made, and its children sign once they are derived", async () => {
    const create = ["keys", "create", "--type", "ecdsa-secp256k1", "--label", "spending"]
    assert.equal(((await succeeds(...create))["key"] as Line)["keyType"], "ecdsa-secp256k1")
    master = await succeeds("keys", "address", "spending")
    const early = await fails(EXIT.notFound, "sign-message", "spending", "hi", "--path", "m/0/5")
    assert.equal(early["field"], "path")
    assert.match(String(early["remedy"]), /keys derive [0-9a-f]{12} m\/0\/5/)
    child = await succeeds("keys", "derive", "spending", "m/0/5")
    const asked = await succeeds("keys", "address", "spending", "--path", "m/0/5")
    assert.equal(asked["address"], child["address"])
    assert.notEqual(child["address"], master["address"])
    await fails(EXIT.usage, "keys", "derive", "spending", "m/0'")
  })

  test("signs transactions and messages of EVM chains as its account", async () => {
    const path = file("transfer.hex", TRANSFER)
    const digest = evmTransactionDigest(fromHex(TRANSFER))
    for (const [address, more] of [
      [master["address"], []],
      [child["address"], ["--path", "m/0/5"]],
    ] as const) {
      const signed = await succeeds("sign-tx", "spending", path, ...more)
      assert.equal(signed["address"], address)
      assert.deepEqual(signed["digests"], [toHex(digest)])
      // EIP-155 for chain 1: v of 37 or 38 before r and s.
      const end = /(25|26)(a0[0-9a-f]{64}|9f[0-9a-f]{62})(a0[0-9a-f]{64}|9f[0-9a-f]{62})$/
      const [, v = "", r = "", s = ""] = end.exec(String(signed["signed"])) ?? []
      const rs = fromHex([r, s].map((item) => item.slice(2).padStart(64, "0")).join(""))
      assert.equal(recovered(digest, rs, Number.parseInt(v, 16) - 37), address)
    }
    const note = file("note.json", NOTE)
    for (const [digest, line] of [
      [evmMessageDigest(utf8("hello")), ["hello"]],
      [evmTypedDataDigest(NOTE), ["--type", "eip712", "--file", note]],
    ] as const) {
      const { signature } = await succeeds("sign-message", "spending", ...line)
      const bytes = fromHex(String(signature).slice(2))
      const account = recovered(digest, bytes.slice(0, 64), (bytes[64] ?? 0) - 27)
      assert.equal(account, master["address"])
    }
  })

  test("spends Bitcoin, and a bip340 key spends Taproot", async () => {
    const own = p2wpkh(fromHex(String(child["publicKey"])))
    const psbtOf = (script: Uint8Array) => {
      const transaction = new Transaction({ version: 2 })
      const spent = { script, amount: 50_000n }
      transaction.addInput({ txid: new Uint8Array(32).fill(7), index: 0, witnessUtxo: spent })
      transaction.addOutput({ script: own.script, amount: 49_000n })
      return transaction.toPSBT()
    }
    const psbt = file("spend.psbt", psbtOf(own.script))
    const signed = await succeeds("sign-tx", "spending", psbt, "--path", "m/0/5")
    assert.equal(signed["complete"], true)
    const raw = Transaction.fromRaw(fromHex(String(signed["signed"])))
    const [der, key] = raw.getInput(0).finalScriptWitness ?? []
    assert.ok(der !== undefined && key !== undefined)
    const code = fromHex(`76a914${toHex(own.script).slice(4)}88ac`)
    const sighash = raw.preimageWitnessV0(0, code, SigHash.ALL, 50_000n)
    const rule = { format: "der", prehash: false, lowS: true } as const
    assert.ok(secp256k1.verify(der.subarray(0, -1), sighash, key, rule))

    await succeeds("keys", "create", "--type", "bip340", "--label", "taproot")
    const { publicKey } = await succeeds("keys", "address", "taproot")
    const output = p2tr(fromHex(String(publicKey)))
    const taproot = file("taproot.psbt", psbtOf(output.script))
    const spend = await succeeds("sign-tx", "taproot", taproot)
    const parsed = Transaction.fromRaw(fromHex(String(spend["signed"])))
    const [signature] = parsed.getInput(0).finalScriptWitness ?? []
    assert.ok(signature !== undefined)
    const hash = parsed.preimageWitnessV1(0, [output.script], SigHash.DEFAULT, [50_000n])
    assert.ok(schnorr.verify(signature, hash, output.script.subarray(2)))
  })

  test("has a pool that maintain fills, once or until it is told to end", async (t) => {
    const args = [...nodeArguments("./main"), "maintain", "--json"]
    const more = ["--floor", "2", "--cap", "4", "--interval", "1"]
    const daemon = spawn(process.execPath, [...args, ...more], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { PATH: process.env["PATH"], ...environment },
    })
    t.after(() => daemon.kill("SIGKILL"))
    const events: Line[] = []
    const output = createInterface({ input: daemon.stdout })
    output.on("line", (line) => events.push(JSON.parse(line)))
    const exit = once(daemon, "exit")
    while (!events.some(({ event }) => event === "pool")) {
      await Promise.race([once(output, "line"), exit])
      assert.equal(daemon.exitCode, null, JSON.stringify(events))
    }
    daemon.kill("SIGTERM")
    assert.deepEqual(await exit, [0, null])
    assert.equal(events[0]?.["event"], "started")
    assert.ok(Number(events.find(({ event }) => event === "pool")?.["made"]) > 0)
    assert.equal(events.at(-1)?.["event"], "ended")

    const before = await ready()
    assert.ok(before >= 4)
    await succeeds("sign", "spending", "--hex", "11".repeat(32))
    assert.equal(await ready(), before - 1, "a signature takes one presignature")
    await fails(EXIT.usage, "pool", "status", "taproot")
  })

  test("takes no presignature for a request that is refused", async () => {
    const before = await ready()
    const path = file("cut.hex", TRANSFER.slice(0, -2))
    await fails(EXIT.usage, "sign-tx", "spending", path)
    await fails(EXIT.usage, "sign", "spending", "--hex", "00".repeat(32))
    await fails(EXIT.usage, "sign", "spending", "--hex", "ff".repeat(32))
    await fails(EXIT.usage, "sign", "spending", "--hex", "11".repeat(31))
    await fails(EXIT.notFound, "sign", "spending", "--hex", "11".repeat(32), "--path", "m/9")
    assert.equal(await ready(), before)
  })

  test("signs on when a server is lost", async () => {
    await cluster.servers[0]?.stop("SIGKILL")
    const signed = await succeeds("sign-message", "spending", "still here")
    assert.deepEqual(signed["signers"], [2, 3])
  })
})
