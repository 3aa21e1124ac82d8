import assert from "node:assert/strict"
import { test } from "node:test"
import { latestKeyEpoch, MAX_CLOCK_SKEW_MS, type SharingListing } from "@lockkeeper/api"
import { type Identifier, ristretto255 } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { lackingAt } from "../src/operator/lacking.ts"
import { inForce } from "../src/operator/sharings-in-force.ts"

const NOW = 1_700_000_000_000
const BELIEVED = latestKeyEpoch(NOW - MAX_CLOCK_SKEW_MS)

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
  return inForce(listings, [2], NOW)[0]?.toKeyEpoch
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
  assert.deepEqual(inForce(listings, [2], NOW)[0]?.behind, [2])
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
    const [one] = inForce(listings, [2], NOW)
    assert.deepEqual([one?.sharing?.rosterEpoch, one?.sharing?.keyEpoch], [2, keyEpoch])
    assert.deepEqual([one?.heldBy, one?.left, one?.toKeyEpoch], [[4, 5], [1, 2], 5])
    assert.deepEqual(
      one?.behind,
      [4, 5].map((from) => ({ server: 3, from, run })),
    )
    const { lacking } = lackingAt(3, listings, [2], NOW)
    assert.deepEqual(
      lacking.map(({ reason, from }) => [reason, from]),
      [["behind", [4, 5]]],
    )
  })
}
