import assert from "node:assert/strict"
import { test } from "node:test"
import { toHex } from "@lockkeeper/encoding"
import { inOrder, sharesOf } from "../src/generations.ts"
import type { KeyInfo } from "../src/key-info.ts"

/** What of a key tells its generations apart. */
function keyOf(rosterEpoch: number, keyEpoch: number): KeyInfo {
  const parts = { keyId: new Uint8Array(32), rosterEpoch, keyEpoch }
  return { certificate: { public: parts } } as unknown as KeyInfo
}

test("a generation of a later roster is the later one, whatever its number", () => {
  const ascending = [keyOf(1, 1), keyOf(1, 5), keyOf(2, 2), keyOf(2, 5), keyOf(3, 1)]
  assert.deepEqual([...ascending].reverse().sort(inOrder), ascending)
  assert.equal(inOrder(keyOf(2, 2), keyOf(2, 2)), 0)
})

test("what is kept for shares of one roster is of no use for those of another", () => {
  const names = [keyOf(1, 5), keyOf(2, 5), keyOf(2, 1)].map((key) => toHex(sharesOf(key)))
  assert.equal(new Set(names).size, 3)
})
