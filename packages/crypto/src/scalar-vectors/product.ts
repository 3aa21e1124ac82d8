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

/** sums += a * b, column by column, for the twelve limbs of `a` from `at` and those of `b`. */
export function addProduct(sums: Float64Array, a: Float64Array, at: number, b: Float64Array): void {
  const a0 = a[at + 0]!
  const a1 = a[at + 1]!
  const a2 = a[at + 2]!
  const a3 = a[at + 3]!
  const a4 = a[at + 4]!
  const a5 = a[at + 5]!
  const a6 = a[at + 6]!
  const a7 = a[at + 7]!
  const a8 = a[at + 8]!
  const a9 = a[at + 9]!
  const a10 = a[at + 10]!
  const a11 = a[at + 11]!
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
  sums[0]! += a0 * b0
  sums[1]! += a0 * b1 + a1 * b0
  sums[2]! += a0 * b2 + a1 * b1 + a2 * b0
  sums[3]! += a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0
  sums[4]! += a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0
  sums[5]! += a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0
  sums[6]! += a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1 + a6 * b0
  sums[7]! += a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2 + a6 * b1 + a7 * b0
  sums[8]! +=
    a0 * b8 + a1 * b7 + a2 * b6 + a3 * b5 + a4 * b4 + a5 * b3 + a6 * b2 + a7 * b1 + a8 * b0
  sums[9]! +=
    a0 * b9 +
    a1 * b8 +
    a2 * b7 +
    a3 * b6 +
    a4 * b5 +
    a5 * b4 +
    a6 * b3 +
    a7 * b2 +
    a8 * b1 +
    a9 * b0
  sums[10]! +=
    a0 * b10 +
    a1 * b9 +
    a2 * b8 +
    a3 * b7 +
    a4 * b6 +
    a5 * b5 +
    a6 * b4 +
    a7 * b3 +
    a8 * b2 +
    a9 * b1 +
    a10 * b0
  sums[11]! +=
    a0 * b11 +
    a1 * b10 +
    a2 * b9 +
    a3 * b8 +
    a4 * b7 +
    a5 * b6 +
    a6 * b5 +
    a7 * b4 +
    a8 * b3 +
    a9 * b2 +
    a10 * b1 +
    a11 * b0
  sums[12]! +=
    a1 * b11 +
    a2 * b10 +
    a3 * b9 +
    a4 * b8 +
    a5 * b7 +
    a6 * b6 +
    a7 * b5 +
    a8 * b4 +
    a9 * b3 +
    a10 * b2 +
    a11 * b1
  sums[13]! +=
    a2 * b11 +
    a3 * b10 +
    a4 * b9 +
    a5 * b8 +
    a6 * b7 +
    a7 * b6 +
    a8 * b5 +
    a9 * b4 +
    a10 * b3 +
    a11 * b2
  sums[14]! +=
    a3 * b11 + a4 * b10 + a5 * b9 + a6 * b8 + a7 * b7 + a8 * b6 + a9 * b5 + a10 * b4 + a11 * b3
  sums[15]! += a4 * b11 + a5 * b10 + a6 * b9 + a7 * b8 + a8 * b7 + a9 * b6 + a10 * b5 + a11 * b4
  sums[16]! += a5 * b11 + a6 * b10 + a7 * b9 + a8 * b8 + a9 * b7 + a10 * b6 + a11 * b5
  sums[17]! += a6 * b11 + a7 * b10 + a8 * b9 + a9 * b8 + a10 * b7 + a11 * b6
  sums[18]! += a7 * b11 + a8 * b10 + a9 * b9 + a10 * b8 + a11 * b7
  sums[19]! += a8 * b11 + a9 * b10 + a10 * b9 + a11 * b8
  sums[20]! += a9 * b11 + a10 * b10 + a11 * b9
  sums[21]! += a10 * b11 + a11 * b10
  sums[22]! += a11 * b11
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
