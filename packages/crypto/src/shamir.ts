import type { Element, Group, Scalar } from "./groups/group.ts"
import { assertIdentifier, type Identifier } from "./identifier.ts"

/**
 * f(identifier) of the polynomial with these coefficients, constant term first: a share of Shamir's
 * scheme. @throws RangeError on identifier 0, whose share would be the secret.
 */
export function evaluatePolynomial(
  group: Group,
  coefficients: readonly Scalar[],
  identifier: Identifier,
): Scalar {
  assertIdentifier(identifier)
  const x = group.scalarFromInteger(identifier)
  // Horner: f(x) = a_0 + x * (a_1 + x * (a_2 + ..))
  let value = group.addScalars(group.zero, group.zero)
  for (const coefficient of [...coefficients].reverse()) {
    const scaled = group.multiplyScalars(value, x)
    value.fill(0)
    value = group.addScalars(scaled, coefficient)
    scaled.fill(0)
  }
  return value
}

function invertPublic(value: bigint, order: bigint): bigint {
  // Extended Euclid; identifiers are public.
  let [a, b] = [((value % order) + order) % order, order]
  let [x, y] = [1n, 0n]
  while (b !== 0n) {
    const quotient = a / b
    ;[a, b] = [b, a - quotient * b]
    ;[x, y] = [y, x - quotient * y]
  }
  return x
}

/**
 * lambda_i = prod over j != i of x_j / (x_j - x_i), which takes shares at `identifiers` to the
 * constant term (RFC 9591 Section 4.2). @throws RangeError on duplicates, zero, or i not in the set.
 */
export function lagrangeCoefficient(
  group: Group,
  identifier: Identifier,
  identifiers: readonly Identifier[],
): Scalar {
  if (new Set(identifiers).size !== identifiers.length) throw new RangeError("duplicate identifier")
  if (!identifiers.includes(identifier)) throw new RangeError("identifier outside the set")
  let numerator = 1n
  let denominator = 1n
  for (const other of identifiers) {
    assertIdentifier(other)
    if (other === identifier) continue
    numerator *= BigInt(other)
    denominator *= BigInt(other - identifier)
  }
  const inverse = invertPublic(denominator, group.order)
  return group.scalarFromInteger((numerator % group.order) * inverse)
}

/** f(0) of the polynomial through the shares: sum of lambda_i * share_i. Reveals the secret. */
export function interpolate(group: Group, shares: ReadonlyMap<Identifier, Scalar>): Scalar {
  const identifiers = [...shares.keys()]
  if (identifiers.length === 0) throw new RangeError("no shares to interpolate")
  let total = group.addScalars(group.zero, group.zero)
  for (const [identifier, share] of shares) {
    const term = group.multiplyScalars(lagrangeCoefficient(group, identifier, identifiers), share)
    const sum = group.addScalars(total, term)
    total.fill(0)
    term.fill(0)
    total = sum
  }
  return total
}

/** The same in the exponent, over public elements: sum of lambda_i * E_i. */
export function interpolateElements(
  group: Group,
  elements: ReadonlyMap<Identifier, Element>,
): Element {
  const identifiers = [...elements.keys()]
  if (identifiers.length === 0) throw new RangeError("no elements to interpolate")
  const lambdas = identifiers.map((i) => lagrangeCoefficient(group, i, identifiers))
  return group.linearCombination([...elements.values()], lambdas)
}
