import {
  isAtTarget,
  type LockKeeperError,
  mayReshare,
  placeOfShares,
  type Roster,
  reshareTarget,
  type SharingKind,
  type SharingListing,
  type SharingShape,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { RESHARE_BATCH } from "../limits.ts"
import type { Servers } from "../servers.ts"
import { batchesOf, type CampaignBatch } from "./batches.ts"
import type { FromServers } from "./operator-session.ts"
import { type InForce, inForce } from "./sharings-in-force.ts"

export interface PlanOptions {
  readonly kind: SharingKind
  /**
   * Shares that came into force before this are refreshed, milliseconds since the Unix epoch; all by
   * default. With the same time a campaign that was stopped goes on where it was.
   */
  readonly before?: number
  /** Most sharings of one batch, 12 by default; a run of 2-of-3 carries 200, of larger thresholds fewer. */
  readonly batch?: number
  /** Most sharings that are taken on at once, the oldest first; all by default. */
  readonly most?: number
}

/** A sharing that was not refreshed, and why. */
export interface Skipped {
  readonly id: Bytes
  /** `too-few-holders`, `on-its-way` to other holders, an abort reason, or the code of an error. */
  readonly reason: string
}

/** What a refresh or a reshare is going to do, from what the servers list. */
export interface RefreshPlan {
  readonly kind: SharingKind
  /** How many there are. */
  readonly total: number
  /** How many are due, beyond `most` too. */
  readonly due: number
  /** How many of those that are taken on there are of each generation. */
  readonly generations: ReadonlyMap<number, number>
  readonly batches: readonly CampaignBatch[]
  /** Those that too few list alike, or that a reshare has to move first. */
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

/** Of what is to become of shares. A refresh leaves them where they are. */
export type Purpose = "refresh" | "reshare"

export function planRefresh(
  listings: FromServers<readonly SharingListing[]>,
  servers: Planned,
  options: PlanOptions,
): RefreshPlan {
  return planOf("refresh", listings, servers, options)
}

type Planned = Pick<Servers, "trust" | "deps">

/** What is due: in a reshare what stands elsewhere than the roster wants it, in a refresh what is old. */
export function planOf(
  purpose: Purpose,
  { answers, failures }: FromServers<readonly SharingListing[]>,
  { trust, deps }: Planned,
  { kind, before = Number.POSITIVE_INFINITY, batch: size = RESHARE_BATCH, most }: PlanOptions,
): RefreshPlan {
  const now = deps.clock.now()
  const { roster } = trust
  const all = inForce(answers, trust, now)
  const target = purpose === "reshare" ? reshareTarget(roster) : null
  const isDue = ({ since, sharing }: InForce) =>
    sharing === null || (purpose === "reshare" ? isToMove(roster, sharing) : since < before)
  const due = all.filter(isDue)
  // Ids stay in order among those of one time.
  const taken = most === undefined ? due : [...due].sort((a, b) => a.since - b.since).slice(0, most)
  const reasons = new Map(taken.map((one) => [one, whyNot(purpose, roster, one)]))
  const done = new Set(taken.filter((one) => reasons.get(one) === null))
  const generations = new Map<number, number>()
  for (const { sharing } of done) {
    if (sharing === null) continue
    generations.set(sharing.keyEpoch, (generations.get(sharing.keyEpoch) ?? 0) + 1)
  }
  const known = all.filter(({ sharing }) => sharing !== null)
  const byRuns = known.filter(({ sharing }) => sharing !== null && sharing.keyEpoch > 1)
  return {
    ...{ kind, total: all.length, due: due.length, generations, failures },
    batches: batchesOf({ kind, target, size, due: done, now }, all),
    skipped: taken.flatMap((one) => {
      const reason = reasons.get(one) ?? null
      return reason === null ? [] : [{ id: one.id, reason }]
    }),
    behind: [...new Set(all.flatMap(({ behind }) => behind))],
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

type Held = NonNullable<InForce["sharing"]>

function shapeOf({ verifyingShares, minSigners }: Held): SharingShape {
  return { holders: [...verifyingShares.keys()], minSigners }
}

/** What is stranded is due as well, and cannot be done. */
function isToMove(roster: Roster, held: Held): boolean {
  const shape = shapeOf(held)
  if (isAtTarget(roster, shape)) return false
  return mayReshare(roster, shape) || placeOfShares(roster, shape) === "stranded"
}

/** Why nothing is done about one that is due; null where it is. */
function whyNot(purpose: Purpose, roster: Roster, { sharing }: InForce): string | null {
  if (sharing === null) return "too-few-holders"
  const place = placeOfShares(roster, shapeOf(sharing))
  if (place === "stranded") return "too-few-holders"
  return purpose === "refresh" && place === "moving" ? "on-its-way" : null
}
