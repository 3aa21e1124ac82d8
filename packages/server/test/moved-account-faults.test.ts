import assert from "node:assert/strict"
import { test } from "node:test"
import { LAST_ACCOUNT_ID, rangeEnd } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { AccountRow, HeldAccount } from "../src/account-row.ts"
import { putAccount, readAccount } from "../src/accounts.ts"
import { readUnknownNames } from "../src/unknown-names.ts"
import { follow, inTransition, restart, startCluster } from "./memory-cluster.ts"
import type { Shape } from "./move-flows.ts"
import {
  batchOf,
  bringTo,
  confirmMove,
  driveAccounts,
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
const OTHERS: Shape = { holders: [2, 4, 5], minSigners: 2 }

/** Accounts of servers 1 to 3 that are to go to servers 2, 4 and 5. */
async function moving(to: Shape = OTHERS): Promise<MovingAccounts> {
  const cluster = await startCluster()
  for (const name of NAMES) await new TestOwner(cluster, name).register("right")
  return goOnTo(await worldOf(cluster, NAMES), to)
}

/** One server's row of an account, as whoever owns its database may have altered it. */
async function alter(
  world: MovingAccounts,
  id: Identifier,
  owner: TestOwner,
  change: (row: AccountRow & { readonly active: HeldAccount }) => Partial<AccountRow>,
): Promise<void> {
  const { store } = serverOf(world, id)
  const { value, version } = (await readAccount(store, owner.accountId))!
  const row = value as AccountRow & { readonly active: HeldAccount }
  await store.commit([putAccount({ ...row, ...change(row) }, version)])
}

function withConfirmations(count: number) {
  return ({ active }: AccountRow & { readonly active: HeldAccount }) => ({
    active: { ...active, confirmations: new Map([...active.confirmations!].slice(0, count)) },
  })
}

/** What those that join say to what they are told. */
async function refusals(world: MovingAccounts, tellers: readonly Identifier[], toKeyEpoch: number) {
  const coordinator = await batchOf(world, { toKeyEpoch })
  const said: string[] = []
  const { task } = await driveAccounts(world, coordinator, {
    tellers,
    ask: async (from, step, go) => {
      if (step !== "verdict" || from === 2) return go()
      const asked = go()
      const refusal = await refusalOf(asked)
      said.push(refusal)
      return refusal === "nothing" ? asked : null
    },
  })
  assert.equal(
    task.kind === "confirmed",
    said.every((one) => one === "nothing"),
  )
  return said
}

test("a liar among the tellers is outvoted, and where too few others tell the joiner refuses by entry", async () => {
  const world = await moving()
  const [first, second] = world.owners as [TestOwner, TestOwner]
  await alter(world, 1, second, () => ({ name: "mallory" }))
  const twice = (said: string) => [said, said]
  assert.deepEqual(await refusals(world, [1, 2], 2), twice("conflict input.records.1"))
  assert.deepEqual(await refusals(world, [2], 3), twice("conflict input.records.0"))
  assert.deepEqual(await refusals(world, [], 4), twice("conflict input.records.0"))
  assert.deepEqual(await refusals(world, [1, 2, 3], 5), twice("nothing"))
  await moveAccounts(world, { dealers: [2, 3], toKeyEpoch: 6 })
  for (const owner of [first, second]) {
    const row = await readAccount(serverOf(world, 4).store, owner.accountId)
    assert.equal(row?.value.name, owner.name)
  }
})

test("an account that fewer servers have confirmed than it was dealt to moves nowhere", async () => {
  const world = await moving()
  const [first, second] = world.owners as [TestOwner, TestOwner]
  for (const id of [1, 2, 3]) await alter(world, id, second, withConfirmations(2))
  const refused = "conflict input.records.1"
  assert.deepEqual(await refusals(world, [1, 2, 3], 2), [refused, refused])
  assert.deepEqual(await holdersOfAccount(world, first), [1, 2, 3])
  // The rest goes without it, and its own range with it where its servers stay.
  const to = rangeEnd(first.accountId, second.accountId)
  await moveAccounts(world, { owners: [first], range: { after: null, to }, toKeyEpoch: 3 })
  assert.deepEqual(await holdersOfAccount(world, first), [2, 4, 5])
  assert.deepEqual(await holdersOfAccount(world, second), [1, 2, 3])
  const at = (ids: readonly Identifier[]) => ids.map((id) => serverOf(world, id))
  await first.login("right", at([4, 5]))
  await second.login("right", at([1, 3]))
})

test("a server that leaves keeps a range as long as somebody is left in it", async () => {
  const world = await moving()
  const [first] = world.owners as [TestOwner]
  const coordinator = await batchOf(world, { owners: [first] })
  const confirmed = await confirmMove(world, coordinator)
  const leave = bringTo(world, coordinator, confirmed, 1)
  assert.equal(await refusalOf(leave), "conflict body.range")
  assert.deepEqual(await holdersOfAccount(world, first), [1, 2, 3])
  const { value } = await readUnknownNames(serverOf(world, 1).store)
  assert.deepEqual(
    value.ranges.map(({ standing }) => standing),
    ["moving"],
  )
})

for (const stopped of [1, 2, 4] as const) {
  test(`server ${stopped} may be killed behind every step, and passwords stay`, async () => {
    const world = await moving()
    const reopen = async (id: Identifier) => {
      await restart(world.cluster, id)
      world.sessions.set(id, await world.operator.open(serverOf(world, id)))
    }
    const coordinator = await batchOf(world)
    const confirmed = await confirmMove(world, coordinator, {
      ask: async (from, _step, go) => {
        const message = await go()
        if (from === stopped) await reopen(from)
        return message
      },
    })
    const at = (ids: readonly Identifier[]) => ids.map((id) => serverOf(world, id))
    for (const owner of world.owners) await owner.login("right", at([1, 3]))
    for (const id of world.cluster.servers.keys()) {
      await bringTo(world, coordinator, confirmed, id)
      await reopen(id)
      // Brought twice it is the same.
      await bringTo(world, coordinator, confirmed, id)
    }
    for (const owner of world.owners) {
      assert.deepEqual(await holdersOfAccount(world, owner), [2, 4, 5])
      for (const set of subsets([2, 4, 5], 2)) await owner.login("right", at(set))
    }
    const settled = await settle(world)
    const [owner] = settled.owners as [TestOwner]
    await owner.login(
      "right",
      [4, 5].map((id) => serverOf(settled, id)),
    )
  })
}

test("where a coordinator stops before the end, the next one finishes in a later generation", async () => {
  const world = await moving()
  await confirmMove(world, await batchOf(world))
  const at = (ids: readonly Identifier[]) => ids.map((id) => serverOf(world, id))
  for (const owner of world.owners) await owner.login("right", at([1, 2, 3]))
  await moveAccounts(world, { toKeyEpoch: 3 })
  for (const owner of world.owners) {
    for (const set of subsets([2, 4, 5], 2)) await owner.login("right", at(set))
  }
})

test("a holder that lost its store is dealt its accounts anew, and answers for no name before", async () => {
  const before = await startCluster()
  for (const name of NAMES) await new TestOwner(before, name).register("right")
  // Its store is empty when it starts under the next roster, in which nobody else comes or goes.
  const left = { ...before, servers: new Map([...before.servers].filter(([id]) => id !== 3)) }
  const world = await worldOf(await follow(left, inTransition(before, [1, 2, 3], 2)), NAMES)
  const three = serverOf(world, 3)
  const { opened } = await world.owner.startLogin("right", [three])
  assert.ok(opened[0]?.answer.kind === "refused" && opened[0].answer.error.code === "unavailable")
  await moveAccounts(world, { dealers: [1, 2] })
  for (const owner of world.owners) {
    for (const set of subsets([1, 2, 3], 2)) {
      await owner.login(
        "right",
        set.map((id) => serverOf(world, id)),
      )
    }
  }
  const { value } = await readUnknownNames(serverOf(world, 3).store)
  assert.deepEqual(
    value.ranges.map(({ to, standing }) => [to.join(), standing]),
    [[LAST_ACCOUNT_ID.join(), "settled"]],
  )
})
