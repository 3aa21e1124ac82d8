import type { RefreshPlan } from "@lockkeeper/client/operator"

const HOUR_MS = 3_600_000

/** Longest pause after failures, in intervals. */
const MAX_BACKOFF = 16

export interface Turn {
  /** From the roster: how old shares become, hours. */
  readonly refreshHours: number
  /** The roster's members' identifiers, and this operator's server among them. */
  readonly members: readonly number[]
  readonly server: number
  readonly intervalMs: number
}

/**
 * What this operator's daemon refreshes now: what came into force before that time. Who is first
 * changes from period to period; each next one takes what the ones before have left for longer, so
 * that one works and the others stand in where it does not.
 */
export function dueBefore(now: number, turn: Turn): number {
  const { refreshHours, members, server, intervalMs } = turn
  const periodMs = refreshHours * HOUR_MS
  const inOrder = [...members].sort((a, b) => a - b)
  const first = Math.floor(now / periodMs)
  const place = inOrder.indexOf(server) - (first % inOrder.length)
  const rank = (place + inOrder.length) % inOrder.length
  // Two looks of the one before lie between: it has begun by then, if it does at all.
  return now - periodMs - rank * 2 * intervalMs
}

/** How far the servers' clocks may be from this one's, milliseconds. */
const SKEW_MS = 60_000

/** Whether another operator works at it: a run ended lately, and it was none of this daemon's. */
export function othersAtWork(
  { lastRun }: Pick<RefreshPlan, "lastRun">,
  { now, ownAt, intervalMs }: { now: number; ownAt: number; intervalMs: number },
): boolean {
  return lastRun !== null && lastRun > now - intervalMs && lastRun > ownAt + SKEW_MS
}

/**
 * Until the next look, milliseconds: longer with each failure in a row, and never quite the same, so that
 * daemons that began together do not stay together.
 *
 * @param chance - uniform, from 0 to below 1.
 */
export function pauseMs(intervalMs: number, failures: number, chance: number): number {
  const longer = Math.min(2 ** failures, MAX_BACKOFF)
  return Math.round(intervalMs * longer * (0.75 + chance / 2))
}
