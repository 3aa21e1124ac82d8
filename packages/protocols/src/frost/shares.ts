import type { Element, Identifier, Scalar } from "@lockkeeper/crypto"
import { lagrangeCoefficient } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { Binding, SigningCommitment } from "./binding.ts"
import type { Ciphersuite } from "./suites.ts"
import { negateIf, type SigningTarget, shareForTarget, verifyingShareForTarget } from "./target.ts"

/** Secret nonces of one signature. Using them for two packages reveals the signing share. */
export interface Nonces {
  readonly hiding: Scalar
  readonly binding: Scalar
}

/**
 * H3(randomness || signingShare), RFC 9591 Section 4.1: hashing in the share keeps a nonce
 * unpredictable even when the randomness is not.
 *
 * @param randomness - 32 fresh uniform bytes, never used again.
 */
export function generateNonce(suite: Ciphersuite, randomness: Bytes, signingShare: Scalar): Scalar {
  return suite.h3(randomness, signingShare)
}

/**
 * A participant's weight in a signer set, RFC 9591 Section 4.2: its Lagrange coefficient among the
 * servers, or one for an additive share (ours: RFC 9591 knows only the former).
 *
 * @param servers - the signers that hold shares of the polynomial, without the additive ones.
 */
function weightOf(
  suite: Ciphersuite,
  identifier: Identifier,
  servers: readonly Identifier[],
): { readonly lambda: Scalar; readonly additive: boolean } {
  if (!servers.includes(identifier)) return { lambda: suite.group.one, additive: true }
  return { lambda: lagrangeCoefficient(suite.group, identifier, servers), additive: false }
}

/** z_i = d_i + e_i * rho_i + lambda_i * s_i * c, RFC 9591 Section 5.2. */
export function signatureShare(
  target: SigningTarget,
  binding: Binding,
  identifier: Identifier,
  servers: readonly Identifier[],
  nonces: Nonces,
  signingShare: Scalar,
): Scalar {
  const { group } = target.suite
  const { lambda, additive } = weightOf(target.suite, identifier, servers)
  const rho = binding.bindingFactors.get(identifier) as Scalar
  const masked = group.multiplyScalars(nonces.binding, rho)
  const bound = group.addScalars(nonces.hiding, masked)
  const nonce = binding.negateNonces ? group.negateScalar(bound) : bound
  const share = shareForTarget(target, signingShare, additive)
  // lambda_i * c is public; only the product with the share is secret.
  const weighted = group.multiplyScalars(share, group.multiplyScalars(lambda, binding.challenge))
  const z = group.addScalars(nonce, weighted)
  for (const secret of [masked, bound, nonce, weighted]) secret.fill(0)
  if (share !== signingShare) share.fill(0)
  return z
}

/** Whether z_i*G = D_i + rho_i*E_i + lambda_i*c*Y_i, RFC 9591 Section 5.4. */
export function verifySignatureShare(
  target: SigningTarget,
  binding: Binding,
  commitment: SigningCommitment,
  servers: readonly Identifier[],
  verifyingShare: Element,
  share: Scalar,
): boolean {
  const { group } = target.suite
  const { lambda, additive } = weightOf(target.suite, commitment.identifier, servers)
  const rho = binding.bindingFactors.get(commitment.identifier) as Scalar
  const publicShare = verifyingShareForTarget(target, verifyingShare, additive)
  const weight = group.multiplyScalars(lambda, binding.challenge)
  const expected = group.linearCombination(
    [
      negateIf(group, binding.negateNonces, commitment.hiding),
      negateIf(group, binding.negateNonces, commitment.binding),
      publicShare,
    ],
    [group.one, rho, weight],
  )
  return group.equal(group.multiplyBase(share), expected)
}
