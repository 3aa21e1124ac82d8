import { type Bytes, fromHex, toHex } from "@lockkeeper/encoding"
import { symmetric } from "#symmetric"
import type { SymmetricBackend } from "./backends/symmetric.ts"
import { EDWARDS_ORDER } from "./groups/curve25519-scalars.ts"
import { integerToBytes, isBelow } from "./groups/scalar-bytes.ts"
import type { Secret } from "./secret.ts"

/** An Ed25519 identity key. Prints nothing of its seed, which stays inside the backend. */
export interface SigningKey {
  readonly publicKey: Bytes
  /** The 64-byte signature of RFC 8032 Section 5.1.6. */
  sign(message: Uint8Array): Bytes
}

const ORDER = integerToBytes(EDWARDS_ORDER, "little")
const FIELD_ORDER = fromHex("ed".padEnd(62, "f").concat("7f"))

// y coordinates of the eight points of small order: 1, -1, 0, and the two of order eight.
const SMALL_ORDER_Y = new Set([
  "01".padEnd(64, "0"),
  "ec".padEnd(62, "f").concat("7f"),
  "0".repeat(64),
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
])

/** Whether y is below the field's order and not of a small-order point. */
function isCanonicalLargePoint(encoded: Uint8Array): boolean {
  const y = new Uint8Array(encoded)
  y[31] = (y[31] as number) & 0x7f
  return isBelow(y, FIELD_ORDER, "little") && !SMALL_ORDER_Y.has(toHex(y))
}

/** The identity key of a 32-byte seed. @throws RangeError on another length. */
export function signingKeyFromSeed(seed: Secret): SigningKey {
  if (seed.length !== 32) throw new RangeError("signing seed is not 32 bytes")
  return symmetric.ed25519Signer(seed.expose())
}

/**
 * Whether `signature` is valid (RFC 8032 Section 5.1.7, without cofactor). Stricter than the RFC:
 * small-order or non-canonical keys and R are refused, so one signature never fits two messages
 * or keys, and all platforms agree.
 */
export function verifySignature(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return verifyStrictly(symmetric, publicKey, message, signature)
}

/** `verifySignature` on a given platform's backend. */
export function verifyStrictly(
  backend: SymmetricBackend,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  if (!isCanonicalLargePoint(publicKey)) return false
  if (!isCanonicalLargePoint(signature.subarray(0, 32))) return false
  if (!isBelow(signature.subarray(32), ORDER, "little")) return false
  return backend.ed25519Verify(publicKey, message, signature)
}
