import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { KEY_STATES, type KeyState } from "@lockkeeper/api"
import { edwards25519, type Scalar, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, fixedBytes, oneOf, struct } from "@lockkeeper/encoding"
import { type KeyPackage, keyPackageCodec } from "@lockkeeper/protocols"
import { lockkeeper } from "./command-line.ts"
import { type Deployment, deploy, withUnsealed } from "./deployment.ts"

const keyRow = struct<{ accountId: Bytes; state: KeyState; keyPackage: KeyPackage }>({
  accountId: fixedBytes(32),
  state: oneOf(...KEY_STATES),
  keyPackage: keyPackageCodec,
})

describe("an operator who replaces its server's signing share", () => {
  const owner = mkdtempSync(join(tmpdir(), "lockkeeper-owner-"))
  const environment: Record<string, string> = { LK_NAME: "ada" }
  let deployment: Deployment
  let file = ""
  let signedBeside = 0

  before(async () => {
    deployment = await deploy()
    environment["LK_HOME"] = deployment.cluster.profile
    environment["LK_PASSWORD_FILE"] = join(owner, "password")
    writeFileSync(environment["LK_PASSWORD_FILE"], "correct horse\n", { mode: 0o600 })
    await run("register")
    await run("--no-agent keys create --type ed25519 --label savings")
    const { signal } = new AbortController()
    const [cheat] = deployment.cluster.servers
    await cheat?.stop("SIGTERM")
    await replaceShare(1)
    await cheat?.start(signal)
    for (let tries = 0; tries < 10 && file === ""; tries++) {
      const { incidents } = await run("--json --no-agent sign savings --message hello")
      signedBeside++
      file = incidents.find(({ evidence }) => evidence !== null)?.evidence ?? ""
    }
    // From here on there is nobody to ask.
    await Promise.all(deployment.cluster.servers.map((server) => server.stop("SIGKILL")))
  })
  after(async () => {
    await deployment.stop()
    rmSync(owner, { recursive: true, force: true })
  })

  async function run(line: string): Promise<{ incidents: { evidence: string | null }[] }> {
    const { exitCode, out, err } = await lockkeeper(line.split(" "), environment)
    assert.equal(exitCode, 0, out + err)
    return line.startsWith("--json") ? JSON.parse(out) : { incidents: [] }
  }

  /** As whoever has the directory and the passphrase can. */
  function replaceShare(identifier: number): Promise<void> {
    return withUnsealed(deployment.directory, identifier, async ({ store }) => {
      const [row] = await store.scan("keys", "", "", 1)
      if (row === undefined) throw new Error("there is no key")
      const { keyPackage, ...rest } = decode(keyRow, row.value)
      const share = keyPackage.signingShare.expose() as Scalar
      const signingShare = new Secret(edwards25519.addScalars(share, edwards25519.one))
      const value = encode(keyRow, { ...rest, keyPackage: { ...keyPackage, signingShare } })
      await store.commit([
        { kind: "put", table: "keys", id: row.id, ifVersion: row.version, value },
      ])
    })
  }

  function judge(path: string) {
    return lockkeeper(["--json", "evidence", "verify", path], environment)
  }

  it("is proven at fault by a file that the command wrote and judges offline", async (t) => {
    assert.notEqual(file, "", "a signature brought evidence along")
    const { exitCode, out } = await judge(file)
    assert.equal(exitCode, 0, out)
    const { valid, culprit, reason } = JSON.parse(out)
    assert.deepEqual([valid, culprit], [true, 1])
    t.diagnostic(`server ${culprit}: ${reason}, after ${signedBeside} signatures made without it`)
  })

  it("is not, by a file in which one byte is another", async () => {
    const evidence = readFileSync(file)
    for (const at of [40, evidence.length - 200, evidence.length - 100, evidence.length - 1]) {
      const changed = Buffer.from(evidence)
      changed[at] = (changed[at] as number) ^ 1
      const path = join(owner, "changed.lk")
      writeFileSync(path, changed)
      const { exitCode, out } = await judge(path)
      assert.notEqual(exitCode, 0)
      assert.equal(JSON.parse(out).valid, false, `byte ${at}`)
    }
  })
})
