import type { Bytes } from "@lockkeeper/encoding"

/** secp256k1 of one library. Scalars are non-zero, points valid and never the identity. */
export interface Secp256k1Backend {
  readonly name: string
  isPoint(bytes: Uint8Array): boolean
  /** The sum, or null when it is zero. */
  addScalars(a: Uint8Array, b: Uint8Array): Bytes | null
  multiplyScalars(a: Uint8Array, b: Uint8Array): Bytes
  negateScalar(a: Uint8Array): Bytes
  invertScalar(a: Uint8Array): Bytes
  multiplyBase(scalar: Uint8Array): Bytes
  multiply(point: Uint8Array, scalar: Uint8Array): Bytes
  multiplyPublic(point: Uint8Array, scalar: Uint8Array): Bytes
  /** The sum, or null when it is the identity. */
  sumPoints(points: readonly Uint8Array[]): Bytes | null
}
