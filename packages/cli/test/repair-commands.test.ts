import assert from "node:assert/strict"
import { cpSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { type Cluster, startCluster } from "../src/dev/cluster.ts"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { connectKeeper } from "../src/sdk.ts"
import { commands, ownerOf } from "./commands.ts"
import { testHost } from "./support.ts"

interface Repaired {
  readonly kind: string
  readonly done: number
  readonly lacking: readonly { readonly reason: string; readonly from: readonly number[] }[]
  readonly leftOut: readonly unknown[]
}

/** A server whose directory was put back as it was before there were keys, over real processes. */
describe("an operator on a cluster of which one server was put back", () => {
  let cluster: Cluster
  let environment: Record<string, string>
  const { succeeds, ...command } = commands(() => environment)

  async function fails(line: readonly string[], expected: number) {
    const { code, field } = await command.fails(line, expected)
    return [code, field]
  }

  const signal = () => new AbortController().signal

  before(async () => {
    cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    environment = ownerOf(cluster)
    await succeeds(["register"])
    const [, , third] = cluster.servers
    assert.ok(third)
    const backup = join(cluster.directory, "backup")
    await third.stop("SIGTERM")
    cpSync(third.directory, backup, { recursive: true })
    await third.start(signal())
    await succeeds(["keys", "create", "--type", "ed25519", "--label", "sol"])
    await succeeds(["keys", "create", "--type", "ecdsa-secp256k1", "--label", "eth"])
    await third.stop("SIGKILL")
    for (const file of readdirSync(third.directory)) {
      if (file.startsWith("database.")) rmSync(join(third.directory, file))
    }
    for (const file of readdirSync(backup)) {
      if (file.startsWith("database.")) cpSync(join(backup, file), join(third.directory, file))
    }
    await third.start(signal())
  })

  after(() => cluster.stop())

  test("sees what it lacks, has the others restore it, and it signs again", async () => {
    const directory = cluster.servers[0]?.directory ?? ""
    const line = ["repair", "--directory", directory, "--server", "3"]
    const lacks = { reason: "missing", from: [1, 2] }
    const dry = (await succeeds([...line, "--dry-run"]))["repaired"] as readonly Repaired[]
    assert.deepEqual(
      dry.map(({ kind, done }) => [kind, done]),
      [
        ["accounts", 0],
        ["keys", 0],
      ],
    )
    assert.deepEqual(dry[0]?.lacking, [])
    assert.deepEqual(
      dry[1]?.lacking.map(({ reason, from }) => ({ reason, from })),
      [lacks, lacks],
    )
    const host = { ...testHost({ environment }), connect: connectKeeper }
    assert.equal(await run([...line, "--dry-run"], host), EXIT.ok)
    assert.match(
      host.out.text,
      /lacks no accounts\n.*lacks 2 keys: 2 not there\n {2}2 keys held alike by servers 1, 2\n/,
    )
    const done = await succeeds(line)
    const [, report] = done["repaired"] as readonly Repaired[]
    assert.deepEqual([done["server"], report?.done, report?.leftOut], [3, 2, []])
    const { holdings } = await succeeds(["health", "--directory", directory])
    const held = { keys: { 1: 2 }, accounts: { 1: 1 }, problem: "" }
    assert.deepEqual(
      holdings,
      [1, 2, 3].map((server) => ({ server, ...held })),
    )
    await cluster.servers[1]?.stop("SIGTERM")
    await succeeds(["sign", "sol", "--message", "with the server that was repaired"])
    // Too few others to compare with.
    assert.deepEqual(await fails(line, EXIT.servers), ["not-enough-servers", ""])
    await cluster.servers[1]?.start(signal())
    const again = (await succeeds(line))["repaired"] as readonly Repaired[]
    assert.deepEqual([again[1]?.done, again[1]?.lacking], [0, []])
  })

  test("is told what is wrong with the command line", async () => {
    const directory = cluster.servers[0]?.directory ?? ""
    const server = ["--server", "3"]
    assert.deepEqual(await fails(["repair", ...server], EXIT.usage), [
      "invalid-request",
      "directory",
    ])
    assert.deepEqual(await fails(["repair", "--directory", directory], EXIT.usage), [
      "invalid-request",
      "arguments",
    ])
    const stranger = ["repair", "--directory", directory, "--server", "nobody"]
    assert.deepEqual(await fails(stranger, EXIT.notFound), ["not-found", "server"])
    const nowhere = ["repair", "--directory", cluster.directory, ...server]
    assert.deepEqual(await fails(nowhere, EXIT.configuration), ["misconfigured", "directory"])
    const host = { ...testHost({ environment }), connect: connectKeeper }
    const line = ["repair", "--directory", directory, ...server]
    assert.equal(await run(line, { ...host, signal: AbortSignal.abort() }), EXIT.cancelled)
    assert.match(host.err.text, /cancelled/)
  })
})
