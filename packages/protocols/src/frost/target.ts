import type { Element, Group, Scalar } from "@lockkeeper/crypto"
import type { Ciphersuite } from "./suites.ts"
import { hasEvenY, type Tweak, tweakScalar } from "./taproot.ts"

/**
 * The key a signature is made for, and how shares of the generated key become shares of it:
 * share' = sign * share + shift, where only the Lagrange-weighted shares take the shift.
 */
export interface SigningTarget {
  readonly suite: Ciphersuite
  /** What the signature verifies under; has even y in an x-only suite. */
  readonly verifyingKey: Element
  readonly negateShares: boolean
  readonly shift: Scalar | null
}

/**
 * The target for a group key and tweak, BIP341 `taproot_tweak_seckey` carried out on shares.
 *
 * The Lagrange coefficients of a signer set sum to one, so a shift of each server's share shifts the
 * key once; an additive share would shift it a second time.
 */
export function signingTarget(
  suite: Ciphersuite,
  groupKey: Element,
  tweak: Tweak,
): SigningTarget | null {
  const { group } = suite
  if (!suite.xOnly) {
    if (tweak.kind !== "none") return null
    return { suite, verifyingKey: groupKey, negateShares: false, shift: null }
  }
  // P = lift_x(x(groupKey)); Q = P + t*G; share' = g_Q * (g_P * share + t), g = -1 where y is odd.
  const negateInternal = !hasEvenY(groupKey)
  const internal = negateInternal ? group.negate(groupKey) : groupKey
  const t = tweakScalar(internal, tweak)
  if (t === null) {
    return { suite, verifyingKey: internal, negateShares: negateInternal, shift: null }
  }
  const output = group.add(internal, group.multiplyBase(t))
  const negateOutput = !hasEvenY(output)
  return {
    suite,
    verifyingKey: negateOutput ? group.negate(output) : output,
    negateShares: negateInternal !== negateOutput,
    shift: negateOutput ? group.negateScalar(t) : t,
  }
}

/** The signing share for the target. @param additive - whether the share counts with lambda = 1. */
export function shareForTarget(target: SigningTarget, share: Scalar, additive: boolean): Scalar {
  const { group } = target.suite
  const signed = target.negateShares ? group.negateScalar(share) : share
  if (target.shift === null || additive) return signed
  const shifted = group.addScalars(signed, target.shift)
  if (signed !== share) signed.fill(0)
  return shifted
}

/** The public image of `shareForTarget`. */
export function verifyingShareForTarget(
  target: SigningTarget,
  verifyingShare: Element,
  additive: boolean,
): Element {
  const { group } = target.suite
  const signed = negateIf(group, target.negateShares, verifyingShare)
  if (target.shift === null || additive) return signed
  return group.add(signed, group.multiplyBase(target.shift))
}

/** The element or its negation. */
export function negateIf(group: Group, negate: boolean, element: Element): Element {
  return negate ? group.negate(element) : element
}
