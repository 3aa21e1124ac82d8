import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, DecodeError, decode, encode, fromHex } from "@lockkeeper/encoding"
import { type GenerationRow, generationRow } from "../src/resharing/rows.ts"

const RUN = new Uint8Array(32).fill(6)
const ROW: GenerationRow = {
  ...{ highestKeyEpoch: 3, pendingRun: null, activeRun: null, activatedAt: 5, lastAttempt: 7 },
  leftKeyEpoch: 2,
}

/** As they were stored before rows told what has left. */
const FIRST = fromHex("0000000300000000000000000005" + "00000007")

test("rows come back as they were", () => {
  for (const row of [ROW, { ...ROW, leftKeyEpoch: null }, { ...ROW, pendingRun: RUN }]) {
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
  assert.throws(() => decode(generationRow, concat(FIRST, Uint8Array.of(2))), DecodeError)
  const more = concat(encode(generationRow, ROW), Uint8Array.of(0))
  assert.throws(() => decode(generationRow, more), DecodeError)
})
