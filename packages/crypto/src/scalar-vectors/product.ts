import {
  LIMB_BITS,
  LIMBS,
  limbsOfInteger,
  ORDER,
  RADIX,
  RADIX_INVERSE,
  reduceSums,
  type Words,
} from "./limbs.ts"

/** Columns of a sum of products: 24 limbs hold up to 2^16 products below 2^512. */
export const COLUMNS = 2 * LIMBS
/** Products that may be added before `carryColumns`: each adds less than 12 * 2^44 to a column. */
export const PRODUCTS_BETWEEN_CARRIES = 32

const HALF = LIMBS / 2

/** sums += a * b, column by column, for the twelve limbs of `a` from `at` and those of `b`. */
export function addProduct(sums: Float64Array, a: Float64Array, at: number, b: Float64Array): void {
  addHalf(sums, 0, a, at, b)
  addHalf(sums, HALF, a, at + HALF, b)
}

/** The same for six limbs of `a`, to the columns from `to`. */
function addHalf(
  sums: Float64Array,
  to: number,
  a: Float64Array,
  at: number,
  b: Float64Array,
): void {
  const a0 = a[at]!
  const a1 = a[at + 1]!
  const a2 = a[at + 2]!
  const a3 = a[at + 3]!
  const a4 = a[at + 4]!
  const a5 = a[at + 5]!
  const b0 = b[0]!
  const b1 = b[1]!
  const b2 = b[2]!
  const b3 = b[3]!
  const b4 = b[4]!
  const b5 = b[5]!
  const b6 = b[6]!
  const b7 = b[7]!
  const b8 = b[8]!
  const b9 = b[9]!
  const b10 = b[10]!
  const b11 = b[11]!
  sums[to]! += a0 * b0
  sums[to + 1]! += a0 * b1 + a1 * b0
  sums[to + 2]! += a0 * b2 + a1 * b1 + a2 * b0
  sums[to + 3]! += a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0
  sums[to + 4]! += a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0
  sums[to + 5]! += a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0
  sums[to + 6]! += a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1
  sums[to + 7]! += a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2
  sums[to + 8]! += a0 * b8 + a1 * b7 + a2 * b6 + a3 * b5 + a4 * b4 + a5 * b3
  sums[to + 9]! += a0 * b9 + a1 * b8 + a2 * b7 + a3 * b6 + a4 * b5 + a5 * b4
  sums[to + 10]! += a0 * b10 + a1 * b9 + a2 * b8 + a3 * b7 + a4 * b6 + a5 * b5
  sums[to + 11]! += a0 * b11 + a1 * b10 + a2 * b9 + a3 * b8 + a4 * b7 + a5 * b6
  sums[to + 12]! += a1 * b11 + a2 * b10 + a3 * b9 + a4 * b8 + a5 * b7
  sums[to + 13]! += a2 * b11 + a3 * b10 + a4 * b9 + a5 * b8
  sums[to + 14]! += a3 * b11 + a4 * b10 + a5 * b9
  sums[to + 15]! += a4 * b11 + a5 * b10
  sums[to + 16]! += a5 * b11
}

/** Carries through all columns, so that each but the last is below 2^22 again. */
export function carryColumns(sums: Float64Array): void {
  let excess = 0
  for (let k = 0; k < COLUMNS - 1; k++) {
    const sum = sums[k]! + excess
    excess = Math.floor(sum * RADIX_INVERSE)
    sums[k] = sum - excess * RADIX
  }
  sums[COLUMNS - 1]! += excess
}

/**
 * A public factor f prepared for many products: entry 12 k + i is limb k of f * 2^(22 i) mod q, so
 * that a product is a matrix-vector product and comes out almost reduced.
 */
export type Factor = Float64Array<ArrayBuffer>

export function factorOf(value: bigint): Factor {
  const factor = new Float64Array(LIMBS * LIMBS)
  let shifted = value
  for (let i = 0; i < LIMBS; i++) {
    const limbs = limbsOfInteger(shifted)
    for (let k = 0; k < LIMBS; k++) factor[k * LIMBS + i] = limbs[k]!
    shifted = (shifted << BigInt(LIMB_BITS)) % ORDER
  }
  return factor
}

const HIGH_HALF = factorOf((1n << BigInt(LIMB_BITS * LIMBS)) % ORDER)

/** The sum of products modulo q, canonically, to the words at `at`. Overwrites the sums. */
export function reduceColumns(sums: Float64Array, words: Words, at: number): void {
  carryColumns(sums)
  // low + high * 2^264
  for (let k = 0; k < LIMBS; k++) {
    let sum = sums[k]!
    for (let i = 0; i < LIMBS; i++) sum += sums[LIMBS + i]! * HIGH_HALF[k * LIMBS + i]!
    sums[k] = sum
  }
  const limbs = new Int32Array(LIMBS)
  reduceSums(sums, limbs, words, at)
  limbs.fill(0)
}

/** sums += x * f. */
export function addMultiple(sums: Float64Array, x: Float64Array, f: Factor): void {
  const x0 = x[0]!
  const x1 = x[1]!
  const x2 = x[2]!
  const x3 = x[3]!
  const x4 = x[4]!
  const x5 = x[5]!
  const x6 = x[6]!
  const x7 = x[7]!
  const x8 = x[8]!
  const x9 = x[9]!
  const x10 = x[10]!
  const x11 = x[11]!
  for (let k = 0, at = 0; k < LIMBS; k++, at += LIMBS) {
    const lower =
      x0 * f[at]! +
      x1 * f[at + 1]! +
      x2 * f[at + 2]! +
      x3 * f[at + 3]! +
      x4 * f[at + 4]! +
      x5 * f[at + 5]!
    const upper =
      x6 * f[at + 6]! +
      x7 * f[at + 7]! +
      x8 * f[at + 8]! +
      x9 * f[at + 9]! +
      x10 * f[at + 10]! +
      x11 * f[at + 11]!
    sums[k]! += lower + upper
  }
}
