import { MAX_PRESIGNATURES, type PoolOfSet, poolStatus, showKeyBody } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { checkEcdsaKey, checkUsable, readKey } from "../keys.ts"
import { type Pooled, setName } from "../presigning/pool.ts"
import { takePresignature } from "../presigning/presignatures.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep } from "../request/step.ts"
import { statesOfPairs } from "./show-pairs.ts"
import { onlyStep } from "./steps.ts"

/** What is ready of one key, for who keeps its pools filled. */
export const showPool: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const { keyId } = decodeAs("body", showKeyBody, step.request.body)
  const { self, deps, presigning } = step
  const { value: row } = await readKey(deps.store, step.request.accountId, keyId)
  using _share = row.keyPackage.signingShare
  await checkUsable(step, row)
  checkEcdsaKey(row)
  const { keyEpoch } = row.keyPackage.public
  const old = presigning.pool.dropOutdated(keyId, keyEpoch, self.roster.rosterEpoch)
  presigning.countBurnt(old)
  const output = encode(poolStatus, {
    sets: bySet(presigning.pool.ofKey(keyId)),
    cap: MAX_PRESIGNATURES,
    maxAgeMs: presigning.maxAgeMs,
    busy: presigning.busy,
    pairs: await statesOfPairs(step),
  })
  const changes = old.map(({ id }) => takePresignature(id))
  return { output, changes, event: step.event({ keyId }) }
}

function bySet(pooled: readonly Pooled[]): readonly PoolOfSet[] {
  const sets = new Map<string, PoolOfSet>()
  for (const { signers, madeAt } of pooled) {
    const { ready, oldestAt } = sets.get(setName(signers)) ?? { ready: 0, oldestAt: madeAt }
    sets.set(setName(signers), { signers, ready: ready + 1, oldestAt: Math.min(oldestAt, madeAt) })
  }
  return [...sets.values()]
}
