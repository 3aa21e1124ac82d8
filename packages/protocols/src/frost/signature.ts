import { type Element, type Scalar, verifySignature } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError } from "@lockkeeper/encoding"
import { challengeOf } from "./binding.ts"
import { liftX, xOnly } from "./taproot.ts"
import type { SigningTarget } from "./target.ts"

/** R || z, RFC 9591 Appendix A; x(R) || z in BIP340. */
export function encodeSignature(target: SigningTarget, groupCommitment: Element, z: Scalar): Bytes {
  return concat(target.suite.xOnly ? xOnly(groupCommitment) : groupCommitment, z)
}

/**
 * Whether a signature is valid for the target, by the group equation without cofactor.
 *
 * Ed25519 verifiers disagree on signatures with small-order parts: this one, like node:crypto,
 * compares z*G - c*A with R itself, and refuses small-order keys and unreduced z besides, so what it
 * accepts every verifier accepts.
 */
export function verifyForTarget(target: SigningTarget, message: Bytes, signature: Bytes): boolean {
  const { suite, verifyingKey } = target
  const { group } = suite
  if (group.name === "edwards25519") return verifySignature(verifyingKey, message, signature)
  const commitmentLength = suite.xOnly ? 32 : group.elementLength
  let groupCommitment: Element
  let z: Scalar
  try {
    const encoded = signature.subarray(0, commitmentLength)
    groupCommitment = suite.xOnly ? liftX(encoded) : group.decodeElement(encoded)
    z = group.decodeScalar(signature.subarray(commitmentLength))
  } catch (error) {
    if (error instanceof DecodeError) return false
    throw error
  }
  const challenge = challengeOf(target, groupCommitment, message)
  // z*G - c*Y = R, which is no identity and, lifted from its x-coordinate, has even y.
  const computed = group.linearCombination(
    [group.generator, verifyingKey],
    [z, group.negateScalar(challenge)],
  )
  return group.equal(computed, groupCommitment)
}
