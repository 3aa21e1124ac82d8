import type { Scalar } from "../groups/group.ts"
import { secp256k1 } from "../groups/secp256k1.ts"
import {
  LIMBS,
  limbsOfInteger,
  ORDER,
  reduce,
  reduceSums,
  unpack,
  WORDS,
  type Words,
} from "./limbs.ts"
import {
  addMultiple,
  addProduct,
  COLUMNS,
  carryColumns,
  type Factor,
  factorOf,
  PRODUCTS_BETWEEN_CARRIES,
  reduceColumns,
} from "./product.ts"
import { scalarOfWords, wordsOfScalar } from "./rest.ts"

/** Public scalars as limbs, for `weightedSum` and `selectedSum`. */
export type ScalarWeights = Float64Array<ArrayBuffer>

export function scalarWeights(scalars: readonly Scalar[]): ScalarWeights {
  const weights = new Float64Array(scalars.length * LIMBS)
  scalars.forEach((scalar, j) => {
    weights.set(limbsOfInteger(secp256k1.scalarToInteger(scalar)), j * LIMBS)
  })
  return weights
}

/** A public scalar prepared for `combineTriples`. */
export function factorOfScalar(scalar: Scalar): Factor {
  return factorOf(secp256k1.scalarToInteger(scalar))
}

/** One scalar as limbs; it may be secret. */
function limbsOfScalar(scalar: Scalar): Float64Array<ArrayBuffer> {
  const words = wordsOfScalar(scalar)
  const limbs = new Float64Array(LIMBS)
  unpack(words, 0, limbs)
  words.fill(0)
  return limbs
}

function toScalar(words: Words): Scalar {
  const scalar = scalarOfWords(words, 0)
  words.fill(0)
  return scalar as Scalar
}

// Added to a difference of two values below 2^256 to keep it positive.
const TWICE_ORDER = limbsOfInteger(2n * ORDER)

/**
 * minuends[j] - subtrahends[j] + addends[j mod addends.length] modulo q, canonically, in place of
 * the subtrahends.
 */
export function subtractAndAdd(
  minuends: Words,
  subtrahends: Words,
  addends: readonly Scalar[],
): void {
  const added = addends.map((addend) =>
    limbsOfScalar(addend).map((limb, k) => limb + TWICE_ORDER[k]!),
  )
  const minuend = new Float64Array(LIMBS)
  const subtrahend = new Float64Array(LIMBS)
  const total = new Int32Array(LIMBS)
  let turn = 0
  for (let at = 0; at < minuends.length; at += WORDS) {
    const addend = added[turn]!
    turn = turn + 1 === added.length ? 0 : turn + 1
    unpack(minuends, at, minuend)
    unpack(subtrahends, at, subtrahend)
    for (let k = 0; k < LIMBS; k++) total[k] = minuend[k]! - subtrahend[k]! + addend[k]!
    reduce(total, subtrahends, at)
  }
  for (const spent of [minuend, subtrahend, total, ...added]) spent.fill(0)
}

/** Sum over j of weights[j] * values[width * j + column], modulo q. At most 2^16 terms. */
export function weightedSum(
  weights: ScalarWeights,
  values: Words,
  width: number,
  column: number,
): Scalar {
  const sums = new Float64Array(COLUMNS)
  const limbs = new Float64Array(LIMBS)
  const rows = values.length / (WORDS * width)
  for (let row = 0; row < rows; row++) {
    unpack(values, (row * width + column) * WORDS, limbs)
    addProduct(sums, weights, row * LIMBS, limbs)
    if (row % PRODUCTS_BETWEEN_CARRIES === PRODUCTS_BETWEEN_CARRIES - 1) carryColumns(sums)
  }
  const words = new Uint32Array(WORDS)
  reduceColumns(sums, words, 0)
  sums.fill(0)
  limbs.fill(0)
  return toScalar(words)
}

/** Sum of the weights whose bit is one, modulo q. At most 2^16 weights. */
export function selectedSum(weights: ScalarWeights, bits: Uint8Array): Scalar {
  const sums = new Float64Array(LIMBS)
  const limbs = new Int32Array(LIMBS)
  const count = weights.length / LIMBS
  for (let j = 0; j < count; j++) {
    const selected = (bits[j >> 3]! >> (j & 7)) & 1
    for (let k = 0; k < LIMBS; k++) sums[k]! += selected * weights[j * LIMBS + k]!
  }
  const words = new Uint32Array(WORDS)
  reduceSums(sums, limbs, words, 0)
  sums.fill(0)
  limbs.fill(0)
  return toScalar(words)
}

/** What `combineTriples` takes from the rows whose bit is one. */
export interface Subtrahend {
  /** One value below q. */
  readonly value: Words
  readonly bits: Uint8Array
}

const ORDER_LIMBS = limbsOfInteger(ORDER)

/**
 * For each row (x, y, z) of `values`: f * x + g * y + z, less the subtrahend where its bit is one,
 * modulo q, canonically, to `results`. The factors are public; values and bits may be secret.
 */
export function combineTriples(
  values: Words,
  factors: readonly [Factor, Factor],
  subtrahend: Subtrahend | null,
  results: Words,
): void {
  const [f, g] = factors
  const rows = values.length / (3 * WORDS)
  const limbs = new Int32Array(LIMBS)
  const x = new Float64Array(LIMBS)
  const y = new Float64Array(LIMBS)
  const sums = new Float64Array(LIMBS)
  // q - value, so that nothing turns negative.
  const value = new Float64Array(LIMBS)
  if (subtrahend !== null) unpack(subtrahend.value, 0, value)
  const added = value.map((limb, k) => ORDER_LIMBS[k]! - limb)
  const bits = subtrahend?.bits ?? new Uint8Array(Math.ceil(rows / 8))
  for (let row = 0; row < rows; row++) {
    const selected = (bits[row >> 3]! >> (row & 7)) & 1
    const at = 3 * WORDS * row
    unpack(values, at, x)
    unpack(values, at + WORDS, y)
    unpack(values, at + 2 * WORDS, sums)
    for (let k = 0; k < LIMBS; k++) sums[k]! += selected * added[k]!
    addMultiple(sums, x, f)
    addMultiple(sums, y, g)
    reduceSums(sums, limbs, results, row * WORDS)
  }
  for (const spent of [limbs, x, y, sums, value, added]) spent.fill(0)
}
