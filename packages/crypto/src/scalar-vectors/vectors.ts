import type { Bytes } from "@lockkeeper/encoding"
import type { Scalar } from "../groups/group.ts"
import { secp256k1 } from "../groups/secp256k1.ts"
import {
  LIMBS,
  limbsOfInteger,
  ORDER,
  reduce,
  TWICE_ORDER,
  unpack,
  WORDS,
  type Words,
} from "./limbs.ts"
import {
  addProduct,
  COLUMNS,
  carryColumns,
  PRODUCTS_BETWEEN_CARRIES,
  reduceColumns,
} from "./product.ts"

const SCALAR_LENGTH = 32

/** Public scalars as limbs, for `weightedSum` and `selectedSum`. */
export type ScalarWeights = Float64Array<ArrayBuffer>

export function scalarWeights(scalars: readonly Scalar[]): ScalarWeights {
  const weights = new Float64Array(scalars.length * LIMBS)
  scalars.forEach((scalar, j) => {
    weights.set(limbsOfInteger(secp256k1.scalarToInteger(scalar)), j * LIMBS)
  })
  return weights
}

/** One scalar as limbs; it may be secret. */
export function limbsOfScalar(scalar: Uint8Array): Float64Array<ArrayBuffer> {
  const words = new Uint32Array(WORDS)
  readWords(scalar, words)
  const limbs = new Float64Array(LIMBS)
  unpack(words, 0, limbs)
  words.fill(0)
  return limbs
}

function readWords(bytes: Uint8Array, words: Words): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < words.length; at += WORDS) {
    const start = at * 4
    for (let w = 0; w < WORDS; w++) words[at + w] = view.getUint32(start + 28 - 4 * w)
  }
}

/** The values at rest as 32 big-endian bytes each; canonical if they are below q. */
export function toCanonical(words: Words, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < words.length; at += WORDS) {
    const start = at * 4
    for (let w = 0; w < WORDS; w++) view.setUint32(start + 28 - 4 * w, words[at + w] as number)
  }
}

const ORDER_WORDS = Uint32Array.from({ length: WORDS }, (_, w) =>
  Number((ORDER >> BigInt(32 * w)) & 0xffff_ffffn),
)

/** The 32-byte big-endian scalars in `bytes`, or null when one of them is not below q. */
export function readCanonical(bytes: Uint8Array): Words | null {
  const words = new Uint32Array(bytes.length / 4)
  readWords(bytes, words)
  let allBelow = 1
  for (let at = 0; at < words.length; at += WORDS) {
    // The borrow out of v - q: one exactly when v is below q.
    let borrow = 0
    for (let w = 0; w < WORDS; w++) {
      const difference = (words[at + w] as number) - (ORDER_WORDS[w] as number) - borrow
      borrow = difference < 0 ? 1 : 0
    }
    allBelow &= borrow
  }
  return allBelow === 1 ? words : null
}

function toScalar(words: Words): Scalar {
  const scalar = new Uint8Array(SCALAR_LENGTH)
  toCanonical(words, scalar)
  words.fill(0)
  return scalar as Bytes as Scalar
}

/** minuends[j] - subtrahends[j] + addends[j mod addends.length] mod q, canonical and big-endian. */
export function differencesPlus(
  minuends: Words,
  subtrahends: Words,
  addends: readonly Scalar[],
): Bytes {
  const added = addends.map((addend) => {
    // Twice the order keeps the difference of two values below 2^256 positive.
    return limbsOfScalar(addend).map((limb, k) => limb + (TWICE_ORDER[k] as number))
  })
  const [total, other] = [new Float64Array(LIMBS), new Float64Array(LIMBS)]
  const words = new Uint32Array(minuends.length)
  let turn = 0
  for (let at = 0; at < words.length; at += WORDS) {
    unpack(minuends, at, total)
    unpack(subtrahends, at, other)
    const addend = added[turn] as Float64Array
    turn = turn + 1 === added.length ? 0 : turn + 1
    for (let k = 0; k < LIMBS; k++) {
      total[k] = (total[k] as number) - (other[k] as number) + (addend[k] as number)
    }
    reduce(total, words, at)
  }
  const bytes = new Uint8Array(words.length * 4)
  toCanonical(words, bytes)
  for (const spent of [total, other, words, ...added]) spent.fill(0)
  return bytes
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
    const selected = ((bits[row >> 3] as number) >> (row & 7)) & 1
    const mask = -selected
    const end = (row + 1) * width * WORDS
    for (let at = row * width * WORDS; at < end; at += WORDS)
      addMasked(values, corrections, at, mask)
  }
}

const COMPLEMENT_WORDS = Uint32Array.from({ length: WORDS }, (_, w) =>
  Number((((1n << 256n) - ORDER) >> BigInt(32 * w)) & 0xffff_ffffn),
)

/** values += mask & corrections; a carry out of 256 bits comes back as 2^256 - q, and only once. */
function addMasked(values: Words, corrections: Words, at: number, mask: number): void {
  let excess = 0
  for (let w = 0; w < WORDS; w++) {
    const sum =
      (values[at + w] as number) + (((corrections[at + w] as number) & mask) >>> 0) + excess
    values[at + w] = sum
    excess = sum >= 2 ** 32 ? 1 : 0
  }
  const wrapped = -excess
  excess = 0
  for (let w = 0; w < WORDS; w++) {
    const sum =
      (values[at + w] as number) + (((COMPLEMENT_WORDS[w] as number) & wrapped) >>> 0) + excess
    values[at + w] = sum
    excess = sum >= 2 ** 32 ? 1 : 0
  }
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
  const limbs = new Float64Array(LIMBS)
  const count = weights.length / LIMBS
  for (let j = 0; j < count; j++) {
    const selected = ((bits[j >> 3] as number) >> (j & 7)) & 1
    for (let k = 0; k < LIMBS; k++) {
      limbs[k] = (limbs[k] as number) + selected * (weights[j * LIMBS + k] as number)
    }
  }
  const words = new Uint32Array(WORDS)
  reduce(limbs, words, 0)
  limbs.fill(0)
  return toScalar(words)
}
