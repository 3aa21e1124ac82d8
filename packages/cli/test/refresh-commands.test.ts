import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { after, before, describe, test } from "node:test"
import { type Cluster, startCluster } from "../src/dev/cluster.ts"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { connectKeeper } from "../src/sdk.ts"
import { commands, ownerOf } from "./commands.ts"
import { testHost, writeSecret } from "./support.ts"

/** What operators have the command do, over real processes. */
describe("an operator on a local cluster", () => {
  let cluster: Cluster
  let environment: Record<string, string>
  const { succeeds, fails } = commands(() => environment)

  before(async () => {
    cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    environment = ownerOf(cluster)
    await succeeds(["register"])
    await succeeds(["keys", "create", "--type", "ed25519", "--label", "sol"])
    await succeeds(["keys", "create", "--type", "bip340", "--label", "btc"])
  })

  after(() => cluster.stop())

  test("an operator gives keys and accounts new shares, and keys sign on", async () => {
    const directory = cluster.servers[1]?.directory ?? ""
    const line = ["refresh", "--directory", directory]
    const held = [
      ["keys", 2],
      ["accounts", 1],
    ] as const
    const plans = (isDue: boolean) =>
      held.map(([kind, total]) => ({
        ...{ kind, total, due: isDue ? total : 0, batches: isDue ? 1 : 0 },
        ...{ behind: [], leftOut: [], unanswered: [] },
        generations: isDue ? { 1: total } : {},
      }))
    const none = { leftOut: [], missing: {}, lingering: {}, unanswered: [], incidents: [] }
    const nothing = { finished: 0, ...none }
    const outcomes = (isDone: boolean) =>
      held.map(([kind, total]) => {
        const [done, fresh] = isDone ? [total, 0] : [0, total]
        return { kind, done, fresh, ...nothing }
      })
    assert.deepEqual((await succeeds([...line, "--dry-run"]))["plans"], plans(true))
    const refreshed = await succeeds(line)
    assert.deepEqual(refreshed["plans"], plans(true))
    assert.deepEqual(refreshed["refreshed"], outcomes(true))
    assert.ok(!readdirSync(directory).includes("refresh-started"))
    // As a run that was stopped after the last batch leaves it.
    writeSecret(directory, "refresh-started", `${Date.now() - 60_000}\n`)
    const rest = await succeeds(line)
    assert.deepEqual([rest["plans"], rest["refreshed"]], [plans(false), outcomes(false)])
    assert.ok(!readdirSync(directory).includes("refresh-started"))
    const { holdings } = await succeeds(["health", "--directory", directory])
    const generations = { keys: { 2: 2 }, accounts: { 2: 1 }, problem: "" }
    assert.deepEqual(
      holdings,
      [1, 2, 3].map((server) => ({ server, ...generations })),
    )
    await succeeds(["sign", "sol", "--message", "after the refresh"])
    assert.equal((await fails(["refresh"], EXIT.usage))["field"], "directory")
  })

  test("a refresh that is cancelled says so, and what it did is not done again", async () => {
    const directory = cluster.servers[0]?.directory ?? ""
    const host = { ...testHost({ environment }), connect: connectKeeper }
    const signal = AbortSignal.abort()
    assert.equal(await run(["refresh", "--directory", directory], { ...host, signal }), 130)
    assert.match(host.err.text, /cancelled/)
    const { plans } = await succeeds(["refresh", "--directory", directory, "--keys", "--dry-run"])
    assert.equal((plans as { due: number }[])[0]?.due, 2)
  })

  test("an operator's daemon needs a schedule in the roster", async () => {
    const directory = cluster.servers[0]?.directory ?? ""
    const line = ["maintain", "--directory", directory, "--once"]
    const error = await fails(line, EXIT.configuration)
    assert.deepEqual([error["code"], error["field"]], ["misconfigured", "roster.refreshHours"])
    assert.equal((await fails([...line, "--floor", "2"], EXIT.usage))["field"], "floor")
  })
})
