import type { Identifier } from "@lockkeeper/crypto"
import type { Abort } from "../outcome.ts"
import { keysRoot, type ReshareKey } from "./keys.ts"
import { quorumFor, type ReshareParams } from "./params.ts"

/** A run as a coordinator begins it. */
export interface ReshareAttempt {
  readonly params: ReshareParams
  readonly keys: readonly ReshareKey[]
  /** Holders that are not asked. */
  readonly leaveOut: readonly Identifier[]
}

/**
 * What to start again with: other dealers instead of culprits and of who was silent, and without such
 * holders, as far as enough of both remain; null when they do not. Where somebody may have confirmed,
 * every key goes to the next keyEpoch, since nobody confirms one twice.
 */
export function nextAttempt(
  { params, keys, leaveOut }: ReshareAttempt,
  { abort, spent }: { readonly abort: Abort; readonly spent: boolean },
): ReshareAttempt | null {
  const out = new Set([...abort.culprits, ...abort.silent, ...leaveOut])
  const holdsAll = (one: Identifier) =>
    keys.every(({ sharing }) => sharing.verifyingShares.has(one))
  const holders = [...(keys[0]?.sharing.verifyingShares.keys() ?? [])]
  const able = holders.filter((one) => !out.has(one) && holdsAll(one))
  const staying = params.dealers.filter((dealer) => able.includes(dealer))
  const fresh = able.filter((one) => !params.dealers.includes(one))
  const dealers = [...staying, ...fresh].slice(0, params.dealers.length).sort((a, b) => a - b)
  if (dealers.length < params.dealers.length) return null
  const without = params.holders.filter((holder) => out.has(holder))
  if (params.holders.length - without.length < quorumFor(params)) return null

  const next = spent ? keys.map((key) => ({ ...key, toKeyEpoch: key.toKeyEpoch + 1 })) : keys
  const attempt = params.attempt + 1
  return {
    params: { ...params, dealers, attempt, keys: keysRoot(next) },
    keys: next,
    leaveOut: without,
  }
}
