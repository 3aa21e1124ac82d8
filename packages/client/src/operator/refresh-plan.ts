import type { LockKeeperError, SharingKind, SharingListing } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { RESHARE_BATCH } from "../limits.ts"
import type { Servers } from "../servers.ts"
import { batchesOf, type CampaignBatch } from "./batches.ts"
import type { FromServers } from "./operator-session.ts"
import { inForce } from "./sharings-in-force.ts"

export interface PlanOptions {
  readonly kind: SharingKind
  /**
   * Shares that came into force before this are refreshed, milliseconds since the Unix epoch; all by
   * default. With the same time a campaign that was stopped goes on where it was.
   */
  readonly before?: number
  /** Most sharings of one batch, 50 by default; a run of 2-of-3 carries 200, of larger thresholds fewer. */
  readonly batch?: number
  /** Most sharings that are taken on at once, the oldest first; all by default. */
  readonly most?: number
}

/** A sharing that was not refreshed, and why. */
export interface Skipped {
  readonly id: Bytes
  /** `too-few-holders`, an abort reason, or the code of an error. */
  readonly reason: string
}

/** What a refresh is going to do, from what the servers list. */
export interface RefreshPlan {
  readonly kind: SharingKind
  /** How many there are. */
  readonly total: number
  /** How many are due, beyond `most` too. */
  readonly due: number
  /** How many of those that are taken on there are of each generation. */
  readonly generations: ReadonlyMap<number, number>
  readonly batches: readonly CampaignBatch[]
  /** Those that no t servers list alike. */
  readonly skipped: readonly Skipped[]
  /** Servers that are behind what another one has, and get it first. */
  readonly behind: readonly Identifier[]
  /** Since when the oldest of all is in force, milliseconds since the Unix epoch. */
  readonly oldest: number | null
  /** When a run last gave new shares of one of them; null where none has. */
  readonly lastRun: number | null
  /** Who did not answer, and why. */
  readonly failures: ReadonlyMap<Identifier, LockKeeperError>
}

export function planRefresh(
  { answers, failures }: FromServers<readonly SharingListing[]>,
  { minSigners, deps }: Pick<Servers, "minSigners" | "deps">,
  { kind, before = Number.POSITIVE_INFINITY, batch: size = RESHARE_BATCH, most }: PlanOptions,
): RefreshPlan {
  const now = deps.clock.now()
  const all = inForce(answers, minSigners, now)
  const due = all.filter(({ since, sharing }) => sharing === null || since < before)
  // Ids stay in order among those of one time.
  const taken = most === undefined ? due : [...due].sort((a, b) => a.since - b.since).slice(0, most)
  const generations = new Map<number, number>()
  for (const { sharing } of taken) {
    if (sharing === null) continue
    generations.set(sharing.keyEpoch, (generations.get(sharing.keyEpoch) ?? 0) + 1)
  }
  const known = all.filter(({ sharing }) => sharing !== null)
  const byRuns = known.filter(({ sharing }) => sharing !== null && sharing.keyEpoch > 1)
  return {
    ...{ kind, total: all.length, due: due.length, generations, failures },
    batches: batchesOf({ kind, size, due: new Set(taken), now }, all),
    skipped: taken
      .filter(({ sharing }) => sharing === null)
      .map(({ id }) => ({ id, reason: "too-few-holders" })),
    behind: [...new Set(all.flatMap(({ behind }) => behind.map(({ server }) => server)))],
    oldest: known.reduce<number | null>(
      (least, { since }) => Math.min(least ?? since, since),
      null,
    ),
    lastRun: byRuns.reduce<number | null>(
      (most, { since }) => Math.max(most ?? since, since),
      null,
    ),
  }
}
