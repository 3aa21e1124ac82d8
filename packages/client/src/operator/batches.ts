import { LAST_ACCOUNT_ID, rangeEnd, type SharingKind, type SharingShape } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { reshare } from "@lockkeeper/protocols"
import type { BatchKind } from "./reshare-steps.ts"
import type { InForce } from "./sharings-in-force.ts"
import { mostTold } from "./told-records.ts"

/** Sharings that are refreshed, or moved, in one run. */
export interface CampaignBatch {
  readonly of: BatchKind
  /** Where they move to; null where they stay with their holders. */
  readonly target: SharingShape | null
  readonly keys: readonly reshare.ReshareKey[]
  /** Servers that hold all of them in the generation in force. */
  readonly heldBy: readonly Identifier[]
}

export interface Pass {
  readonly kind: SharingKind
  /** Where what is due moves to; null where it stays with its holders. */
  readonly target: SharingShape | null
  /** Most sharings of one batch. */
  readonly size: number
  /** Of those that are listed; the others stay as they are. */
  readonly due: ReadonlySet<InForce>
  readonly now: number
}

/** What is due, in batches: each of the same holders and threshold. */
export function batchesOf(pass: Pass, listed: readonly InForce[]): readonly CampaignBatch[] {
  const batches =
    pass.kind === "accounts" ? batchesOfAccounts(pass, listed) : batchesOfKeys(pass, listed)
  const heldBy = new Map(listed.map((one) => [toHex(one.id), one.heldBy]))
  return batches.map((batch) => {
    const [first = [], ...others] = batch.keys.map(({ sharing }) => heldBy.get(toHex(sharing.id)))
    return {
      ...{ ...batch, target: pass.target },
      heldBy: (first ?? []).filter((id) => others.every((all) => all?.includes(id))),
    }
  })
}

type Batch = Omit<CampaignBatch, "heldBy" | "target">

function batchesOfKeys(pass: Pass, listed: readonly InForce[]): readonly Batch[] {
  const { due, target } = pass
  const groups = new Map<string, reshare.ReshareKey[]>()
  for (const one of listed) {
    const key = keyOf(one)
    if (key === null || !due.has(one)) continue
    const { keyEpoch, rosterEpoch } = key.sharing
    // Who deals must hold all of a batch, and where it moves there may be nobody to spare.
    const by = target === null ? "" : [...one.heldBy].sort((a, b) => a - b).join()
    const name = `${shapeOf(key)} ${keyEpoch} ${rosterEpoch} ${by}`
    groups.set(name, [...(groups.get(name) ?? []), key])
  }
  return [...groups.values()].flatMap((keys) => {
    const most = mostOf(keys[0] as reshare.ReshareKey, pass)
    const count = Math.ceil(keys.length / most)
    return Array.from({ length: count }, (_, i) => {
      const of = { kind: "keys", range: null } as const
      return { of, keys: keys.slice(i * most, (i + 1) * most) }
    })
  })
}

/** What stands together in the order of ids, whatever its generations. */
interface Stretch {
  readonly shape: string
  readonly isDue: boolean
  readonly keys: reshare.ReshareKey[]
  /** Of its first and last account, be they in the batch or not. */
  readonly first: Bytes
  last: Bytes
}

/**
 * In the order of ids, with ranges that follow each other: no range covers an account that stays as it
 * is but one that nobody can refresh, so that unknown names move where accounts do.
 */
function batchesOfAccounts(pass: Pass, listed: readonly InForce[]): readonly Batch[] {
  const stretches: Stretch[] = []
  for (const one of listed) {
    const key = keyOf(one)
    const open = stretches.at(-1)
    if (key === null) {
      if (open !== undefined) open.last = one.id
      continue
    }
    const [shape, isDue] = [shapeOf(key), pass.due.has(one)]
    const fits = open?.shape === shape && open.isDue === isDue
    if (fits && open.keys.length < mostOf(key, pass)) {
      open.keys.push(key)
      open.last = one.id
    } else stretches.push({ shape, isDue, keys: [key], first: one.id, last: one.id })
  }
  const generation = numberOf(pass, listed)
  const batches: Batch[] = []
  let after: Bytes | null = null
  for (const [i, { isDue, keys, last }] of stretches.entries()) {
    const next = stretches[i + 1]
    const to: Bytes = next === undefined ? LAST_ACCOUNT_ID : rangeEnd(last, next.first)
    if (isDue) batches.push({ of: { kind: "accounts", range: { after, to, generation } }, keys })
    after = to
  }
  return batches
}

/** The second in which the pass begins, and a later one than any earlier pass was numbered by. */
function numberOf({ now }: Pass, listed: readonly InForce[]): number {
  const latest = listed.reduce((most, { since }) => Math.max(most, since), 0)
  return Math.max(Math.floor(now / 1000), Math.floor(latest / 1000) + 1)
}

function keyOf({ sharing, toKeyEpoch }: InForce): reshare.ReshareKey | null {
  return sharing === null ? null : { sharing, toKeyEpoch }
}

function shapeOf({ sharing: { verifyingShares, minSigners } }: reshare.ReshareKey): string {
  return `${[...verifyingShares.keys()].sort((a, b) => a - b)} ${minSigners}`
}

function mostOf({ sharing }: reshare.ReshareKey, { kind, size, target }: Pass): number {
  const { minSigners, verifyingShares } = sharing
  const most = Math.min(reshare.maxKeys(minSigners, target?.minSigners ?? minSigners), size)
  if (target === null) return Math.max(1, most)
  return Math.max(1, Math.min(most, mostTold(kind, verifyingShares.size, verifyingShares.size)))
}
