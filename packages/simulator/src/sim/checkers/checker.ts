import type { Identifier } from "@lockkeeper/crypto"
import type { Observed, ProcessStart, PutBack, ToldPosition } from "../observed.ts"

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
  const { order, history } = commit
  const own = copies.filter((copy) => copy.server === server)
  let [of, until] = [own.length, Number.POSITIVE_INFINITY]
  // Backwards: what was written since the last copy was put back, then what that copy held.
  while (of > history) {
    const begun = own.find((copy) => copy.history === of) as PutBack
    until = begun.taken
    of = begun.of
  }
  return of === history && order < until
}

export function restoresOf(
  starts: readonly ProcessStart[],
  server: Identifier,
): readonly ProcessStart[] {
  return starts.filter((start) => start.server === server && start.how === "restored")
}
