import { type Element, feldmanPublicShare, type Group, type Identifier } from "@lockkeeper/crypto"

/**
 * The public images of the shares at all `identifiers`, which are ascending: what
 * `feldmanPublicShare` gives for each. Where they are small, as servers' numbers are, it walks
 * through 1, 2, 3 .. by differences, at as many additions for each step as the polynomial's degree,
 * instead of a multiplication by each power of each number.
 */
export function publicShares(
  group: Group,
  vector: readonly Element[],
  identifiers: readonly Identifier[],
): Map<Identifier, Element> {
  const last = identifiers.at(-1) ?? 0
  if (vector.length > DIFFERENCES_UP_TO || last > 2 * identifiers.length + 2) {
    return new Map(identifiers.map((i) => [i, feldmanPublicShare(group, vector, i)]))
  }
  const wanted = new Set(identifiers)
  const shares = new Map<Identifier, Element>()
  const differences = differencesAtZero(group, vector)
  for (let x = 1; x <= last; x++) {
    for (let k = 0; k + 1 < differences.length; k++) {
      differences[k] = group.add(differences[k]!, differences[k + 1]!)
    }
    if (wanted.has(x)) shares.set(x, differences[0]!)
  }
  return shares
}

const DIFFERENCES_UP_TO = 6

/** The k-th forward difference at 0 is the sum over m of k! * S(m, k) * C_m, for k = 0 .. degree. */
function differencesAtZero(group: Group, vector: readonly Element[]): Element[] {
  return vector.map((_, k) => {
    let sum = k === 0 ? vector[0]! : group.identity
    for (let m = Math.max(k, 1); m < vector.length && k > 0; m++) {
      sum = group.add(sum, smallMultiple(group, vector[m]!, surjections(m, k)))
    }
    return sum
  })
}

/** k! * S(m, k): in how many ways m things cover k places. */
function surjections(m: number, k: number): number {
  if (k === 0) return m === 0 ? 1 : 0
  if (k > m) return 0
  return k * (surjections(m - 1, k) + surjections(m - 1, k - 1))
}

function smallMultiple(group: Group, element: Element, factor: number): Element {
  if (factor === 1) return element
  if (factor === 2) return group.add(element, element)
  return group.multiplyPublic(element, group.scalarFromInteger(factor))
}
