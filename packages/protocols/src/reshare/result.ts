import { type Element, groupByName, type Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { abort, done, type Outcome } from "../outcome.ts"
import { publicShares } from "../sharing/public-shares.ts"
import { elementOrNull, sharingDigest } from "../sharing/sharing.ts"
import { rootOf } from "../sharing/tree.ts"
import type { Dealt } from "./checks.ts"
import type { ReshareKeyHead } from "./keys.ts"
import type { ReshareParams } from "./params.ts"
import type { Reshared } from "./state.ts"

/**
 * The public outcome for one key: a function of the old public key and of the revealed commitments
 * alone, so all who saw the same compute the same. C'_0 is the old verifying key itself, not a sum:
 * no outcome has another, and shares that do not fit it fail the holders' checks.
 */
function resharedKey(
  params: ReshareParams,
  index: number,
  head: ReshareKeyHead,
  dealings: readonly Dealt[],
): Outcome<Reshared> {
  const field = `keys.${index}`
  const group = groupByName(head.group)
  const verifyingKey = elementOrNull(group, head.verifyingKey)
  if (!verifyingKey) return abort("inconsistent-key", { field })
  const vector: Element[] = [verifyingKey]
  for (let k = 0; k < params.minSigners - 1; k++) {
    // C'_k = sum over dealers i of C_(i,k)
    vector.push(dealings.reduce((sum, dealt) => group.add(sum, dealt[index]![k]!), group.identity))
  }
  const shares = publicShares(group, vector, params.holders)
  const elements = [...vector, ...shares.values()]
  // Of negligible probability: every commitment was fixed before any was seen.
  if (elements.some((element) => group.isIdentity(element))) return abort("identity-key", { field })
  const { id, context, toKeyEpoch } = head
  const { rosterEpoch, minSigners } = params
  const sharing = {
    ...{ id, context, group: head.group, keyEpoch: toKeyEpoch, rosterEpoch, minSigners },
    ...{ verifyingKey, verifyingShares: shares as ReadonlyMap<Identifier, Bytes> },
  }
  return done({ sharing, vector })
}

/** The public outcome of a run. @param dealings - of all dealers. */
export function publicOutcome(
  params: ReshareParams,
  heads: readonly ReshareKeyHead[],
  dealings: readonly Dealt[],
): Outcome<readonly Reshared[]> {
  const reshared: Reshared[] = []
  for (const [index, head] of heads.entries()) {
    const one = resharedKey(params, index, head, dealings)
    if (!one.ok) return one
    reshared.push(one.value)
  }
  return done(reshared)
}

/** What holders sign of an outcome. */
export function outcomeRoot(reshared: readonly Reshared[]): Bytes {
  return rootOf(reshared.map(({ sharing }) => sharingDigest(sharing)))
}
