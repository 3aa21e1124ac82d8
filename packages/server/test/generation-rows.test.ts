import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, DecodeError, decode, encode, fromHex } from "@lockkeeper/encoding"
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
