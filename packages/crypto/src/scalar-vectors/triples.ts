import type { Bytes } from "@lockkeeper/encoding"
import type { Scalar } from "../groups/group.ts"
import { secp256k1 } from "../groups/secp256k1.ts"
import { LIMBS, limbsOfInteger, ORDER, reduce, unpack, WORDS, type Words } from "./limbs.ts"
import { type Factor, factorOf } from "./product.ts"
import { limbsOfScalar, toCanonical } from "./vectors.ts"

const ORDER_LIMBS = limbsOfInteger(ORDER)

/** What `combineTriples` takes from rows whose bit is one. */
export interface Subtrahend {
  readonly value: Scalar
  readonly bits: Uint8Array
}

/**
 * For each row (x, y, z) of `values`: f * x + g * y + z, less the subtrahend where its bit is one,
 * modulo q, canonical and big-endian. The factors are public; values and bits may be secret.
 */
export function combineTriples(
  values: Words,
  factors: readonly [Scalar, Scalar],
  subtrahend: Subtrahend | null,
): Bytes {
  const [f, g] = factors.map((factor) => factorOf(secp256k1.scalarToInteger(factor))) as [
    Factor,
    Factor,
  ]
  const rows = values.length / (3 * WORDS)
  const [x, y, z] = [0, 1, 2].map(() => new Float64Array(LIMBS)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  // q - value, so that nothing turns negative.
  const lowered = limbsOfScalar(subtrahend?.value ?? secp256k1.zero).map(
    (limb, k) => (ORDER_LIMBS[k] as number) - limb,
  )
  const bits = subtrahend?.bits ?? new Uint8Array(Math.ceil(rows / 8))
  const words = new Uint32Array(rows * WORDS)
  for (let row = 0; row < rows; row++) {
    const selected = ((bits[row >> 3] as number) >> (row & 7)) & 1
    const at = 3 * WORDS * row
    unpack(values, at, x)
    unpack(values, at + WORDS, y)
    unpack(values, at + 2 * WORDS, z)
    for (let k = 0; k < LIMBS; k++) {
      let sum = (z[k] as number) + selected * (lowered[k] as number)
      for (let i = 0; i < LIMBS; i++) {
        const entry = k * LIMBS + i
        sum += (x[i] as number) * (f[entry] as number) + (y[i] as number) * (g[entry] as number)
      }
      z[k] = sum
    }
    reduce(z, words, row * WORDS)
  }
  const bytes = new Uint8Array(words.length * 4)
  toCanonical(words, bytes)
  for (const spent of [x, y, z, lowered, words]) spent.fill(0)
  return bytes
}
