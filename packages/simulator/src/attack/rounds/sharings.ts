import {
  evaluatePolynomial,
  type GroupName,
  groupByName,
  type Identifier,
  interpolate,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import type { sharing } from "@lockkeeper/protocols"
import { seeded } from "../seeded.ts"

/** The roster whose members hold what is shared before a run. */
export const OLD_ROSTER_EPOCH = 6

/** One secret as its holders share it. */
export interface Shared {
  readonly sharing: sharing.Sharing
  readonly shares: ReadonlyMap<Identifier, Secret>
}

/** A sharing as a key generation could have left it. */
export function sharedSecret(
  name: string,
  groupName: GroupName,
  minSigners: number,
  holders: readonly Identifier[],
): Shared {
  const group = groupByName(groupName)
  const coefficients = Array.from({ length: minSigners }, (_, k) =>
    group.scalarFromUniform(seeded(`shared/${name}/${k}`, 64)),
  )
  const shares = new Map<Identifier, Secret>()
  const verifyingShares = new Map<Identifier, Bytes>()
  for (const holder of holders) {
    const share = evaluatePolynomial(group, coefficients, holder)
    verifyingShares.set(holder, group.multiplyBase(share))
    shares.set(holder, new Secret(share))
  }
  const verifyingKey = group.multiplyBase(coefficients[0] as Scalar)
  const [id, context] = [seeded(`shared/${name}/id`), seeded(`shared/${name}/context`)]
  return {
    sharing: {
      ...{ id, context, group: groupName, keyEpoch: 3, rosterEpoch: OLD_ROSTER_EPOCH },
      ...{ minSigners, verifyingKey, verifyingShares },
    },
    shares,
  }
}

/** What is wrong with shares that somebody honest holds of a key that has to be as it was; or null. */
export function wrongShares(
  before: sharing.Sharing,
  { sharing: after, shares }: Shared,
): string | null {
  const group = groupByName(before.group)
  if (!equalBytes(after.verifyingKey, before.verifyingKey)) return "another key"
  if (!equalBytes(after.id, before.id) || !equalBytes(after.context, before.context)) {
    return "a key for something else"
  }
  for (const [holder, share] of shares) {
    const image = group.multiplyBase(share.expose() as Scalar)
    const expected = after.verifyingShares.get(holder)
    if (!expected || !equalBytes(image, expected)) return `a wrong share of ${holder}`
  }
  if (shares.size < after.minSigners) return null
  const some = [...shares].slice(0, after.minSigners)
  const secret = interpolate(group, new Map(some.map(([i, s]) => [i, s.expose() as Scalar])))
  const key = group.multiplyBase(secret)
  return equalBytes(key, before.verifyingKey) ? null : "shares of another key"
}
