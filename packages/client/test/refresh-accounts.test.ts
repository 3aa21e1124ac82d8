import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { LAST_ACCOUNT_ID } from "@lockkeeper/api"
import type { LockKeeper } from "@lockkeeper/client"
import type { OperatorSession } from "@lockkeeper/client/operator"
import { compareBytes, toHex } from "@lockkeeper/encoding"
import { opaque, type sharing } from "@lockkeeper/protocols"
import { batchesOf, type CampaignBatch } from "../src/operator/batches.ts"
import { type InForce, inForce } from "../src/operator/sharings-in-force.ts"
import { trustRoster } from "../src/trust.ts"
import { TestCluster } from "./cluster.ts"
import { operate } from "./operated-cluster.ts"
import { refused } from "./refusals.ts"

const NAMES = ["alice", "bob", "carol"]
const passwordOf = (name: string) => `password of ${name}`

async function start(options: Parameters<typeof TestCluster.start>[0] = {}) {
  const cluster = await TestCluster.start(options)
  const keeper = await cluster.connect()
  for (const name of NAMES) await keeper.register({ name, password: passwordOf(name) })
  return { cluster, keeper, operator: await operate(cluster) }
}

async function epochs(operator: OperatorSession): Promise<readonly string[]> {
  const { answers } = await operator.sharings("accounts")
  return [...answers].map(([id, all]) => `${id}: ${all.map((one) => one.sharing.keyEpoch).join()}`)
}

async function logsIn(keeper: LockKeeper, name: string, password = passwordOf(name)) {
  await (await keeper.login({ name, password })).logout()
}

describe("a refresh of accounts", () => {
  it("leaves every password as it is at every set of servers, and wrong ones wrong", async () => {
    const { cluster, keeper, operator } = await start()
    for (const keyEpoch of [2, 3]) {
      const report = await operator.refresh({ kind: "accounts", batch: 2 })
      assert.deepEqual(
        [report.done, report.skipped, report.missing.size, report.lingering.size],
        [3, [], 0, 0],
      )
      assert.deepEqual(report.incidents, [])
      const each = NAMES.map(() => keyEpoch).join()
      assert.deepEqual(
        await epochs(operator),
        [1, 2, 3].map((id) => `${id}: ${each}`),
      )
      for (const down of [1, 2, 3]) {
        cluster.wire(down).down = true
        for (const name of NAMES) await logsIn(keeper, name)
        await refused(() => keeper.login({ name: "bob", password: "wrong" }), "wrong-password")
        cluster.wire(down).down = false
      }
    }
    const { done, fresh } = await operator.refresh({ kind: "accounts", before: 1 })
    assert.deepEqual([done, fresh], [0, 3])
    await operator.close()
  })

  it("leaves out who is down, and has it catch up the next time, after a password change too", async () => {
    const { cluster, keeper, operator } = await start({ servers: 5 })
    cluster.wire(4).down = true
    const first = await operator.refresh({ kind: "accounts" })
    assert.deepEqual([first.done, first.skipped, [...first.missing]], [3, [], [[4, 3]]])
    for (const name of NAMES) await logsIn(keeper, name)
    cluster.wire(4).down = false
    const session = await keeper.login({ name: "bob", password: passwordOf("bob") })
    await session.changePassword({ current: passwordOf("bob"), next: "new" })
    await session.logout()
    const second = await operator.refresh({ kind: "accounts" })
    assert.deepEqual([second.done, second.skipped], [3, []])
    const [one, ...others] = (await epochs(operator)).map((line) => line.split(": ")[1])
    assert.deepEqual(others, [one, one, one, one])
    await logsIn(keeper, "bob", "new")
    for (const name of ["alice", "carol"]) await logsIn(keeper, name)
    await operator.close()
  })
})

async function listedOf(cluster: TestCluster, operator: OperatorSession) {
  const { answers } = await operator.sharings("accounts")
  return inForce(answers, trustRoster(cluster.rosterChain, cluster.pin), Date.now())
}

function ofAccounts(batches: readonly CampaignBatch[]) {
  return batches.map(({ of, keys }) => {
    assert.ok(of.kind === "accounts")
    return { range: of.range, ids: keys.map((key) => toHex(key.sharing.id)) }
  })
}

describe("batches of accounts", () => {
  it("follow each other over all ids, across generations, and begin again behind fresh ones", async () => {
    const { cluster, operator } = await start()
    const listed = await listedOf(cluster, operator)
    const ids = NAMES.map((name) => opaque.accountIdOf(name)).sort(compareBytes)
    assert.deepEqual(
      listed.map(({ id }) => id),
      ids,
    )
    const passOver = (all: readonly InForce[]) => {
      const due = new Set(all.filter(({ since }) => since < 9_000_600))
      return batchesOf({ kind: "accounts", target: null, size: 2, due, now: 9_000_500 }, all)
    }
    const mixed = listed.map((one, i): InForce => {
      const sharing: sharing.Sharing | null = one.sharing && { ...one.sharing, keyEpoch: i + 1 }
      return { ...one, sharing, toKeyEpoch: i + 2, since: 0 }
    })
    const [first, second, ...none] = ofAccounts(passOver(mixed))
    assert.ok(first && second && none.length === 0)
    assert.deepEqual([first.ids.length, second.ids.length], [2, 1])
    assert.deepEqual([first.range.after, second.range.to], [null, LAST_ACCOUNT_ID])
    assert.deepEqual(first.range.to, second.range.after)
    assert.ok(
      compareBytes(ids[1]!, first.range.to) < 0 && compareBytes(first.range.to, ids[2]!) < 0,
    )
    assert.deepEqual([first.range.generation, second.range.generation], [9_000, 9_000])
    // Nobody who is fresh is in a range that moves.
    const fresh = mixed.map((one, i) => ({ ...one, since: i === 1 ? 9_000_900 : 0 }))
    const [before, behind, ...rest] = ofAccounts(passOver(fresh))
    assert.ok(before && behind?.range.after && rest.length === 0)
    assert.deepEqual([before.ids, behind.ids], [[toHex(ids[0]!)], [toHex(ids[2]!)]])
    assert.ok(compareBytes(before.range.to, ids[1]!) < 0)
    assert.ok(compareBytes(ids[1]!, behind.range.after) < 0)
    // The pass has a later number than the one that made it fresh.
    assert.equal(before.range.generation, 9_001)
    // Who is held by too few moves nothing, and keeps no range open.
    const lost = mixed.map((one, i) => (i === 2 ? { ...one, sharing: null } : one))
    const [only, ...more] = ofAccounts(passOver(lost))
    assert.deepEqual([only?.range.after, only?.range.to, more], [null, LAST_ACCOUNT_ID, []])
    await operator.close()
  })
})
