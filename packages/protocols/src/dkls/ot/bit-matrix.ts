import { OT_COUNT } from "./sizes.ts"

/** Words of a row: one bit for each of the 128 columns. */
export const ROW_WORDS = OT_COUNT / 32

const block = new Uint32Array(32)

/** Transposes the 32 by 32 bits of `block`, least significant bit first, in place. */
function transposeBlock(): void {
  let mask = 0x0000ffff
  for (let width = 16; width > 0; width >>= 1) {
    for (let k = 0; k < 32; k = (k + width + 1) & ~width) {
      const low = block[k]!
      const high = block[k + width]!
      const swap = ((low >>> width) ^ high) & mask
      block[k] = low ^ (swap << width)
      block[k + width] = high ^ swap
    }
    mask ^= mask << (width >> 1)
  }
}

/**
 * The rows of a matrix given as 128 columns of `words` words each: bit c of row j is bit j of
 * column c. Four words a row. The same steps for every content.
 */
export function rowsOf(columns: Uint32Array, words: number): Uint32Array<ArrayBuffer> {
  const rows = new Uint32Array(words * 32 * ROW_WORDS)
  for (let group = 0; group < ROW_WORDS; group++) {
    for (let word = 0; word < words; word++) {
      let from = group * 32 * words + word
      for (let k = 0; k < 32; k++, from += words) block[k] = columns[from]!
      transposeBlock()
      let to = word * 32 * ROW_WORDS + group
      for (let k = 0; k < 32; k++, to += ROW_WORDS) rows[to] = block[k]!
    }
  }
  block.fill(0)
  return rows
}
