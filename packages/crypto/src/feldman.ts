import type { Element, Group, Scalar } from "./groups/group.ts"
import { assertIdentifier, type Identifier } from "./identifier.ts"

/**
 * Feldman's commitment to a polynomial (FOCS 1987): each coefficient times the generator, constant
 * term first. Not hiding: the constant term's image is public. The caller checks its length against
 * minSigners: a longer vector raises the threshold.
 */
export function feldmanCommit(group: Group, coefficients: readonly Scalar[]): Element[] {
  return coefficients.map((coefficient) => group.multiplyBase(coefficient))
}

/** The public image of the share at `identifier`: sum over k of identifier^k * C_k. */
export function feldmanPublicShare(
  group: Group,
  commitment: readonly Element[],
  identifier: Identifier,
): Element {
  assertIdentifier(identifier)
  const powers: Scalar[] = []
  let power = 1n
  for (let k = 0; k < commitment.length; k++) {
    powers.push(group.scalarFromInteger(power))
    power = (power * BigInt(identifier)) % group.order
  }
  return group.linearCombination(commitment, powers)
}

/** Whether `share` lies on the committed polynomial at `identifier`. */
export function feldmanVerify(
  group: Group,
  commitment: readonly Element[],
  identifier: Identifier,
  share: Scalar,
): boolean {
  const expected = feldmanPublicShare(group, commitment, identifier)
  return group.equal(group.multiplyBase(share), expected)
}
