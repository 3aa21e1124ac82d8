import type { Identifier } from "@lockkeeper/crypto"
import type { Observed, ProcessStart, ToldPosition } from "../observed.ts"

/** Judges a run that has ended. */
export interface Checker {
  readonly name: string
  /** What must hold, in a sentence. */
  readonly holds: string
  /** Every way in which it did not; none when all is well. */
  check(observed: Observed): readonly string[]
}

/**
 * Whether an entry that a client was told of is to be found in the end: not when the run itself put
 * the database back to a copy that was made before the entry, or belongs to another history.
 */
export function isKept(
  { commits, copies }: Pick<Observed, "commits" | "copies">,
  { server, index, head }: ToldPosition,
): boolean {
  const commit = commits.find(
    (one) =>
      one.server === server &&
      one.events.some((event) => event.index === index && event.head === head),
  )
  // What nobody committed cannot have been lost by a copy.
  if (commit === undefined) return true
  const { order } = commit
  const own = copies.filter((copy) => copy.server === server)
  // Backwards: what was written since the last copy was put back, then what that copy held.
  for (let until = Number.POSITIVE_INFINITY; ; ) {
    const before = own.filter(({ putBack }) => putBack < until)
    const last = before.sort((a, b) => b.putBack - a.putBack)[0]
    if (last === undefined) return order < until
    if (order >= last.putBack && order < until) return true
    until = last.taken
  }
}

export function restoresOf(
  starts: readonly ProcessStart[],
  server: Identifier,
): readonly ProcessStart[] {
  return starts.filter((start) => start.server === server && start.how === "restored")
}
