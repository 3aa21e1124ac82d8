import type { Bytes } from "@lockkeeper/encoding"
import { sodium } from "../backends/sodium.ts"
import { curve25519Scalars } from "./curve25519-scalars.ts"
import type { Engine } from "./engine.ts"
import type { Element, Group } from "./group.ts"
import { groupOver } from "./group-over.ts"
import { integerToBytes } from "./scalar-bytes.ts"
import { selfTest } from "./self-test.ts"

const identity = new Uint8Array(32)
const add = (a: Uint8Array, b: Uint8Array) => sodium.crypto_core_ristretto255_add(a, b) as Bytes
const multiply = (element: Uint8Array, scalar: Uint8Array) =>
  sodium.crypto_scalarmult_ristretto255(scalar, element) as Bytes
const multiplyBase = (scalar: Uint8Array) =>
  sodium.crypto_scalarmult_ristretto255_base(scalar) as Bytes

const engine: Engine = {
  ...curve25519Scalars,
  name: "ristretto255",
  identity,
  generator: multiplyBase(integerToBytes(1n, "little")),
  isElement: (bytes) => sodium.crypto_core_ristretto255_is_valid_point(bytes),
  multiplyBase,
  multiply,
  multiplyPublic: multiply,
  sum: (elements) =>
    elements.reduce<Bytes>((total, e, i) => (i === 0 ? e : add(total, e)), elements[0] as Element),
  negate: (element) => sodium.crypto_core_ristretto255_sub(identity, element) as Bytes,
}

/** ristretto255, RFC 9496. */
export const ristretto255: Group = selfTest(groupOver(engine))

/** The element derivation function of RFC 9496 Section 4.3.4 over 64 uniform bytes. */
export function ristretto255FromUniform(bytes: Uint8Array): Element {
  return sodium.crypto_core_ristretto255_from_hash(bytes) as Element
}
