import { type Element, feldmanPublicShare, type Identifier } from "@lockkeeper/crypto"
import { groupOf } from "../key-types.ts"
import type { AdditiveShare, PublicKeyPackage } from "../keys.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { type DkgParams, groupFor } from "./params.ts"

/** Generation of the shares that a key generation makes; refresh and reshare count up from it. */
const FIRST_KEY_EPOCH = 1

/**
 * The public outcome: a function of the revealed vectors alone, so all who saw the same reveals
 * compute the same package. The servers' vectors make their sharing; additive participants' constants
 * come on top of it in the key, and nowhere in the shares. An identity among the results has negligible probability, whatever
 * anyone does, because every vector was committed to before any was seen.
 */
export function publicResult(
  params: DkgParams,
  vectors: ReadonlyMap<Identifier, readonly Element[]>,
): Outcome<PublicKeyPackage> {
  const group = groupFor(params)
  // C_k = sum over dealers i of C_(i,k)
  const sums = Array.from({ length: params.minSigners }, (_, k) =>
    params.participants.reduce((sum, i) => group.add(sum, vectors.get(i)![k]!), group.identity),
  )
  const additive = new Map<Identifier, AdditiveShare>()
  let verifyingKey = sums[0]!
  for (const [identifier, identityKey] of params.additive) {
    const publicShare = vectors.get(identifier)![0]!
    additive.set(identifier, { publicShare, identityKey })
    verifyingKey = group.add(verifyingKey, publicShare)
  }
  const verifyingShares = new Map<Identifier, Element>()
  for (const holder of params.participants) {
    verifyingShares.set(holder, feldmanPublicShare(group, sums, holder))
  }
  const results = [sums[0]!, verifyingKey, ...verifyingShares.values()]
  if (results.some((element) => group.isIdentity(element))) return abort("identity-key")
  const { keyId, keyType, rosterEpoch, minSigners } = params
  return done({
    ...{ keyId, keyType, group: groupOf(keyType), keyEpoch: FIRST_KEY_EPOCH, rosterEpoch },
    ...{ minSigners, verifyingKey, verifyingShares, additive },
  })
}
