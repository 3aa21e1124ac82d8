import assert from "node:assert/strict"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { type Cluster, startCluster } from "../src/dev/cluster.ts"
import { passphraseFile } from "../src/dev/cluster-files.ts"
import { EXIT } from "../src/exit-codes.ts"
import { commands, ownerOf } from "./commands.ts"

/** What operators do to the roster of servers that are being used, over real processes. */
describe("operators of a cluster that runs", () => {
  let cluster: Cluster
  /** Without any passphrase: whoever owns the directory of a server that runs is its operator. */
  let environment: Record<string, string>
  const { lockkeeper, succeeds, fails } = commands(() => environment)

  const at = (name: string): string => join(cluster.directory, name)

  /** The next roster, signed by every server, and joined after what clients follow. */
  async function agreed(name: string, change: readonly string[]): Promise<string> {
    const unsigned = at(`${name}.unsigned`)
    await succeeds(["roster", "propose", ...change, "--out", unsigned])
    const files: string[] = []
    for (const { identifier, directory } of cluster.servers) {
      const file = at(`${name}.${identifier}`)
      files.push(file)
      await succeeds(["roster", "sign", directory, unsigned, "--out", file])
    }
    const bundle = at(`${name}.bundle`)
    const out = ["--out", at(`${name}.lk`), "--bundle", bundle, "--after", cluster.roster]
    await succeeds(["roster", "join", ...out, ...files])
    return bundle
  }

  before(async () => {
    cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    environment = ownerOf(cluster)
    await succeeds(["register"])
    await succeeds(["keys", "create", "--type", "ed25519", "--label", "sol"])
  })

  after(() => cluster.stop())

  test("change it without stopping one: no passphrase, the same processes, clients follow", async () => {
    const bundle = await agreed("next", ["--refresh-hours", "24"])
    const pids = cluster.servers.map(({ pid }) => pid)
    for (const { directory } of cluster.servers) {
      const taken = await succeeds(["roster", "activate", directory, bundle])
      assert.deepEqual([taken["running"], taken["rosterEpoch"], taken["servers"]], [true, 2, 3])
      assert.deepEqual(taken["changes"], ["refresh: never before, every 24 hours now"])
      const again = await fails(["roster", "activate", directory, bundle], EXIT.trust)
      assert.equal(again["field"], "rosterEpoch")
    }
    const { signers } = await succeeds(["sign", "sol", "--message", "under the next roster"])
    assert.equal((signers as unknown[]).length, 2)
    const shown = await succeeds(["roster", "show"])
    assert.equal(shown["rosterEpoch"], 2)
    assert.deepEqual(
      cluster.servers.map(({ pid }) => pid),
      pids,
    )
  })

  test("cannot end a transition, nor retire a server, while keys and accounts are to move", async () => {
    const bundle = await agreed("more", ["--threshold", "3"])
    for (const { directory } of cluster.servers) {
      const { changes } = await succeeds(["roster", "activate", directory, bundle])
      assert.ok((changes as string[]).length > 0)
    }
    await succeeds(["sign", "sol", "--message", "while nothing has moved yet"])
    for (const { directory } of cluster.servers) {
      const error = await fails(["roster", "settle", directory], EXIT.conflict)
      assert.deepEqual([error["code"], error["field"]], ["conflict", "transition"])
      assert.match(String(error["message"]), /^1 keys and 1 accounts of this server still have to/)
    }
    const [first] = cluster.servers
    const retire = ["server", "retire", first?.directory ?? ""]
    const running = await fails(retire, EXIT.configuration)
    assert.match(String(running["message"]), /A server runs over/)
    await first?.stop("SIGTERM")
    const phrase = passphraseFile(cluster.directory, 1)
    const held = await fails([...retire, "--passphrase-file", phrase], EXIT.conflict)
    assert.match(String(held["message"]), /holds shares of 1 keys and 1 accounts/)
    await first?.start(new AbortController().signal)
  })

  test("move accounts and keys while they are used, and end the transition then", async () => {
    const [, second] = cluster.servers
    const line = ["reshare", "--directory", second?.directory ?? ""]
    const planned = (await succeeds([...line, "--dry-run"]))["plans"]
    const one = { total: 1, due: 1, batches: 1, behind: [], leftOut: [], unanswered: [] }
    assert.deepEqual(planned, [
      { kind: "accounts", ...one, generations: { 1: 1 } },
      { kind: "keys", ...one, generations: { 1: 1 } },
    ])
    const none = { missing: {}, lingering: {}, keeping: {}, unanswered: [] }
    const nothing = { leftOut: [], incidents: [], ...none }
    const moved = (done: number) => ({ done, settled: 1 - done, finished: 0, ...nothing })
    const outcomes = (done: number) => [
      { kind: "accounts", ...moved(done) },
      { kind: "keys", ...moved(done) },
    ]
    assert.deepEqual((await succeeds(line))["moved"], outcomes(1))
    assert.deepEqual((await succeeds(line))["moved"], outcomes(0))
    await succeeds(["sign", "sol", "--message", "with the shares that have moved"])
    for (const { directory } of cluster.servers) {
      const { rosterEpoch } = await succeeds(["roster", "settle", directory])
      assert.equal(rosterEpoch, 4)
    }
    const { signers } = await succeeds(["sign", "sol", "--message", "under the settled roster"])
    assert.equal((signers as unknown[]).length, 3)
    assert.equal((await fails(["reshare"], EXIT.usage))["field"], "directory")
  })

  test("kill one with -9 while it goes on: it starts under the one roster or the other", async (t) => {
    const [first, ...others] = cluster.servers
    if (first === undefined) throw new Error("a cluster without servers")
    const found: string[] = []
    for (const [i, delayMs] of [20, 80, 240, 700].entries()) {
      const bundle = await agreed(`killed-${i}`, ["--refresh-hours", String(48 + i)])
      const line = ["roster", "activate", first.directory, bundle]
      const activating = lockkeeper(line).catch(() => null)
      await new Promise((done) => setTimeout(done, delayMs))
      await first.stop("SIGKILL")
      await activating
      await first.start(new AbortController().signal)
      const { code, json } = await lockkeeper(line)
      const field = (json["error"] as { field?: string } | undefined)?.field ?? ""
      const isNext = code === EXIT.trust && field === "rosterEpoch"
      assert.ok(code === EXIT.ok || isNext, `${code} ${JSON.stringify(json)}`)
      found.push(isNext ? "next" : "before")
      for (const { directory } of others) await succeeds(["roster", "activate", directory, bundle])
      await succeeds(["sign", "sol", "--message", `after ${delayMs} ms`])
    }
    t.diagnostic(`roster after kill -9: ${found.join(", ")}`)
    assert.equal(found.length, 4)
  })
})
