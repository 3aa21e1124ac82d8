import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { sharing } from "../src/index.ts"
import {
  combineLogin,
  type HeldAccount,
  type LoginPlan,
  type LoginState,
  openAccountKeys,
} from "../src/opaque/index.ts"
import {
  type Account,
  type Asked,
  abortOf,
  ask,
  type Cluster,
  cluster,
  conclude,
  get,
  must,
  only,
  register,
} from "./opaque-fixture.ts"
import { nextGeneration } from "./opaque-resharing.ts"

const PASSWORD = "correct horse battery staple"

/** Shares that another threshold takes, at these holders of the account. */
function withThreshold(
  world: Cluster,
  { keys, records }: Account,
  holders: readonly Identifier[],
  minSigners: number,
): Account {
  const dealers = [...records.keys()].slice(0, world.minSigners)
  const { rosterEpoch } = world
  const next = nextGeneration(records, { dealers, holders, minSigners, rosterEpoch })
  const after = holders.map((i): [Identifier, HeldAccount] => {
    const { share, generation } = get(next, i)
    return [i, must(sharing.accountWithSharing(get(records, i), share, generation))]
  })
  return { keys, records: new Map(after) }
}

/** What is answered where only some have gone on. */
function askMixed(world: Cluster, before: Account, after: Account, moved: readonly Identifier[]) {
  const records = new Map(
    [...before.records].map(([i, old]) => [i, moved.includes(i) ? get(after.records, i) : old]),
  )
  return ask(world, "alice", PASSWORD, records)
}

function following({ state }: Asked, changes: Partial<LoginPlan>): LoginState {
  return { ...state, plan: { ...state.plan, ...changes } }
}

/** Servers 4 and 5 leave; of the others two are to be enough, where it took three. */
const LEAVING: LoginPlan["thresholds"] = new Map<Identifier, readonly number[]>([
  ...[1, 2, 3].map((i) => [i, [2, 3]] as const),
  ...[4, 5].map((i) => [i, [3]] as const),
])

test("while shares are on their way as many count as their own vector takes, and no mixture", () => {
  const world = cluster("moving", 3, 5)
  const before = register(world, "alice", PASSWORD)
  const after = withThreshold(world, before, [1, 2, 3], 2)
  const login = askMixed(world, before, after, [1, 2])
  const state = following(login, { minSigners: 2, thresholds: LEAVING })
  const { accountId } = state.plan
  for (const set of [
    [1, 2],
    [3, 4, 5],
    [1, 2, 3],
    [1, 2, 3, 4, 5],
  ]) {
    const { exportKey, sessions } = must(conclude(state, only(login.responses, ...set)))
    const wrapped = get(before.records, 1).registration.keys
    const keys = must(openAccountKeys(exportKey, accountId, wrapped))
    assert.deepEqual(keys.signingSeed.expose(), before.keys.signingSeed.expose())
    assert.ok([2, 3].includes(sessions.size))
  }
  for (const set of [[1], [3, 4], [1, 3, 4], [2, 4, 5]]) {
    const failed = abortOf(combineLogin(state, only(login.responses, ...set)))
    assert.deepEqual([failed.reason, failed.culprits], ["too-few-agree", []])
  }
  // Who has gone on to the other threshold, or not yet, is at no fault.
  const all = must(combineLogin(state, login.responses))
  assert.ok(all.combined.faults.every(({ reason }) => reason === "other-generation"))
})

test("where nothing is on its way, two with a vector of two count for nothing among three of five", () => {
  const world = cluster("not-moving", 3, 5)
  const before = register(world, "alice", PASSWORD)
  const after = withThreshold(world, before, [1, 2, 3], 2)
  const login = askMixed(world, before, after, [1, 2])
  const all = must(combineLogin(login.state, login.responses))
  assert.deepEqual([...all.combined.answers.keys()], [3, 4, 5])
  assert.deepEqual(
    all.combined.faults.map(({ identifier, reason }) => [identifier, reason]),
    [
      [1, "wrong-vector-length"],
      [2, "wrong-vector-length"],
    ],
  )
  for (const set of [
    [1, 2],
    [1, 2, 3],
  ]) {
    const failed = abortOf(combineLogin(login.state, only(login.responses, ...set)))
    assert.deepEqual([failed.reason, failed.silent], ["too-few-agree", set])
  }
})

test("in transition a vector that is too short for its server counts for nothing either", () => {
  const world = cluster("too-short", 3, 5)
  const before = register(world, "alice", PASSWORD)
  const short = withThreshold(world, before, [1, 2, 3, 4, 5], 2)
  const login = askMixed(world, before, short, [4, 5])
  // Members that leave hold nothing of the new threshold, whatever two of them say.
  const leaving = following(login, { minSigners: 2, thresholds: LEAVING })
  assert.deepEqual(must(combineLogin(leaving, login.responses)).combined.minSigners, 3)
  const failed = abortOf(combineLogin(leaving, only(login.responses, 4, 5)))
  assert.deepEqual([failed.reason, failed.silent], ["too-few-agree", [4, 5]])
  // Nor does anybody hold less than both thresholds.
  const four = new Map([1, 2, 3, 4, 5].map((i) => [i, [4, 3]] as const))
  const rising = following(login, { minSigners: 4, thresholds: four })
  const none = abortOf(combineLogin(rising, only(login.responses, 4, 5)))
  assert.deepEqual([none.reason, none.silent], ["too-few-agree", [4, 5]])
  const { faults } = must(combineLogin(rising, login.responses)).combined
  assert.deepEqual(
    faults.map(({ identifier, reason }) => [identifier, reason]),
    [
      [4, "wrong-vector-length"],
      [5, "wrong-vector-length"],
    ],
  )
})
