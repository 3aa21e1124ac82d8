import { aes128KeyStream } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { ROW_WORDS } from "./bit-matrix.ts"
import { bytesOf, wordsOf } from "./block-hash.ts"
import { CHECK_ROWS } from "./sizes.ts"

/**
 * The universal hash of SoftSpokenOT (Roy 2022, Section 4) as a uniformly random matrix over F_2:
 * 128 combinations of all transfers, each plus one of the last 128, which nobody uses and which
 * therefore mask it. Two different columns agree under it with probability 2^-128.
 *
 * Bit j of word 128 * g + a says whether row 32 * g + j belongs to combination a.
 */
export function checkMatrix(key: Bytes, words: number): Uint32Array<ArrayBuffer> {
  const rows = words * 32 - CHECK_ROWS
  return wordsOf(aes128KeyStream(key, (rows / 8) * CHECK_ROWS))
}

// All sums of four rows each, for the eight fours of 32 rows.
const FOURS = 8
const TABLE_WORDS = 16 * ROW_WORDS
const NIBBLE = 15 * ROW_WORDS

/**
 * The 128 combinations of the rows, four words each. The matrix is public, so it may be an index.
 * Signed words, since an engine may take unsigned ones above 2^31 for doubles.
 */
export function combineRows(
  matrix: Uint32Array<ArrayBuffer>,
  rows: Uint32Array<ArrayBuffer>,
): Uint32Array<ArrayBuffer> {
  const masks = rows.length - CHECK_ROWS * ROW_WORDS
  const combined = new Uint32Array(rows.subarray(masks))
  const sums = new Int32Array(FOURS * TABLE_WORDS)
  const [which, from, to] = [matrix, rows, combined].map(signed) as [Words, Words, Words]
  for (let start = 0, at = 0; start < masks; start += 32 * ROW_WORDS) {
    for (let four = 0; four < FOURS; four++) sumsOfFour(from, start, four, sums)
    for (let a = 0; a < CHECK_ROWS; a++, at++) addChosen(sums, which[at]!, to, a * ROW_WORDS)
  }
  sums.fill(0)
  return combined
}

type Words = Int32Array<ArrayBuffer>

function signed(words: Uint32Array<ArrayBuffer>): Words {
  return new Int32Array(words.buffer, words.byteOffset, words.length)
}

function sumsOfFour(rows: Words, from: number, four: number, sums: Words): void {
  const start = four * TABLE_WORDS
  for (let k = 0; k < 4; k++) {
    const size = ROW_WORDS << k
    const row = from + (four * 4 + k) * ROW_WORDS
    for (let at = start; at < start + size; at++) {
      sums[at + size] = sums[at]! ^ rows[row + (at & (ROW_WORDS - 1))]!
    }
  }
}

/** Adds the rows that the bits of `which` choose, four at a time, to the four words at `to`. */
function addChosen(s: Words, which: number, combined: Words, to: number): void {
  const a = (which << 2) & NIBBLE
  const b = ((which >>> 2) & NIBBLE) + TABLE_WORDS
  const c = ((which >>> 6) & NIBBLE) + 2 * TABLE_WORDS
  const d = ((which >>> 10) & NIBBLE) + 3 * TABLE_WORDS
  const e = ((which >>> 14) & NIBBLE) + 4 * TABLE_WORDS
  const f = ((which >>> 18) & NIBBLE) + 5 * TABLE_WORDS
  const g = ((which >>> 22) & NIBBLE) + 6 * TABLE_WORDS
  const h = ((which >>> 26) & NIBBLE) + 7 * TABLE_WORDS
  combined[to]! ^= s[a]! ^ s[b]! ^ s[c]! ^ s[d]! ^ s[e]! ^ s[f]! ^ s[g]! ^ s[h]!
  combined[to + 1]! ^=
    s[a + 1]! ^ s[b + 1]! ^ s[c + 1]! ^ s[d + 1]! ^ s[e + 1]! ^ s[f + 1]! ^ s[g + 1]! ^ s[h + 1]!
  combined[to + 2]! ^=
    s[a + 2]! ^ s[b + 2]! ^ s[c + 2]! ^ s[d + 2]! ^ s[e + 2]! ^ s[f + 2]! ^ s[g + 2]! ^ s[h + 2]!
  combined[to + 3]! ^=
    s[a + 3]! ^ s[b + 3]! ^ s[c + 3]! ^ s[d + 3]! ^ s[e + 3]! ^ s[f + 3]! ^ s[g + 3]! ^ s[h + 3]!
}

/** The same 128 combinations of one column of bits, as 16 bytes. */
export function combineBits(matrix: Uint32Array, bits: Bytes): Bytes {
  const words = wordsOf(bits)
  const unmasked = words.length - CHECK_ROWS / 32
  const sums = new Uint32Array(CHECK_ROWS)
  for (let group = 0, at = 0; group < unmasked; group++) {
    const word = words[group]!
    for (let a = 0; a < CHECK_ROWS; a++, at++) sums[a]! ^= matrix[at]! & word
  }
  const combined = words.slice(unmasked)
  for (let a = 0; a < CHECK_ROWS; a++) combined[a >> 5]! ^= parity(sums[a]!) << (a & 31)
  sums.fill(0)
  return bytesOf(combined)
}

function parity(word: number): number {
  const half = word ^ (word >>> 16)
  const byte = half ^ (half >>> 8)
  const nibble = byte ^ (byte >>> 4)
  // Bit n of 0x6996 is the parity of the four bits of n.
  return (0x6996 >>> (nibble & 15)) & 1
}
