import assert from "node:assert/strict"
import { test } from "node:test"
import { LAST_ACCOUNT_ID, LockKeeperError, type Roster } from "@lockkeeper/api"
import { type Bytes, concat, DecodeError, decode, encode } from "@lockkeeper/encoding"
import { checkAnswers, namesUnder } from "../src/names-under-roster.ts"
import {
  movedOn,
  type NameRange,
  rangeOf,
  readUnknownNames,
  type UnknownNames,
  unknownNamesRow,
} from "../src/unknown-names.ts"
import { startCluster } from "./memory-cluster.ts"

const CREATED = 1_700_000_000_000

function rosterOf(rosterEpoch: number, changes: Partial<Roster> = {}): Roster {
  return {
    ...{ rosterEpoch, minSigners: 2, members: [], createdAt: CREATED, transition: null },
    placement: { distinctOperators: false, distinctClouds: false, distinctJurisdictions: false },
    ...{ previousDigest: new Uint8Array(32), refreshHours: 0, cryptoperiodDays: 0 },
    ...changes,
  }
}

const moving = (rosterEpoch: number, minSigners: number, minSignersBefore = 2): Roster =>
  rosterOf(rosterEpoch, { minSigners, transition: { leaving: [], minSignersBefore } })

const end = (first: number): Bytes => new Uint8Array(32).fill(0xff).fill(first, 0, 1)

const shown = ({ ranges }: UnknownNames) =>
  ranges.map(({ to, generation, minSigners, standing }: NameRange) =>
    [to[0], generation, minSigners, standing].join(" "),
  )

const first = namesUnder(rosterOf(1), null, "first")
const pass = { after: null, to: end(0x40), generation: 7 }

test("in transition names have yet to move, move with a batch, and are settled after it", () => {
  assert.deepEqual(shown(first), ["255 1 2 settled"])
  const refreshed = movedOn(first, { after: null, to: LAST_ACCOUNT_ID, generation: 5 })
  const before = namesUnder(moving(2, 3), refreshed, "stays")
  assert.deepEqual([before.rosterEpoch, shown(before)], [2, ["255 5 2 moving"]])
  // A refresh leaves them where they are.
  assert.deepEqual(shown(movedOn(before, pass)), ["64 7 2 moving", "255 5 2 moving"])
  const half = movedOn(before, pass, { minSigners: 3, standing: "settled" })
  assert.deepEqual(shown(half), ["64 7 3 settled", "255 5 2 moving"])
  // A restart under the same roster changes nothing, and no earlier roster comes back.
  assert.equal(namesUnder(moving(2, 3), half, "stays"), half)
  assert.equal(namesUnder(rosterOf(1), half, "stays"), half)
  const after = namesUnder(rosterOf(3, { minSigners: 3 }), half, "stays")
  assert.deepEqual(shown(after), ["64 7 3 settled", `255 ${CREATED / 1000} 3 settled`])
})

test("who joins answers for nothing until accounts have moved to it, or there are none", () => {
  const joins = namesUnder(moving(2, 3), null, "joins")
  assert.deepEqual(shown(joins), ["255 1 3 awaited"])
  const half = movedOn(joins, pass, { minSigners: 3, standing: "settled" })
  assert.deepEqual(shown(half), ["64 7 3 settled", "255 1 3 awaited"])
  const stayed = namesUnder(moving(2, 3), first, "stays")
  // What had no accounts comes to one generation at those that were there and those that join.
  const [there, here] = [stayed, joins].map((one) => {
    return namesUnder(rosterOf(3, { minSigners: 3 }), one, "stays")
  })
  assert.deepEqual(there, here)
  // Where only some have come the others are still elsewhere: they are to be repaired.
  const partly = namesUnder(rosterOf(3, { minSigners: 3 }), half, "stays")
  assert.deepEqual(shown(partly), ["64 7 3 settled", "255 1 3 awaited"])
  // A lost store under a later roster has no accounts that others have.
  assert.deepEqual(shown(namesUnder(rosterOf(2), null, "joins")), ["255 1 2 awaited"])
  // Whoever was away and comes back has nothing, whatever its store says.
  const gone = movedOn(stayed, pass, { minSigners: 3, standing: "gone" })
  assert.deepEqual(shown(namesUnder(moving(4, 2, 3), gone, "joins")), ["255 1 2 awaited"])
})

test("who has not followed the roster in transition keeps what it had", () => {
  const stayed = namesUnder(rosterOf(3, { minSigners: 3 }), first, "stays")
  assert.deepEqual([stayed.rosterEpoch, shown(stayed)], [3, ["255 1 2 settled"]])
  const joins = namesUnder(moving(2, 3), null, "joins")
  assert.deepEqual(shown(namesUnder(rosterOf(4), joins, "stays")), ["255 1 3 awaited"])
})

test("rows from before rosters moved accounts read as held, with the threshold of then", () => {
  const row = { rosterEpoch: 0, ranges: [{ ...first.ranges[0], minSigners: 0 } as NameRange] }
  const encoded = encode(unknownNamesRow, row)
  assert.equal(encoded.length, 4 + 32 + 4)
  const legacy = decode(unknownNamesRow, encoded)
  assert.deepEqual(shown(namesUnder(rosterOf(1), legacy, "stays")), ["255 1 2 settled"])
  assert.deepEqual(shown(namesUnder(moving(2, 3), legacy, "stays")), ["255 1 2 moving"])
  // And a store that has served without any.
  assert.deepEqual(shown(namesUnder(rosterOf(4), null, "stays")), ["255 1 2 settled"])
  assert.deepEqual(shown(namesUnder(moving(2, 4, 3), null, "stays")), ["255 1 3 moving"])
})

test("rows with another number of shapes than ranges, or of no roster, are refused", () => {
  const names = namesUnder(moving(2, 3), first, "stays")
  const two = movedOn(names, pass, { minSigners: 3, standing: "gone" })
  assert.deepEqual(decode(unknownNamesRow, encode(unknownNamesRow, two)), two)
  const legacy = (of: UnknownNames) => encode(unknownNamesRow, { ...of, rosterEpoch: 0 })
  const [oneLegacy, twoLegacy] = [legacy(names), legacy(two)]
  const shapesOf = encode(unknownNamesRow, two).slice(twoLegacy.length)
  const refused = (bytes: Bytes, why: RegExp) =>
    assert.throws(
      () => decode(unknownNamesRow, bytes),
      (error) => error instanceof DecodeError && why.test(error.message),
    )
  refused(concat(oneLegacy, shapesOf), /shapes: not one for each range/)
  const unnumbered = encode(unknownNamesRow, names)
  unnumbered.fill(0, oneLegacy.length + 1, oneLegacy.length + 5)
  refused(unnumbered, /rosters are numbered from 1/)
  const later = encode(unknownNamesRow, names)
  later.fill(9, oneLegacy.length, oneLegacy.length + 1)
  assert.throws(() => decode(unknownNamesRow, later), DecodeError)
})

test("where a server does not answer for a range it refuses every name in it alike", () => {
  const joins = namesUnder(moving(2, 3), null, "joins")
  const half = movedOn(joins, pass, { minSigners: 3, standing: "settled" })
  assert.equal(checkAnswers(half, new Uint8Array(32)).minSigners, 3)
  const refusals = (names: UnknownNames) =>
    assert.throws(
      () => checkAnswers(names, end(0x41)),
      (error) =>
        error instanceof LockKeeperError &&
        error.code === "unavailable" &&
        error.field === "accounts" &&
        error.message === "This server does not answer for these names now.",
    )
  refusals(half)
  const stayed = namesUnder(moving(2, 3), first, "stays")
  const all = { after: null, to: LAST_ACCOUNT_ID, generation: 8 }
  refusals(movedOn(stayed, all, { minSigners: 3, standing: "gone" }))
  assert.equal(checkAnswers(stayed, end(0x41)).standing, "moving")
})

test("a server that starts for the first time answers for every name, in its roster's threshold", async () => {
  const cluster = await startCluster({ servers: 5, minSigners: 3 })
  for (const { store } of cluster.servers.values()) {
    const { value } = await readUnknownNames(store)
    assert.deepEqual([value.rosterEpoch, shown(value)], [1, ["255 1 3 settled"]])
    assert.equal(rangeOf(value, end(1)).standing, "settled")
  }
})
