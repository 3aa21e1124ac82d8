import { type Element, type Scalar, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError } from "@lockkeeper/encoding"
import { digestScalar, type EcdsaSignature, type RecoverableSignature, rOf } from "./signature.ts"

/**
 * Whether a signature is valid for a digest (SEC 1 Section 4.1.4). All inputs are public, and it
 * takes variable time. A high s is valid here: see `isLowS`.
 *
 * @throws RangeError unless the digest is 32 bytes.
 */
export function verifyEcdsa(
  verifyingKey: Element,
  digest: Bytes,
  { r, s }: EcdsaSignature,
): boolean {
  const group = secp256k1
  const e = digestScalar(digest)
  if (group.isZeroScalar(r) || group.isZeroScalar(s)) return false
  // R = (e/s)*G + (r/s)*Q
  const inverse = group.invertScalar(s)
  const weights = [group.multiplyScalars(e, inverse), group.multiplyScalars(r, inverse)]
  const point = group.linearCombination([group.generator, verifyingKey], weights)
  // The identity, which is bytes of zeros, has an r of zero here: no signature has that.
  return group.equalScalars(rOf(point), r)
}

/** The element with this x-coordinate and parity, or null when there is none. */
function liftNonce(r: Scalar, recovery: number): Element | null {
  // x = r, or r + n where that is still a field element: decoding refuses what is not.
  const x = recovery & 2 ? secp256k1.scalarToInteger(r) + secp256k1.order : null
  if (x !== null && x >> 256n !== 0n) return null
  const encoded = x === null ? r : bigEndian(x)
  try {
    return secp256k1.decodeElement(concat(Uint8Array.of(2 + (recovery & 1)), encoded))
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

function bigEndian(value: bigint): Bytes {
  const bytes = new Uint8Array(32)
  for (let i = 31, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}

/**
 * The key under which a signature is valid for a digest (SEC 1 Section 4.1.6), or null where no key
 * is. Who signed is proven by comparing it with a known key, and by nothing less.
 *
 * @throws RangeError unless the digest is 32 bytes.
 */
export function recoverKey(digest: Bytes, signature: RecoverableSignature): Element | null {
  const group = secp256k1
  const e = digestScalar(digest)
  const { r, s, recovery } = signature
  if (!Number.isInteger(recovery) || recovery < 0 || recovery > 3) return null
  if (group.isZeroScalar(r) || group.isZeroScalar(s)) return null
  const nonceElement = liftNonce(r, recovery)
  if (nonceElement === null) return null
  // Q = (s/r)*R - (e/r)*G
  const inverse = group.invertScalar(r)
  const weights = [
    group.multiplyScalars(s, inverse),
    group.negateScalar(group.multiplyScalars(e, inverse)),
  ]
  const key = group.linearCombination([nonceElement, group.generator], weights)
  return group.isIdentity(key) ? null : key
}
