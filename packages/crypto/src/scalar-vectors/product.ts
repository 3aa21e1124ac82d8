import {
  LIMB_BITS,
  LIMBS,
  limbsOfInteger,
  ORDER,
  RADIX,
  RADIX_INVERSE,
  reduce,
  type Words,
} from "./limbs.ts"

/** Columns of a sum of products: 24 limbs hold up to 2^16 products below 2^512. */
export const COLUMNS = 2 * LIMBS
/** Products that may be added before `carryColumns`: each adds less than 12 * 2^44 to a column. */
export const PRODUCTS_BETWEEN_CARRIES = 32

/** sums += a * b, column by column, for the twelve limbs of `a` from `at` and those of `b`. */
export function addProduct(sums: Float64Array, a: Float64Array, at: number, b: Float64Array): void {
  for (let i = 0; i < LIMBS; i++) {
    const factor = a[at + i] as number
    for (let j = 0; j < LIMBS; j++) {
      sums[i + j] = (sums[i + j] as number) + factor * (b[j] as number)
    }
  }
}

/** Carries through all columns, so that each but the last is below 2^22 again. */
export function carryColumns(sums: Float64Array): void {
  let excess = 0
  for (let k = 0; k < COLUMNS - 1; k++) {
    const sum = (sums[k] as number) + excess
    excess = Math.floor(sum * RADIX_INVERSE)
    sums[k] = sum - excess * RADIX
  }
  sums[COLUMNS - 1] = (sums[COLUMNS - 1] as number) + excess
}

/**
 * A public factor f prepared for many products: column k of row i is limb k of f * 2^(22 i) mod q,
 * so that a product is one matrix-vector product and comes out almost reduced.
 */
export type Factor = Float64Array<ArrayBuffer>

export function factorOf(value: bigint): Factor {
  const factor = new Float64Array(LIMBS * LIMBS)
  for (let i = 0; i < LIMBS; i++) {
    const limbs = limbsOfInteger((value << BigInt(LIMB_BITS * i)) % ORDER)
    // Column by column, in the order in which it is read.
    for (let k = 0; k < LIMBS; k++) factor[k * LIMBS + i] = limbs[k] as number
  }
  return factor
}

const HIGH_HALF = factorOf(1n << BigInt(LIMB_BITS * LIMBS))

/** The sum of products modulo q, canonically, to the words at `at`. Overwrites the sums. */
export function reduceColumns(sums: Float64Array, words: Words, at: number): void {
  carryColumns(sums)
  const low = sums.subarray(0, LIMBS)
  const high = sums.subarray(LIMBS)
  // low + high * 2^264
  const total = new Float64Array(LIMBS)
  for (let k = 0; k < LIMBS; k++) {
    let sum = low[k] as number
    for (let i = 0; i < LIMBS; i++) {
      sum += (high[i] as number) * (HIGH_HALF[k * LIMBS + i] as number)
    }
    total[k] = sum
  }
  reduce(total, words, at)
  total.fill(0)
}
