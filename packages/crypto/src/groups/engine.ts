import type { Bytes } from "@lockkeeper/encoding"
import type { Element, GroupName, Scalar } from "./group.ts"
import type { ByteOrder } from "./scalar-bytes.ts"

/**
 * What one library computes for one group. Special cases (zero, the identity, decoding) are
 * handled once in `groupOver`, so an engine sees validated inputs only: elements are never the
 * identity, multipliers never zero.
 */
export interface Engine {
  readonly name: GroupName
  readonly backend: string
  readonly order: bigint
  readonly byteOrder: ByteOrder
  readonly elementLength: 32 | 33
  readonly generator: Bytes
  readonly identity: Bytes

  /** Canonical, on the curve, of prime order; the identity was refused before. */
  isElement(bytes: Uint8Array): boolean
  reduceUniform(bytes: Uint8Array): Bytes

  /** Any canonical scalars, zero included, in constant time where the backend can. */
  addScalars(a: Scalar, b: Scalar): Bytes
  multiplyScalars(a: Scalar, b: Scalar): Bytes
  negateScalar(a: Scalar): Bytes
  /** Of a non-zero scalar. */
  invertScalar(a: Scalar): Bytes

  multiplyBase(scalar: Scalar): Bytes
  multiply(element: Element, scalar: Scalar): Bytes
  multiplyPublic(element: Element, scalar: Scalar): Bytes
  /** The sum of at least two elements, which may be the identity. */
  sum(elements: readonly Element[]): Bytes
  negate(element: Element): Bytes
}
