import { type Element, type Scalar, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, type Codec, mapped, struct, toHex, u8 } from "@lockkeeper/encoding"

/** An ECDSA signature over secp256k1 (SEC 1 Section 4.1). Neither number is ever zero. */
export interface EcdsaSignature {
  /** The x-coordinate of R modulo the order. */
  readonly r: Scalar
  readonly s: Scalar
}

/**
 * A signature that also says which of at most four points R was (SEC 1 Section 4.1.6), so that the
 * key follows from it.
 */
export interface RecoverableSignature extends EcdsaSignature {
  /** Bit 0: the y of R is odd. Bit 1: its x is not below the order, which nobody will ever see. */
  readonly recovery: number
}

/** r || s, 64 bytes. Refuses zeros and unreduced numbers; a high s is the verifier's to judge. */
export const ecdsaSignatureCodec: Codec<EcdsaSignature> = struct<EcdsaSignature>({
  r: secp256k1.nonZeroScalar,
  s: secp256k1.nonZeroScalar,
})

const RECOVERY_MAX = 3

function assertRecovery(recovery: number): number {
  if (recovery > RECOVERY_MAX) throw new RangeError(`recovery id outside 0 to ${RECOVERY_MAX}`)
  return recovery
}

/** r || s || recovery, 65 bytes. */
export const recoverableSignatureCodec: Codec<RecoverableSignature> = struct<RecoverableSignature>({
  r: secp256k1.nonZeroScalar,
  s: secp256k1.nonZeroScalar,
  recovery: mapped(u8, assertRecovery, (raw, fail) =>
    raw <= RECOVERY_MAX ? raw : fail(`recovery id outside 0 to ${RECOVERY_MAX}`),
  ),
})

const integerOf = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes)}`)

/** The digest as an integer modulo the order. @throws RangeError unless 32 bytes. */
export function digestScalar(digest: Bytes): Scalar {
  if (digest.length !== 32) throw new RangeError("digest is not 32 bytes")
  return secp256k1.scalarFromInteger(integerOf(digest))
}

/** x(R) modulo the order: the r of a signature, zero for no R that anyone knows. */
export function rOf(nonceElement: Element): Scalar {
  return secp256k1.scalarFromInteger(integerOf(nonceElement.subarray(1)))
}

/** Which of the points with the same r this one is. */
export function recoveryOf(nonceElement: Element): number {
  const odd = nonceElement[0] === 3 ? 1 : 0
  return integerOf(nonceElement.subarray(1)) >= secp256k1.order ? odd + 2 : odd
}

const HALF_ORDER = secp256k1.order >> 1n

/** Whether s is in the lower half, as BIP146 and EIP-2 ask: the other half signs the same. */
export function isLowS({ s }: EcdsaSignature): boolean {
  return secp256k1.scalarToInteger(s) <= HALF_ORDER
}

/** The same signature with a low s. Negating s negates R. */
export function withLowS(signature: RecoverableSignature): RecoverableSignature {
  if (isLowS(signature)) return signature
  const { r, s, recovery } = signature
  return { r, s: secp256k1.negateScalar(s), recovery: recovery ^ 1 }
}
