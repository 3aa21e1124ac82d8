import { MAX_CLOCK_SKEW_MS } from "@lockkeeper/api"
import type { KeyCertificate } from "@lockkeeper/protocols"
import { rosterAt, type ServerSelf } from "../self.ts"

/**
 * When something was made that holders tell of, each by its own clock. Fewer than `need` lie: the
 * `need`-th of the times in order is no earlier than an honest holder's, and where `need` - 1 more than
 * that tell, no later than one's either. Null where fewer than `need` tell.
 */
export function toldTime(times: readonly number[], need: number): number | null {
  return [...times].sort((a, b) => a - b)[need - 1] ?? null
}

/**
 * The same within what is known here: nothing was made in the future, and a key with the shares of its
 * creation not before the roster that it was made under.
 */
export function toldKeyTime(
  self: Pick<ServerSelf, "roster" | "rostersBefore">,
  { public: { keyEpoch, rosterEpoch } }: KeyCertificate,
  time: number,
  now: number,
): number {
  const roster = keyEpoch === 1 ? rosterAt(self, rosterEpoch) : null
  const earliest = roster === null ? 0 : roster.createdAt - MAX_CLOCK_SKEW_MS
  return Math.min(now, Math.max(time, earliest))
}
