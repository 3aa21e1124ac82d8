import type { Bytes } from "@lockkeeper/encoding"
import { sodium } from "../backends/sodium.ts"
import { curve25519Scalars } from "./curve25519-scalars.ts"
import type { Engine } from "./engine.ts"
import type { Element, Group } from "./group.ts"
import { groupOver } from "./group-over.ts"
import { integerToBytes } from "./scalar-bytes.ts"
import { selfTest } from "./self-test.ts"

const add = (a: Uint8Array, b: Uint8Array) => sodium.crypto_core_ed25519_add(a, b) as Bytes
const multiply = (element: Uint8Array, scalar: Uint8Array) =>
  sodium.crypto_scalarmult_ed25519_noclamp(scalar, element) as Bytes
const multiplyBase = (scalar: Uint8Array) =>
  sodium.crypto_scalarmult_ed25519_base_noclamp(scalar) as Bytes

const engine: Engine = {
  ...curve25519Scalars,
  name: "edwards25519",
  identity: integerToBytes(1n, "little"),
  generator: multiplyBase(integerToBytes(1n, "little")),
  isElement: (bytes) => sodium.crypto_core_ed25519_is_valid_point(bytes),
  multiplyBase,
  multiply,
  multiplyPublic: multiply,
  sum: (elements) =>
    elements.reduce<Bytes>((total, e, i) => (i === 0 ? e : add(total, e)), elements[0] as Element),
  negate(element) {
    // The sign of x is the top bit; x is zero only for the identity, which never comes here.
    const negated = new Uint8Array(element)
    negated[31] = (negated[31] as number) ^ 0x80
    return negated
  },
}

/** The prime-order subgroup of edwards25519 (RFC 8032), encoded as in RFC 8032 Section 5.1.2. */
export const edwards25519: Group = selfTest(groupOver(engine))
