import type { Element, Group, Scalar } from "@lockkeeper/crypto"
import { deriveChild } from "../child-keys.ts"
import { type ChildPath, NO_PATH } from "../child-path.ts"
import type { PublicKeyPackage } from "../keys.ts"
import { type Ciphersuite, suiteOf } from "./suites.ts"
import { hasEvenY, type Tweak, tweakScalar } from "./taproot.ts"

/**
 * The key a signature is made for, and how shares of the generated key become shares of it:
 * share' = sign * share + shift, where only the Lagrange-weighted shares take the shift. The shift
 * carries the generated key to its child, and that to its Taproot output key.
 */
export interface SigningTarget {
  readonly suite: Ciphersuite
  /** What the signature verifies under; has even y in an x-only suite. */
  readonly verifyingKey: Element
  readonly negateShares: boolean
  readonly shift: Scalar | null
}

/**
 * The target for a child of a key, with a tweak; null where this type of key has no such tweak.
 *
 * @throws RangeError for a type of key that does not sign with FROST.
 */
export function signingTargetOf(
  key: PublicKeyPackage,
  tweak: Tweak,
  path: ChildPath = NO_PATH,
): SigningTarget | null {
  const child = deriveChild(key, path)
  return signingTarget(suiteOf(key.keyType), child.verifyingKey, tweak, child.tweak)
}

/**
 * BIP32's private derivation and then BIP341's `taproot_tweak_seckey`, carried out on shares.
 *
 * The Lagrange coefficients of a signer set sum to one, so a shift of each server's share shifts the
 * key once; an additive share would shift it a second time.
 *
 * @param tau - what the child's secret key has more than the generated key's.
 */
export function signingTarget(
  suite: Ciphersuite,
  childKey: Element,
  tweak: Tweak,
  tau: Scalar = suite.group.zero,
): SigningTarget | null {
  const { group } = suite
  if (!suite.xOnly) {
    if (tweak.kind !== "none") return null
    return { suite, verifyingKey: childKey, negateShares: false, shift: orNull(group, tau) }
  }
  // C = groupKey + tau*G; P = lift_x(x(C)); Q = P + t*G;
  // share' = g_Q * (g_C * (share + tau) + t), where g = -1 for an odd y.
  const negateInternal = !hasEvenY(childKey)
  const internal = negateIf(group, negateInternal, childKey)
  const t = tweakScalar(internal, tweak)
  const output = t === null ? internal : group.add(internal, group.multiplyBase(t))
  const negateOutput = !hasEvenY(output)
  const negateShares = negateInternal !== negateOutput
  const signed = (negate: boolean, a: Scalar) => (negate ? group.negateScalar(a) : a)
  const shift = group.addScalars(signed(negateShares, tau), signed(negateOutput, t ?? group.zero))
  const verifyingKey = negateIf(group, negateOutput, output)
  return { suite, verifyingKey, negateShares, shift: orNull(group, shift) }
}

/** A shift by nothing costs nothing. */
function orNull(group: Group, shift: Scalar): Scalar | null {
  return group.isZeroScalar(shift) ? null : shift
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
