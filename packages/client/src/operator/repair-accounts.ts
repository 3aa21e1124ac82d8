import { type LockKeeperError, reshareTarget } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { IncidentLog } from "../incidents.ts"
import { throwIfCancelled } from "../patience.ts"
import { batchesOf, type CampaignBatch } from "./batches.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import type { NotRepaired } from "./repair-batch.ts"
import { ReshareBatch } from "./reshare-batch.ts"
import type { InForce } from "./sharings-in-force.ts"

export interface AccountRepair {
  /** Who lacks them. */
  readonly member: Identifier
  readonly lacking: readonly { readonly id: Bytes }[]
  /** All that is listed: names move in ranges between the accounts. */
  readonly all: readonly InForce[]
  readonly size: number
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
  /** Told of each batch when it is over. */
  readonly ended: (done: number, skipped: readonly NotRepaired[]) => void
}

/**
 * Deals the accounts that a holder lacks anew to the same holders. One share alone could be made again as
 * those of keys are, but its names would go on pretending what they did: here they move with it.
 */
export async function repairAccounts(
  principal: OperatorPrincipal,
  { member, lacking, all, size, signal, incidents, ended }: AccountRepair,
): Promise<void> {
  const { trust, deps } = principal.servers
  const ids = new Set(lacking.map(({ id }) => toHex(id)))
  const due = new Set(all.filter(({ id }) => ids.has(toHex(id))))
  const target = reshareTarget(trust.roster)
  const pass = { kind: "accounts", target, size, due, now: deps.clock.now() } as const
  for (const batch of batchesOf(pass, all)) {
    throwIfCancelled(signal)
    const order = { ...batch, leaveOut: [], signal, incidents }
    const { done, leftOut, missing, lingering, failure } = await new ReshareBatch(
      principal,
      order,
    ).run()
    const isMissed = missing.includes(member) || lingering.includes(member)
    const skipped: NotRepaired[] = leftOut.map(({ id, reason }) => ({ id, reason }))
    if (failure !== null) skipped.push(...allOf(batch, skipped, failure))
    else if (isMissed) skipped.push(...done.map((id) => ({ id, reason: "unavailable" })))
    ended(isMissed ? 0 : done.length, skipped)
  }
}

function allOf(
  { keys }: CampaignBatch,
  but: readonly NotRepaired[],
  { code }: LockKeeperError,
): readonly NotRepaired[] {
  const told = new Set(but.map(({ id }) => toHex(id)))
  const rest = keys.map(({ sharing }) => sharing.id).filter((id) => !told.has(toHex(id)))
  return rest.map((id) => ({ id, reason: code }))
}
