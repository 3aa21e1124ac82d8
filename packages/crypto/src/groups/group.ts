import type { Bytes, Codec } from "@lockkeeper/encoding"

declare const scalarBrand: unique symbol
declare const elementBrand: unique symbol

/**
 * An integer modulo the group order, as its canonical 32 bytes (little-endian for edwards25519 and
 * ristretto255, big-endian for secp256k1). Wipeable; holding one means it was reduced.
 */
export type Scalar = Bytes & { readonly [scalarBrand]: true }

/**
 * A group element as its canonical bytes (32, or 33 SEC1-compressed for secp256k1; the identity of
 * secp256k1 is 33 zero bytes inside a process and has no wire form). Holding one means it was
 * validated: on the curve, canonical, of prime order.
 */
export type Element = Bytes & { readonly [elementBrand]: true }

export type GroupName = "edwards25519" | "ristretto255" | "secp256k1"

/**
 * A prime-order group. Everything is synchronous. Operations marked public are variable time: public
 * inputs only. No operation writes to its inputs.
 */
export interface Group {
  readonly name: GroupName
  /** Which library runs it, for `version` and `doctor`. */
  readonly backend: string
  readonly order: bigint
  readonly scalarLength: 32
  readonly elementLength: 32 | 33
  readonly generator: Element
  readonly identity: Element
  readonly zero: Scalar
  readonly one: Scalar

  /** @throws DecodeError unless 32 canonical bytes below the order; zero is allowed. */
  decodeScalar(bytes: Uint8Array): Scalar
  /** @throws DecodeError also on zero. */
  decodeNonZeroScalar(bytes: Uint8Array): Scalar
  /** @throws DecodeError on the identity, non-canonical bytes, points off the curve, torsion. */
  decodeElement(bytes: Uint8Array): Element
  /** Codecs over the three decoders above. */
  readonly scalar: Codec<Scalar>
  readonly nonZeroScalar: Codec<Scalar>
  readonly element: Codec<Element>

  /** Reduces 64 uniform bytes, read in the group's byte order (RFC 9497 and 9591 conventions). */
  scalarFromUniform(bytes: Uint8Array): Scalar
  /** A public integer, reduced; negative ones too. */
  scalarFromInteger(value: bigint | number): Scalar
  /** Public scalars only: bigints are neither constant time nor wipeable. */
  scalarToInteger(scalar: Scalar): bigint

  addScalars(a: Scalar, b: Scalar): Scalar
  subtractScalars(a: Scalar, b: Scalar): Scalar
  multiplyScalars(a: Scalar, b: Scalar): Scalar
  negateScalar(a: Scalar): Scalar
  /** @throws RangeError on zero. */
  invertScalar(a: Scalar): Scalar
  isZeroScalar(a: Scalar): boolean
  /** In constant time. */
  equalScalars(a: Scalar, b: Scalar): boolean

  /** scalar * generator, constant time; the identity for zero. */
  multiplyBase(scalar: Scalar): Element
  /** scalar * element, constant time where the backend can be (see the security page). */
  multiply(element: Element, scalar: Scalar): Element
  /** scalar * element, public. */
  multiplyPublic(element: Element, scalar: Scalar): Element
  /** Sum of scalars[i] * elements[i], public. */
  linearCombination(elements: readonly Element[], scalars: readonly Scalar[]): Element
  add(a: Element, b: Element): Element
  subtract(a: Element, b: Element): Element
  negate(a: Element): Element
  isIdentity(a: Element): boolean
  equal(a: Element, b: Element): boolean
}
