import { aes128KeyStream } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { ROW_WORDS } from "./bit-matrix.ts"
import { CHECK_ROWS, OT_COUNT } from "./sizes.ts"

/**
 * The universal hash of SoftSpokenOT (Roy 2022, Section 4) as a uniformly random matrix over F_2:
 * 128 combinations of all transfers, each plus one of the last 128, which nobody uses and which
 * therefore mask it. Two different columns agree under it with probability 2^-128.
 *
 * Byte g * 128 + a of `matrix` says which of rows 8g to 8g + 7 belong to combination a.
 */
export function checkMatrix(key: Bytes, words: number): Bytes {
  return aes128KeyStream(key, (words * 32 - CHECK_ROWS) * (OT_COUNT / 8))
}

/** The 128 combinations of the rows, four words each. The matrix is public, so it may be an index. */
export function combineRows(matrix: Bytes, rows: Uint32Array): Uint32Array<ArrayBuffer> {
  const masks = rows.length - CHECK_ROWS * ROW_WORDS
  const combined = new Uint32Array(rows.subarray(masks))
  // All sums of four rows, for the lower and the upper half of a byte.
  const low = new Uint32Array(16 * ROW_WORDS)
  const high = new Uint32Array(16 * ROW_WORDS)
  for (let from = 0, bytes = 0; from < masks; from += 8 * ROW_WORDS, bytes += CHECK_ROWS) {
    sumsOfFour(rows, from, low)
    sumsOfFour(rows, from + 4 * ROW_WORDS, high)
    for (let a = 0; a < CHECK_ROWS; a++) {
      const which = matrix[bytes + a] as number
      const l = (which & 15) * ROW_WORDS
      const h = (which >> 4) * ROW_WORDS
      const to = a * ROW_WORDS
      for (let w = 0; w < ROW_WORDS; w++) {
        combined[to + w] =
          (combined[to + w] as number) ^ (low[l + w] as number) ^ (high[h + w] as number)
      }
    }
  }
  low.fill(0)
  high.fill(0)
  return combined
}

function sumsOfFour(rows: Uint32Array, from: number, sums: Uint32Array): void {
  for (let k = 0; k < 4; k++) {
    const size = ROW_WORDS << k
    const row = from + k * ROW_WORDS
    for (let at = 0; at < size; at++) {
      sums[size + at] = (sums[at] as number) ^ (rows[row + (at & (ROW_WORDS - 1))] as number)
    }
  }
}

/** The same 128 combinations of one column of bits, as 16 bytes. */
export function combineBits(matrix: Bytes, bits: Uint8Array): Bytes {
  const unmasked = bits.length - CHECK_ROWS / 8
  const sums = new Uint8Array(CHECK_ROWS)
  for (let group = 0, at = 0; group < unmasked; group++) {
    const byte = bits[group] as number
    for (let a = 0; a < CHECK_ROWS; a++, at++) {
      sums[a] = (sums[a] as number) ^ ((matrix[at] as number) & byte)
    }
  }
  const combined = new Uint8Array(bits.subarray(unmasked))
  for (let a = 0; a < CHECK_ROWS; a++) {
    const byte = sums[a] as number
    const half = byte ^ (byte >> 4)
    const parity = (0x6996 >> (half & 15)) & 1
    combined[a >> 3] = (combined[a >> 3] as number) ^ (parity << (a & 7))
  }
  sums.fill(0)
  return combined
}
