import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type FollowedRoster,
  latestKeyEpoch,
  MAX_CLOCK_SKEW_MS,
  type Member,
  type Roster,
  type SharingListing,
} from "@lockkeeper/api"
import { type Identifier, ristretto255 } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { lackingAt } from "../src/operator/lacking.ts"
import { inForce, type Rosters } from "../src/operator/sharings-in-force.ts"

const NOW = 1_700_000_000_000
const BELIEVED = latestKeyEpoch(NOW - MAX_CLOCK_SKEW_MS)

const member = (identifier: Identifier, key = identifier) =>
  ({ identifier, identityKey: new Uint8Array(32).fill(key) }) as Member

/** A chain of these rosters, of which the last is in force. */
function rostersOf(...rosters: readonly Partial<Roster>[]): Rosters {
  const all = rosters.map((changes, i) => {
    const members = [1, 2, 3].map((id) => member(id))
    return { rosterEpoch: i + 1, minSigners: 2, transition: null, members, ...changes } as Roster
  })
  const followed = all.map((roster) => ({ roster }) as FollowedRoster)
  const chain = { inForce: followed.at(-1) as FollowedRoster, before: followed.slice(0, -1) }
  return { chain, roster: chain.inForce.roster }
}

const ONE = rostersOf({})

interface Dealt {
  readonly rosterEpoch?: number
  readonly holders?: readonly Identifier[]
}

function listing(
  highestKeyEpoch: number,
  keyEpoch = 4,
  { rosterEpoch = 1, holders = [1, 2, 3] }: Dealt = {},
): SharingListing {
  const element = ristretto255.multiplyBase(ristretto255.one)
  const verifyingShares = new Map<Identifier, Bytes>(holders.map((id) => [id, element]))
  const sharing = {
    ...{ id: new Uint8Array(32), context: new Uint8Array(32), group: "ristretto255" as const },
    ...{ keyEpoch, rosterEpoch, minSigners: 2, verifyingKey: element, verifyingShares },
  }
  return { sharing, highestKeyEpoch, pendingRun: null, activeRun: null, activatedAt: 0 }
}

function nextOf(...highest: readonly number[]): number | undefined {
  const listings = new Map(highest.map((one, i) => [i + 1, [listing(one)]]))
  return inForce(listings, ONE, NOW)[0]?.toKeyEpoch
}

test("the next generation is behind all that anybody says it has confirmed, however far ahead", () => {
  assert.equal(nextOf(4, 4, 4), 5)
  assert.equal(nextOf(4, 9, 4), 10)
  assert.equal(nextOf(4, 70_000, BELIEVED - 1), BELIEVED)
})

test("what no server can have confirmed yet counts for nothing", () => {
  assert.equal(nextOf(4, 9, BELIEVED), 10)
  assert.equal(nextOf(4, 9, 0xffffffff), 10)
})

test("who has confirmed something is behind one that lists a later generation, and nobody else", () => {
  const ahead = { ...listing(5, 5), activeRun: new Uint8Array(32).fill(7) }
  const waiting = { ...listing(5), pendingRun: new Uint8Array(32).fill(8) }
  const listings = new Map<Identifier, readonly SharingListing[]>([
    [1, [listing(4)]],
    [2, [waiting]],
    [3, [ahead]],
  ])
  assert.deepEqual(inForce(listings, ONE, NOW)[0]?.behind, [2])
})

/** What is taken to be in force where these list a sharing dealt like this, and others an earlier one. */
function listedBy(
  rosters: Rosters,
  by: readonly Identifier[],
  { holders, ...dealt }: DealtBy,
): number | null {
  const [one, old] = [listing(5, 5), listing(4)]
  const [share] = one.sharing.verifyingShares.values()
  const verifyingShares = new Map(holders.map((id) => [id, share as Bytes]))
  const lie = { ...one, sharing: { ...one.sharing, ...dealt, verifyingShares } }
  const rest = [1, 2, 3].filter((id) => !by.includes(id))
  const listings = new Map<Identifier, readonly SharingListing[]>([
    ...by.map((id) => [id, [lie]] as const),
    ...rest.map((id) => [id, [old]] as const),
  ])
  return inForce(listings, rosters, NOW)[0]?.sharing?.keyEpoch ?? null
}

interface DealtBy {
  readonly holders: readonly Identifier[]
  readonly minSigners: number
  readonly rosterEpoch: number
}

test("while the threshold rises, those that join list nothing of the threshold before as theirs", () => {
  const members = [1, 2, 3, 4, 5].map((id) => member(id))
  const transition = { leaving: [], minSignersBefore: 2 }
  const rising = rostersOf({}, { members, minSigners: 3, transition })
  // As the first roster would have dealt it, and not the second one, nor the first to these.
  const of = (rosterEpoch: number, holders: readonly Identifier[]) =>
    listedBy(rising, [4, 5], { holders, minSigners: 2, rosterEpoch })
  assert.deepEqual([of(2, [4, 5]), of(2, [1, 2, 3, 4, 5]), of(1, [4, 5])], [4, 4, 4])
  const right = { holders: [1, 2, 3], minSigners: 2, rosterEpoch: 1 }
  assert.equal(listedBy(rising, [2, 3], right), 5)
  assert.equal(listedBy(rising, [2, 3], { ...right, minSigners: 3 }), null)
  const whole = { holders: [1, 2, 3, 4, 5], minSigners: 3, rosterEpoch: 2 }
  assert.deepEqual([listedBy(rising, [4, 5], whole), listedBy(rising, [3, 4, 5], whole)], [4, 5])
})

test("who came in another's place is no witness of what that one held while others leave", () => {
  const members = [member(1), member(2, 7), member(3, 8), member(4)]
  const transition = { leaving: [1], minSignersBefore: 2 }
  const dealt = { holders: [1, 2, 3], minSigners: 2, rosterEpoch: 1 }
  const moving = rostersOf({}, { members, transition })
  assert.equal(listedBy(moving, [2, 3], dealt), null)
  const settled = rostersOf({}, { members })
  assert.equal(listedBy(settled, [2, 3], dealt), 5)
})

test("of a roster that is not known any more as many have to list it as anything takes", () => {
  const transition = { leaving: [], minSignersBefore: 2 }
  const later = rostersOf({ rosterEpoch: 70, minSigners: 3, transition })
  const dealt = { holders: [1, 2, 3], minSigners: 2, rosterEpoch: 1 }
  assert.equal(listedBy(later, [2, 3], dealt), null)
  assert.equal(listedBy(later, [1, 2, 3], dealt), 5)
})

for (const [what, keyEpoch] of [
  ["of the same number", 4],
  ["of a lower number", 3],
] as const) {
  test(`what a later roster dealt ${what} is in force, and the earlier one is left`, () => {
    const run = new Uint8Array(32).fill(7)
    const later = { rosterEpoch: 2, holders: [3, 4, 5] }
    const ahead = { ...listing(keyEpoch, keyEpoch, later), activeRun: run }
    const waiting = { ...listing(4), pendingRun: new Uint8Array(32).fill(8) }
    const listings = new Map<Identifier, readonly SharingListing[]>([
      [1, [listing(4)]],
      [2, [listing(4)]],
      [3, [waiting]],
      [4, [ahead]],
      [5, [ahead]],
    ])
    const members = [1, 2, 3, 4, 5].map((id) => member(id))
    const rosters = rostersOf({}, { members, transition: { leaving: [1, 2], minSignersBefore: 2 } })
    const [one] = inForce(listings, rosters, NOW)
    assert.deepEqual([one?.sharing?.rosterEpoch, one?.sharing?.keyEpoch], [2, keyEpoch])
    assert.deepEqual([one?.heldBy, one?.left, one?.toKeyEpoch], [[4, 5], [1, 2], 5])
    assert.deepEqual(one?.behind, [3])
    const { lacking } = lackingAt(3, listings, rosters, NOW)
    assert.deepEqual(
      lacking.map(({ reason, from }) => [reason, from]),
      [["behind", [4, 5]]],
    )
  })
}
