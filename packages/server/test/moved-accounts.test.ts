import assert from "node:assert/strict"
import { test } from "node:test"
import { LAST_ACCOUNT_ID, rangeEnd } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { readUnknownNames } from "../src/unknown-names.ts"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { leaveAt, type Shape } from "./move-flows.ts"
import {
  goOnTo,
  holdersOfAccount,
  type MovingAccounts,
  moveAccounts,
  settle,
  worldOf,
} from "./moved-account-flows.ts"
import { TestOwner } from "./owner.ts"
import { refusalOf, serverOf } from "./reshare-flows.ts"
import { subsets } from "./subsets.ts"

const NAMES = ["alice", "bob"]
const passwordOf = (name: string) => `password of ${name}`

async function startAccounts({ holders, minSigners }: Shape): Promise<MovingAccounts> {
  const cluster = await startCluster({ servers: holders.length, minSigners })
  for (const name of NAMES) await new TestOwner(cluster, name).register(passwordOf(name))
  return worldOf(cluster, NAMES)
}

function at(world: MovingAccounts, ids: readonly Identifier[]): readonly TestServer[] {
  return ids.map((id) => serverOf(world, id))
}

async function logsInAt(world: MovingAccounts, sets: readonly (readonly Identifier[])[]) {
  for (const owner of world.owners) {
    for (const set of sets) {
      const sessions = await owner.login(passwordOf(owner.name), at(world, set))
      assert.equal(sessions.length, set.length, `${owner.name} at ${set}`)
    }
  }
}

const [THREE, OTHERS] = [
  { holders: [1, 2, 3], minSigners: 2 },
  { holders: [4, 5, 6], minSigners: 2 },
]
const FIVE = { holders: [1, 2, 3, 4, 5], minSigners: 3 }

for (const [name, shapes] of [
  ["2 of 3 to three others", [THREE, OTHERS]],
  ["2 of 3 to 3 of 5", [THREE, FIVE]],
  ["3 of 5 to 2 of 3", [FIVE, { holders: [1, 2, 6], minSigners: 2 }]],
  ["2 of 3 to 3 of 3", [THREE, { holders: [1, 2, 3], minSigners: 3 }]],
  ["2 of 3 to three others and back", [THREE, OTHERS, THREE]],
] as const) {
  test(`accounts move from ${name}: their owners log in before, after and when it is settled`, async () => {
    let world = await startAccounts(shapes[0])
    for (const [i, to] of shapes.slice(1).entries()) {
      const from = shapes[i] as Shape
      world = await goOnTo(world, to)
      await logsInAt(world, subsets(from.holders, from.minSigners))
      await moveAccounts(world)
      for (const owner of world.owners) {
        assert.deepEqual(await holdersOfAccount(world, owner), [...to.holders])
      }
      await logsInAt(world, subsets(to.holders, to.minSigners))
      world = await settle(world)
      await logsInAt(world, subsets(to.holders, to.minSigners))
    }
    const newcomer = new TestOwner(world.cluster, "newcomer")
    await newcomer.register("new here")
    await newcomer.login("new here", newcomer.holders)
  })
}

test("names between leave with accounts of their range, and not by themselves", async () => {
  const world = await goOnTo(await startAccounts(THREE), OTHERS)
  const [first] = world.owners as [TestOwner]
  const { store } = serverOf(world, 1)
  const standing = async () => {
    const { value } = await readUnknownNames(store)
    return value.ranges.map((range) => range.standing)
  }
  const before = await standing()
  const generation = Math.floor(world.cluster.clock.time / 1000)
  const to = rangeEnd(new Uint8Array(32), first.accountId)
  const range = { after: null, to, generation }
  const left = leaveAt(world, 1, [], null, { kind: "accounts", range })
  assert.equal(await refusalOf(left), "invalid-request input.certificates")
  assert.deepEqual(await standing(), before)
})

test("a further change while accounts are on their way takes each from where it is", async () => {
  let world = await startAccounts(THREE)
  const [first, second] = world.owners as [TestOwner, TestOwner]
  const to = rangeEnd(first.accountId, second.accountId)
  world = await goOnTo(world, { holders: [2, 4, 5], minSigners: 2 })
  await moveAccounts(world, { owners: [first], range: { after: null, to } })
  world = await goOnTo(world, { holders: [2, 5, 6], minSigners: 2 })
  const [one, other] = world.owners as [TestOwner, TestOwner]
  const logsIn = async (owner: TestOwner, holders: readonly Identifier[]) => {
    for (const set of subsets(holders, 2)) await owner.login(passwordOf(owner.name), at(world, set))
  }
  await logsIn(one, [2, 4, 5])
  await logsIn(other, [1, 2, 3])
  await moveAccounts(world, { owners: [one], range: { after: null, to } })
  await moveAccounts(world, { owners: [other], range: { after: to, to: LAST_ACCOUNT_ID } })
  for (const owner of [one, other]) {
    assert.deepEqual(await holdersOfAccount(world, owner), [2, 5, 6])
    await logsIn(owner, [2, 5, 6])
  }
  world = await settle(world)
  for (const owner of world.owners) await logsIn(owner, [2, 5, 6])
})
