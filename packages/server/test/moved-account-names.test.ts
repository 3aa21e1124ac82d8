import assert from "node:assert/strict"
import { test } from "node:test"
import { type AccountRange, isInRange, LAST_ACCOUNT_ID, rangeEnd } from "@lockkeeper/api"
import { compareBytes, decode, toHex } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import type { Shape } from "./move-flows.ts"
import {
  batchOf,
  bringTo,
  confirmMove,
  goOnTo,
  type MovingAccounts,
  settle,
  worldOf,
} from "./moved-account-flows.ts"
import { TestOwner } from "./owner.ts"

/** What a stranger sees of a name at one server, but for what is fresh in each answer. */
async function seenAt(owner: TestOwner, to: TestServer) {
  const { opened } = await owner.startLogin("guess", [to])
  const answer = opened[0]?.answer
  if (answer?.kind === "refused") return { refused: answer.error, vector: [] as string[] }
  assert.ok(answer?.kind === "login")
  const { response, guessesRemaining } = answer
  const { frame } = decode(opaque.loginResponseCodec, response)
  const { shownVersion, stretching, rosterEpoch } = frame
  const vector = frame.vector.map(toHex)
  const { length } = response
  return { vector, shownVersion, stretching, rosterEpoch, length, guessesRemaining }
}

async function seen(owner: TestOwner): Promise<readonly Awaited<ReturnType<typeof seenAt>>[]> {
  return Promise.all(owner.servers.map((to) => seenAt(owner, to)))
}

type Seen = Awaited<ReturnType<typeof seen>>

/** How it differs from what was seen before, and between servers: nothing of it is the name's alone. */
function described(before: Seen, now: Seen) {
  const known = before.find(({ vector }) => vector.length > 0)
  return now.map(({ vector, shownVersion, ...rest }) => ({
    ...rest,
    terms: vector.length,
    sameKey: vector[0] === known?.vector[0],
    sameVersion: shownVersion === known?.shownVersion,
    asBefore: before.map((one) => one.vector.join() === vector.join()),
    asOthers: now.map((one) => one.vector.join() === vector.join()),
  }))
}

async function startNames({ holders, minSigners }: Shape): Promise<MovingAccounts> {
  const cluster = await startCluster({ servers: holders.length, minSigners })
  const names = ["real 0", "real 1", "real 2", "real 3"]
  for (const name of names) await new TestOwner(cluster, name).register("right")
  return worldOf(cluster, names)
}

function strangersTo({ cluster }: MovingAccounts): readonly TestOwner[] {
  return [0, 1, 2, 3].map((i) => new TestOwner(cluster, `nobody ${i}`))
}

const THREE: Shape = { holders: [1, 2, 3], minSigners: 2 }
const MOVES: readonly (readonly [string, Shape, Shape])[] = [
  ["to others", THREE, { holders: [3, 4, 5], minSigners: 2 }],
  ["to 3 of 5", THREE, { holders: [1, 2, 3, 4, 5], minSigners: 3 }],
  ["to 2 of 3", { holders: [1, 2, 3, 4, 5], minSigners: 3 }, { holders: [1, 2, 6], minSigners: 2 }],
]

for (const [name, from, to] of MOVES) {
  test(`what is seen of a name tells of its range, and not whether it exists: ${name}`, async () => {
    let world = await startNames(from)
    const names = [...world.owners, ...strangersTo(world)]
    const first = await Promise.all(names.map(seen))
    // Some guesses at every name, one server more than the other: none comes back where it goes.
    for (const owner of names) {
      await owner.startLogin("guess", owner.servers.slice(0, 1))
    }
    world = await goOnTo(world, to)
    const { owners } = world
    const everyone = [...owners, ...strangersTo(world)]
    const middle = rangeEnd(owners[1]!.accountId, owners[2]!.accountId)
    const ranges: Pick<AccountRange, "after" | "to">[] = [
      { after: null, to: middle },
      { after: middle, to: LAST_ACCOUNT_ID },
    ]
    /** Of each kind of range what is seen, of all names in it the same. */
    const kinds = async () => {
      const found = new Map<boolean, Set<string>>([
        [true, new Set()],
        [false, new Set()],
      ])
      for (const [i, owner] of everyone.entries()) {
        const what = JSON.stringify(described(first[i]!, await seen(owner)))
        const isFirst = compareBytes(owner.accountId, middle) <= 0
        found.get(isFirst)!.add(what)
      }
      for (const all of found.values()) assert.equal(all.size, 1, [...all].join("\n"))
      return [...found.values()].map(([what]) => what?.replaceAll(/"guessesRemaining":\d+/g, ""))
    }
    const [one, two] = await kinds()
    assert.equal(one, two)
    const during = new Set([one, two])
    for (const range of ranges) {
      const inRange = owners.filter(({ accountId }) => isInRange(range, accountId))
      const coordinator = await batchOf(world, { owners: inRange, range })
      const confirmed = await confirmMove(world, coordinator)
      const ids = [...world.cluster.servers.keys()]
      for (const [i, id] of ids.entries()) {
        await bringTo(world, coordinator, confirmed, id)
        // While only some have it, and when all do.
        if (i !== 1 && i !== ids.length - 1) continue
        for (const kind of await kinds()) during.add(kind)
      }
    }
    // Before, while and after it moves each range shows something of its own.
    assert.equal(during.size, 3)
    world = await settle(world)
    const settled = [...world.owners, ...strangersTo(world)]
    const after = await Promise.all(
      settled.map(async (owner, i) => JSON.stringify(described(first[i]!, await seen(owner)))),
    )
    assert.equal(new Set(after).size, 1, after.join("\n"))
  })
}
