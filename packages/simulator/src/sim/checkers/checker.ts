import type { Identifier } from "@lockkeeper/crypto"
import type { Observed, ProcessStart } from "../observed.ts"

/** Judges a run that has ended. */
export interface Checker {
  readonly name: string
  /** What must hold, in a sentence. */
  readonly holds: string
  /** Every way in which it did not; none when all is well. */
  check(observed: Observed): readonly string[]
}

/** A time and how it is counted within a run: what came later has the higher order. */
export interface Moment {
  readonly order: number
}

/**
 * Whether the run itself put the server's database back, after `since`, to a copy that ends before
 * the entry `index`: what such a copy does not hold, the server cannot have.
 */
export function wasRolledBack(
  { starts }: Pick<Observed, "starts">,
  server: Identifier,
  since: Moment,
  index: number,
): boolean {
  return restoresOf(starts, server).some(
    ({ order, logSize }) => order > since.order && logSize <= index,
  )
}

export function restoresOf(
  starts: readonly ProcessStart[],
  server: Identifier,
): readonly ProcessStart[] {
  return starts.filter((start) => start.server === server && start.how === "restored")
}
