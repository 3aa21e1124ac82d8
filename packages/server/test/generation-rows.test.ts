import assert from "node:assert/strict"
import { test } from "node:test"
import type { Roster } from "@lockkeeper/api"
import { concat, DecodeError, decode, encode, fromHex } from "@lockkeeper/encoding"
import type { Store } from "../src/ports/store.ts"
import { formerBeside, keepFormer } from "../src/resharing/held.ts"
import { type GenerationRow, generationRow } from "../src/resharing/rows.ts"

const RUN = new Uint8Array(32).fill(6)
const ROW: GenerationRow = {
  ...{ highestKeyEpoch: 3, pendingRun: null, activeRun: null, activatedAt: 5, lastAttempt: 7 },
  ...{ leftKeyEpoch: 2, leftOn: null },
}

const LEFT_ON = {
  sharing: {
    ...{ id: RUN, context: RUN, group: "edwards25519" as const, keyEpoch: 2, rosterEpoch: 1 },
    ...{ minSigners: 2, verifyingKey: RUN, verifyingShares: new Map([[4, RUN]]) },
  },
  ...{ index: 0, size: 2, path: [RUN], confirmations: new Map([[4, new Uint8Array(64)]]) },
}

/** As they were stored before rows told what has left. */
const FIRST = fromHex("0000000300000000000000000005" + "00000007")

test("rows come back as they were", () => {
  const some = [{}, { leftKeyEpoch: null }, { pendingRun: RUN }, { leftOn: LEFT_ON }]
  for (const changes of [...some, { leftOn: LEFT_ON, highestKeyEpoch: 2 }]) {
    const row: GenerationRow = { ...ROW, ...changes }
    assert.deepEqual(decode(generationRow, encode(generationRow, row)), row)
  }
})

test("a row from before tells of nothing that waits that all of it has left", () => {
  assert.deepEqual(decode(generationRow, FIRST), { ...ROW, leftKeyEpoch: 3 })
  const waiting = concat(FIRST.subarray(0, 4), Uint8Array.of(1), RUN, FIRST.subarray(5))
  const expected = { ...ROW, pendingRun: RUN, leftKeyEpoch: null }
  assert.deepEqual(decode(generationRow, waiting), expected)
})

test("a row with something else behind it is none", () => {
  assert.throws(() => decode(generationRow, concat(FIRST, Uint8Array.of(3))), DecodeError)
  const again = concat(FIRST, Uint8Array.of(1), FIRST.subarray(0, 4))
  assert.throws(() => decode(generationRow, again), /leftKeyEpoch: not canonical/)
  const other = { ...ROW, leftKeyEpoch: null, leftOn: LEFT_ON }
  assert.throws(() => encode(generationRow, other), /nothing has left, and on a certificate/)
  const more = concat(encode(generationRow, ROW), Uint8Array.of(0))
  assert.throws(() => decode(generationRow, more), DecodeError)
})

/** A certificate that came into force under the roster of that number. */
const leftOnUnder = (rosterEpoch: number) => {
  return { ...LEFT_ON, sharing: { ...LEFT_ON.sharing, rosterEpoch } }
}

const rosterIn = (transition: Roster["transition"]) => ({ rosterEpoch: 5, transition }) as Roster
const MOVING = rosterIn({ leaving: [1], minSignersBefore: 2 })
const SETTLED = rosterIn(null)

test("what proves a move is kept with a changed password in transition, the first of it alone", async () => {
  const keptWith = async (roster: Roster, row: GenerationRow | null, own = leftOnUnder(5)) => {
    const value = row === null ? null : { version: 1, value: encode(generationRow, row) }
    const store = { read: async () => value } as unknown as Store
    const [change] = await keepFormer({ store, roster }, { kind: "accounts" }, RUN, own)
    if (change === undefined) return null
    assert.ok(change.kind === "put" && change.ifVersion === 1)
    return decode(generationRow, change.value)
  }
  const kept = { ...ROW, leftOn: leftOnUnder(5) }
  assert.deepEqual(await keptWith(MOVING, ROW), kept)
  assert.deepEqual(await keptWith(MOVING, { ...ROW, leftOn: leftOnUnder(4) }), kept)
  assert.deepEqual(await keptWith(MOVING, { ...ROW, leftKeyEpoch: null }), kept)
  assert.equal(await keptWith(MOVING, kept), null)
  assert.equal(await keptWith(MOVING, null), null)
  assert.equal(await keptWith(SETTLED, ROW), null)
  assert.equal(await keptWith(MOVING, ROW, null as never), null)
})

test("it stays beside what comes into force for that password, until the transition is over", () => {
  const now = { ...LEFT_ON.sharing, context: new Uint8Array(32) }
  const row = { ...ROW, leftOn: leftOnUnder(5) }
  assert.equal(formerBeside(MOVING, now, row), row.leftOn)
  assert.equal(formerBeside(MOVING, LEFT_ON.sharing, row), null, "of the same password")
  assert.equal(formerBeside(SETTLED, now, row), null)
  assert.equal(formerBeside(MOVING, now, { ...ROW, leftOn: leftOnUnder(4) }), null)
  assert.equal(formerBeside(MOVING, now, ROW), null)
})
