import { holderIds, type Roster } from "@lockkeeper/api"
import type { ReshareReport, SharingKind } from "@lockkeeper/client/operator"
import { toHex } from "@lockkeeper/encoding"
import { counted, MAX_NAMED, outcomeJson, type Wording } from "./refresh-text.ts"

// What a reshare is going to do and came to, for people and for programs.

/** Accounts first: whoever logs in where they are now can still use keys where those were. */
export const MOVED: readonly SharingKind[] = ["accounts", "keys"]

export function wordingFor(roster: Roster): Wording {
  const holders = holderIds(roster).join(", ")
  return {
    done: `move to servers ${holders}, any ${roster.minSigners} of which can use them`,
    fresh: "stand there already, or stay with some of these servers",
    work: "Moving",
  }
}

/** Whether nothing is left to be moved, brought or erased, as every server says. */
export function isMoved(report: ReshareReport): boolean {
  const { skipped, missing, lingering, keeping, unanswered } = report
  return skipped.length + missing.size + lingering.size + keeping.size + unanswered.size === 0
}

export function movedText(kind: SharingKind, outcome: ReshareReport): string {
  const { done, skipped, missing, lingering, keeping, unanswered, finished } = outcome
  const lines = [`${counted(kind, done)} moved`]
  if (finished > 0) lines.push(`runs that were left half way: finished at ${finished} servers`)
  for (const [server, count] of missing) {
    const lacks = `server ${server} has no shares of ${counted(kind, count)} that moved`
    lines.push(`${lacks}: run \`lockkeeper repair --server ${server}\` when it is back`)
  }
  for (const [server, count] of lingering) {
    lines.push(
      `server ${server} has still to take its shares of ${counted(kind, count)}: run again`,
    )
  }
  for (const [server, count] of keeping) {
    const keeps = `server ${server} has not erased its old shares of ${counted(kind, count)}`
    lines.push(`${keeps}: run again when it is back`)
  }
  for (const [server, { message }] of unanswered) {
    lines.push(`server ${server} did not say what it holds (${message}): run again when it is back`)
  }
  for (const { id, reason } of skipped.slice(0, MAX_NAMED)) {
    lines.push(`left where it is: ${toHex(id)}: ${reason}`)
  }
  const more = skipped.length - MAX_NAMED
  if (more > 0) lines.push(`left where they are: ${more} more`)
  return `${lines.join("\n  ")}\n`
}

export function movedJson(kind: SharingKind, outcome: ReshareReport) {
  const { fresh: settled, ...rest } = outcomeJson(kind, outcome)
  return { ...rest, settled, keeping: Object.fromEntries(outcome.keeping) }
}
