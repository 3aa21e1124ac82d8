import { type Element, secp256k1, sha512 } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError } from "@lockkeeper/encoding"

const ATTEMPTS_MAX = 256

/**
 * A point whose discrete logarithm nobody knows, from a 32-byte digest: the first x-coordinate
 * among SHA-512(digest || counter) that is on the curve, with a sign from the same hash.
 * Indifferentiable from a random oracle into the group. Takes about two attempts, varying with the
 * digest, which is therefore public.
 */
export function hashToPoint(digest: Bytes): Element {
  for (let counter = 0; counter < ATTEMPTS_MAX; counter++) {
    const hashed = sha512(concat(digest, Uint8Array.of(counter)))
    // SEC1: 02 or 03, then x.
    const encoded = concat(Uint8Array.of(2 + ((hashed[32] as number) & 1)), hashed.subarray(0, 32))
    const point = decodedPoint(encoded)
    if (point !== null) return point
  }
  throw new Error("no attempt hashed to a point, which has probability 2^-256")
}

function decodedPoint(encoded: Bytes): Element | null {
  try {
    return secp256k1.decodeElement(encoded)
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}
