import type { Element, Identifier, Scalar } from "@lockkeeper/crypto"
import { type Bytes, concat } from "@lockkeeper/encoding"
import { hasEvenY, xOnly } from "./taproot.ts"
import type { SigningTarget } from "./target.ts"

/** One participant's public nonces for one signature, RFC 9591 Section 5.1. */
export interface SigningCommitment {
  readonly identifier: Identifier
  readonly hiding: Element
  readonly binding: Element
}

/** What every signer of a package computes alike. */
export interface Binding {
  readonly bindingFactors: ReadonlyMap<Identifier, Scalar>
  /** R, negated to even y in an x-only suite. */
  readonly groupCommitment: Element
  /** Whether R was negated, and with it every nonce. */
  readonly negateNonces: boolean
  readonly challenge: Scalar
}

/**
 * Binding factors rho_i, RFC 9591 Section 4.4. Each depends on the key, the message and every
 * commitment of every signer: this is what stops the attacks of Drijvers et al. and ROS.
 *
 * @param commitments - in strictly ascending order of identifier.
 */
export function bindingFactors(
  target: SigningTarget,
  commitments: readonly SigningCommitment[],
  message: Bytes,
): Map<Identifier, Scalar> {
  const { suite, verifyingKey } = target
  const { group } = suite
  const encoded: Bytes[] = []
  for (const { identifier, hiding, binding } of commitments) {
    encoded.push(group.scalarFromInteger(identifier), hiding, binding)
  }
  const prefix = concat(verifyingKey, suite.h4(message), suite.h5(concat(...encoded)))
  const factors = new Map<Identifier, Scalar>()
  for (const { identifier } of commitments) {
    factors.set(identifier, suite.h1(prefix, group.scalarFromInteger(identifier)))
  }
  return factors
}

/** c = H2(R || verifyingKey || message), RFC 9591 Section 4.6; by x-coordinate in BIP340. */
export function challengeOf(
  { suite, verifyingKey }: SigningTarget,
  groupCommitment: Element,
  message: Bytes,
): Scalar {
  const encode = suite.xOnly ? xOnly : (element: Element) => element
  return suite.h2(encode(groupCommitment), encode(verifyingKey), message)
}

/**
 * Binding factors, group commitment and challenge, RFC 9591 Sections 4.4 to 4.6.
 *
 * @param nonceImage - a signer's own D_i + rho_i*E_i, which it can compute as (d_i + rho_i*e_i)*G in
 *   a fraction of the time, given its rho_i.
 */
export function bind(
  target: SigningTarget,
  commitments: readonly SigningCommitment[],
  message: Bytes,
  own?: { readonly identifier: Identifier; nonceImage(bindingFactor: Scalar): Element },
): Binding {
  const { group, xOnly } = target.suite
  const factors = bindingFactors(target, commitments, message)
  // R = sum of D_i + rho_i*E_i
  let sum = group.identity
  const elements: Element[] = []
  const scalars: Scalar[] = []
  for (const { identifier, hiding, binding } of commitments) {
    const factor = factors.get(identifier) as Scalar
    const isOwn = own?.identifier === identifier
    sum = group.add(sum, isOwn ? own.nonceImage(factor) : hiding)
    if (isOwn) continue
    elements.push(binding)
    scalars.push(factor)
  }
  const raw = group.add(sum, group.linearCombination(elements, scalars))
  // No choice of commitments leads here: each factor is a hash of all of them.
  if (group.isIdentity(raw)) throw new Error("group commitment is the identity")
  const negateNonces = xOnly && !hasEvenY(raw)
  const groupCommitment = negateNonces ? group.negate(raw) : raw
  const challenge = challengeOf(target, groupCommitment, message)
  return { bindingFactors: factors, groupCommitment, negateNonces, challenge }
}
