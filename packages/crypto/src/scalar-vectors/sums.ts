import type { Bytes } from "@lockkeeper/encoding"
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
  addProduct,
  COLUMNS,
  carryColumns,
  type Factor,
  factorOf,
  PRODUCTS_BETWEEN_CARRIES,
  reduceColumns,
} from "./product.ts"
import { readWords, writeWords } from "./rest.ts"

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
function limbsOfScalar(scalar: Scalar): Int32Array<ArrayBuffer> {
  const words = readWords(scalar)
  const limbs = new Int32Array(LIMBS)
  unpack(words, 0, limbs)
  words.fill(0)
  return limbs
}

function toBytes(words: Words): Bytes {
  const bytes = new Uint8Array(words.length * 4)
  writeWords(words, bytes)
  words.fill(0)
  return bytes
}

// Added to a difference of two values below 2^256 to keep it positive.
const TWICE_ORDER = limbsOfInteger(2n * ORDER)

/** minuends[j] - subtrahends[j] + addends[j mod addends.length] mod q, canonical and big-endian. */
export function differencesPlus(
  minuends: Words,
  subtrahends: Words,
  addends: readonly Scalar[],
): Bytes {
  const added = addends.map((addend) =>
    limbsOfScalar(addend).map((limb, k) => limb + TWICE_ORDER[k]!),
  )
  const [total, other] = [new Int32Array(LIMBS), new Int32Array(LIMBS)]
  const words = new Uint32Array(minuends.length)
  let turn = 0
  for (let at = 0; at < words.length; at += WORDS) {
    const addend = added[turn]!
    turn = turn + 1 === added.length ? 0 : turn + 1
    unpack(minuends, at, total)
    unpack(subtrahends, at, other)
    for (let k = 0; k < LIMBS; k++) total[k] = total[k]! - other[k]! + addend[k]!
    reduce(total, words, at)
  }
  for (const spent of [total, other, ...added]) spent.fill(0)
  return toBytes(words)
}

/** Sum over j of weights[j] * values[width * j + column], modulo q. At most 2^16 terms. */
export function weightedSum(
  weights: ScalarWeights,
  values: Words,
  width: number,
  column: number,
): Scalar {
  const sums = new Float64Array(COLUMNS)
  const limbs = new Int32Array(LIMBS)
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
  return toBytes(words) as Scalar
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
  return toBytes(words) as Scalar
}

/** What `combineTriples` takes from the rows whose bit is one. */
export interface Subtrahend {
  readonly value: Scalar
  readonly bits: Uint8Array
}

const ORDER_LIMBS = limbsOfInteger(ORDER)

/**
 * For each row (x, y, z) of `values`: f * x + g * y + z, less the subtrahend where its bit is one,
 * modulo q, canonical and big-endian. The factors are public; values and bits may be secret.
 */
export function combineTriples(
  values: Words,
  factors: readonly [Factor, Factor],
  subtrahend: Subtrahend | null,
): Bytes {
  const [f, g] = factors
  const rows = values.length / (3 * WORDS)
  const limbs = new Int32Array(LIMBS)
  const x = new Float64Array(LIMBS)
  const y = new Float64Array(LIMBS)
  const sums = new Float64Array(LIMBS)
  // q - value, so that nothing turns negative.
  const value = limbsOfScalar(subtrahend?.value ?? secp256k1.zero)
  const added = Float64Array.from(value, (limb, k) => ORDER_LIMBS[k]! - limb)
  const bits = subtrahend?.bits ?? new Uint8Array(Math.ceil(rows / 8))
  const words = new Uint32Array(rows * WORDS)
  for (let row = 0; row < rows; row++) {
    const selected = (bits[row >> 3]! >> (row & 7)) & 1
    const at = 3 * WORDS * row
    unpack(values, at, limbs)
    for (let k = 0; k < LIMBS; k++) x[k] = limbs[k]!
    unpack(values, at + WORDS, limbs)
    for (let k = 0; k < LIMBS; k++) y[k] = limbs[k]!
    unpack(values, at + 2 * WORDS, limbs)
    for (let k = 0; k < LIMBS; k++) sums[k] = limbs[k]! + selected * added[k]!
    addProducts(sums, x, f, y, g)
    reduceSums(sums, limbs, words, row * WORDS)
  }
  for (const spent of [limbs, x, y, sums, value, added]) spent.fill(0)
  return toBytes(words)
}

/** sums += x * f + y * g. */
function addProducts(
  sums: Float64Array,
  x: Float64Array,
  f: Factor,
  y: Float64Array,
  g: Factor,
): void {
  for (let k = 0; k < LIMBS; k++) {
    let sum = sums[k]!
    for (let i = 0; i < LIMBS; i++) {
      const entry = k * LIMBS + i
      sum += x[i]! * f[entry]! + y[i]! * g[entry]!
    }
    sums[k] = sum
  }
}
