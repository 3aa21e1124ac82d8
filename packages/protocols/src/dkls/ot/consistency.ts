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
 */
export function combineRows(matrix: Uint32Array, rows: Uint32Array): Uint32Array<ArrayBuffer> {
  const masks = rows.length - CHECK_ROWS * ROW_WORDS
  const combined = new Uint32Array(rows.subarray(masks))
  const sums = new Uint32Array(FOURS * TABLE_WORDS)
  for (let from = 0, at = 0; from < masks; from += 32 * ROW_WORDS, at += CHECK_ROWS) {
    for (let four = 0; four < FOURS; four++) sumsOfFour(rows, from, four, sums)
    for (let a = 0; a < CHECK_ROWS; a++) addChosen(sums, matrix[at + a]!, combined, a * ROW_WORDS)
  }
  sums.fill(0)
  return combined
}

function sumsOfFour(rows: Uint32Array, from: number, four: number, sums: Uint32Array): void {
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
function addChosen(sums: Uint32Array, which: number, combined: Uint32Array, to: number): void {
  const t0 = (which << 2) & NIBBLE
  const t1 = ((which >>> 2) & NIBBLE) + TABLE_WORDS
  const t2 = ((which >>> 6) & NIBBLE) + 2 * TABLE_WORDS
  const t3 = ((which >>> 10) & NIBBLE) + 3 * TABLE_WORDS
  const t4 = ((which >>> 14) & NIBBLE) + 4 * TABLE_WORDS
  const t5 = ((which >>> 18) & NIBBLE) + 5 * TABLE_WORDS
  const t6 = ((which >>> 22) & NIBBLE) + 6 * TABLE_WORDS
  const t7 = ((which >>> 26) & NIBBLE) + 7 * TABLE_WORDS
  for (let w = 0; w < ROW_WORDS; w++) {
    const low = sums[t0 + w]! ^ sums[t1 + w]! ^ sums[t2 + w]! ^ sums[t3 + w]!
    const high = sums[t4 + w]! ^ sums[t5 + w]! ^ sums[t6 + w]! ^ sums[t7 + w]!
    combined[to + w]! ^= low ^ high
  }
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
