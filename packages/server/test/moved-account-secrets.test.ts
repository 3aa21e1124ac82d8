import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, interpolate, ristretto255, type Scalar } from "@lockkeeper/crypto"
import { equalBytes, toHex } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { readAccount } from "../src/accounts.ts"
import { startCluster } from "./memory-cluster.ts"
import type { Shape } from "./move-flows.ts"
import {
  goOnTo,
  type MovingAccounts,
  moveAccounts,
  settle,
  worldOf,
} from "./moved-account-flows.ts"
import { TestOwner } from "./owner.ts"
import { changePassword } from "./password-flows.ts"
import { serverOf } from "./reshare-flows.ts"
import { subsets } from "./subsets.ts"

const THREE: Shape = { holders: [1, 2, 3], minSigners: 2 }
const OTHERS: Shape = { holders: [4, 5, 6], minSigners: 2 }
const OVERLAP: Shape = { holders: [1, 2, 4], minSigners: 2 }
const FIVE: Shape = { holders: [1, 2, 3, 4, 5], minSigners: 3 }

async function startWith({ holders, minSigners }: Shape): Promise<MovingAccounts> {
  const cluster = await startCluster({ servers: holders.length, minSigners })
  await new TestOwner(cluster).register("right")
  return worldOf(cluster, ["alice"])
}

type Shares = ReadonlyMap<Identifier, Scalar>

async function sharesOf(world: MovingAccounts, ids: readonly Identifier[]): Promise<Shares> {
  const shares = new Map<Identifier, Scalar>()
  for (const id of ids) {
    const row = await readAccount(serverOf(world, id).store, world.owner.accountId)
    shares.set(id, row!.value.active!.share.expose() as Scalar)
  }
  return shares
}

function isKey(key: Uint8Array, shares: Shares): boolean {
  const found = interpolate(ristretto255, shares)
  return equalBytes(ristretto255.multiplyBase(found), key)
}

const MOVES: readonly (readonly [string, Shape, Shape])[] = [
  ["to three others", THREE, OTHERS],
  ["to one other", THREE, OVERLAP],
  ["from 2 of 3 to 3 of 5", THREE, FIVE],
  ["from 3 of 5 to 2 of 3", FIVE, { holders: [1, 2, 6], minSigners: 2 }],
]

for (const [name, from, to] of MOVES) {
  test(`shares of before are gone, and give no password's key with new ones: ${name}`, async () => {
    let world = await startWith(from)
    const row = await readAccount(serverOf(world, 1).store, world.owner.accountId)
    const key = row!.value.active!.registration.vector[0]!
    const old = await sharesOf(world, from.holders)
    world = await goOnTo(world, to)
    await moveAccounts(world)
    const now = await sharesOf(world, to.holders)
    for (const [id, share] of old) {
      const kept = await readAccount(serverOf(world, id).store, world.owner.accountId)
      const active = kept!.value.active
      assert.equal(active === null, !to.holders.includes(id))
      if (active !== null) assert.notEqual(toHex(active.share.expose()), toHex(share))
      const { value } = (await serverOf(world, id).store.read(
        "accounts",
        toHex(world.owner.accountId),
      ))!
      assert.equal(toHex(value).includes(toHex(share)), false)
    }
    // Whole sets of either generation are the key; the check itself is right.
    for (const set of subsets([...old], from.minSigners)) assert.ok(isKey(key, new Map(set)))
    for (const set of subsets([...now], to.minSigners)) assert.ok(isKey(key, new Map(set)))
    let tried = 0
    for (const before of subsets([...old], from.minSigners - 1)) {
      for (const after of subsets([...now], to.minSigners - 1)) {
        for (const mixed of [new Map([...before, ...after]), new Map([...after, ...before])]) {
          assert.equal(isKey(key, mixed), false)
          tried++
        }
      }
    }
    assert.ok(tried >= 9 * 2)
  })
}

test("a server that joins gives no guess back that a threshold of others has taken", async () => {
  let world = await startWith(THREE)
  const { owner } = world
  await owner.startLogin("wrong", owner.servers)
  for (let i = 0; i < 3; i++) await owner.startLogin("wrong", owner.servers.slice(0, 2))
  // What one server takes alone is no guess at the password.
  await owner.startLogin("wrong", owner.servers.slice(2, 3))
  await owner.startLogin("wrong", owner.servers.slice(1, 2))
  world = await goOnTo(world, OTHERS)
  await moveAccounts(world)
  const joined = [4, 5, 6].map((id) => serverOf(world, id))
  const { opened } = await world.owner.startLogin("wrong", joined)
  for (const { answer } of opened) {
    assert.ok(answer.kind === "login")
    assert.equal(answer.guessesRemaining, opaque.DEFAULT_GUESS_LIMIT - 4 - 1)
  }
  for (let i = 0; i < 5; i++) await world.owner.startLogin("wrong", joined)
  const { opened: last } = await world.owner.startLogin("right", joined)
  for (const { answer } of last) {
    assert.ok(answer.kind === "refused")
    assert.equal(answer.error.code, "locked")
  }
})

const all = (ids: readonly Identifier[]) => ({ activateAt: ids, finaliseAt: ids })

test("a password that was changed before the move, or changes after it, is the one that logs in", async () => {
  let world = await startWith(THREE)
  const sessions = await world.owner.login("right", world.owner.servers)
  await changePassword(world.owner, sessions, "second", { version: 2, ...all([1, 2, 3]) })
  world = await goOnTo(world, OTHERS)
  await moveAccounts(world)
  const joined = [4, 5, 6].map((id) => serverOf(world, id))
  await assert.rejects(world.owner.login("right", joined), /wrong-password-or-envelope/)
  const again = await world.owner.login("second", joined)
  // In a range that has moved it may change before the roster is settled.
  await changePassword(world.owner, again, "third", { version: 3, ...all([4, 5, 6]) })
  world = await settle(world)
  const settled = [4, 5, 6].map((id) => serverOf(world, id))
  await assert.rejects(world.owner.login("second", settled), /wrong-password-or-envelope/)
  const third = await world.owner.login("third", settled)
  await changePassword(world.owner, third, "fourth", { version: 4, ...all([4, 5, 6]) })
  for (const set of subsets(settled, 2)) await world.owner.login("fourth", set)
  // And it goes on to move, with the generations behind it.
  world = await goOnTo(world, THREE)
  await moveAccounts(world, { toKeyEpoch: 5 })
  await world.owner.login(
    "fourth",
    [1, 2, 3].map((id) => serverOf(world, id)),
  )
})
