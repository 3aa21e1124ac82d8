import type { Bytes } from "@lockkeeper/encoding"
import { ORDER, WORDS, type Words } from "./limbs.ts"

/**
 * Values at rest. As bytes they are little-endian, 32 for each value, so that words are read and
 * written where they lie; a scalar is big-endian elsewhere.
 */

const SCALAR_LENGTH = 32
const LAST_WORD = SCALAR_LENGTH - 4

function wordsOfInteger(value: bigint): Words {
  return Uint32Array.from({ length: WORDS }, (_, w) =>
    Number((value >> BigInt(32 * w)) & 0xffff_ffffn),
  )
}

const ORDER_WORDS = wordsOfInteger(ORDER)
const COMPLEMENT_WORDS = wordsOfInteger((1n << 256n) - ORDER)

/** A scalar, or any other 32 big-endian bytes, as one value. */
export function wordsOfScalar(scalar: Uint8Array): Words {
  const view = new DataView(scalar.buffer, scalar.byteOffset, scalar.byteLength)
  return Uint32Array.from({ length: WORDS }, (_, w) => view.getUint32(LAST_WORD - 4 * w))
}

/** The value at `at` as 32 big-endian bytes: a scalar if it is below q. */
export function scalarOfWords(words: Words, at: number): Bytes {
  const scalar = new Uint8Array(SCALAR_LENGTH)
  const view = new DataView(scalar.buffer)
  for (let w = 0; w < WORDS; w++) view.setUint32(LAST_WORD - 4 * w, words[at + w]!)
  return scalar
}

/**
 * A copy of the values in little-endian `bytes`, or null when one of them is not below q. Takes
 * longer for values within 2^224 of q, so they are public or somebody else's to hide.
 */
export function readCanonical(bytes: Uint8Array): Words | null {
  const words = new Uint32Array(new Uint8Array(bytes).buffer)
  for (let at = 0; at < words.length; at += WORDS) {
    if (words[at + WORDS - 1] === ORDER_WORDS[WORDS - 1] && !isBelowOrder(words, at)) return null
  }
  return words
}

function isBelowOrder(words: Words, at: number): boolean {
  for (let w = WORDS - 1; w >= 0; w--) {
    if (words[at + w] !== ORDER_WORDS[w]) return words[at + w]! < ORDER_WORDS[w]!
  }
  return false
}

/**
 * Adds corrections[j] to values[j] where bit floor(j / width) is one, modulo q, in place.
 *
 * @param corrections - below q. @param bits - least significant bit of each byte first.
 */
export function addSelected(
  values: Words,
  corrections: Words,
  bits: Uint8Array,
  width: number,
): void {
  const rows = values.length / (WORDS * width)
  for (let row = 0; row < rows; row++) {
    const mask = -((bits[row >> 3]! >> (row & 7)) & 1)
    const end = (row + 1) * width * WORDS
    for (let at = row * width * WORDS; at < end; at += WORDS) {
      addMasked(values, corrections, at, mask)
    }
  }
}

/** values += mask & corrections; a carry out of 256 bits comes back as 2^256 - q, and only once. */
function addMasked(values: Words, corrections: Words, at: number, mask: number): void {
  let carry = 0
  for (let w = 0; w < WORDS; w++) {
    const a = values[at + w]! | 0
    const b = corrections[at + w]! & mask
    const sum = (a + b + carry) | 0
    values[at + w] = sum
    carry = carryOf(a, b, sum)
  }
  const wrapped = -carry
  carry = 0
  for (let w = 0; w < WORDS; w++) {
    const a = values[at + w]! | 0
    const b = COMPLEMENT_WORDS[w]! & wrapped
    const sum = (a + b + carry) | 0
    values[at + w] = sum
    carry = carryOf(a, b, sum)
  }
}

/** Whether a + b, whose lower 32 bits are `sum`, reaches 2^32. */
function carryOf(a: number, b: number, sum: number): number {
  return ((a & b) | ((a | b) & ~sum)) >>> 31
}
