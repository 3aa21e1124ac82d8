import { encodeRoster, LockKeeperError, lastSettled, type Member } from "@lockkeeper/api"
import { equalBytes } from "@lockkeeper/encoding"
import type { Holdings, Outlook, RosterStep } from "./holdings.ts"
import { settles } from "./roster-bundle.ts"

/** Whether an operator says that what the server cannot see is so. */
export interface GoOnOptions {
  readonly isForced: boolean
}

/**
 * Refuses a roster under which shares that the server holds are of no use, or may be: what it can only
 * doubt its operator may know better.
 *
 * @throws LockKeeperError `conflict`
 */
export function checkMayGoOn(
  { before, roster }: Pick<RosterStep, "before" | "roster">,
  { stranded, doubtful, forgotten, cameSince }: Omit<Outlook, "held">,
  { isForced }: GoOnOptions,
): void {
  if (isAny(stranded)) {
    if (settles(before, encodeRoster(roster))) throw stillToMove(stranded)
    throw noUse(roster.rosterEpoch, stranded, roster.transition !== null)
  }
  if (isForced) return
  if (isAny(doubtful)) throw tooFewLeft(roster.rosterEpoch, doubtful, cameSince)
  if (isAny(forgotten)) throw noneKnows(roster.rosterEpoch, forgotten)
}

/**
 * Refuses to end a transition at a server that came with it, before both keys and accounts have come to
 * it: once it follows another roster than the others no run of theirs brings it any, and it cannot see
 * whether they hold some.
 *
 * @param member - the server's own row.
 * @throws LockKeeperError `conflict`
 */
export function checkHasCome(
  { followed, before, roster }: RosterStep,
  { identityKey, name }: Member,
  { keys, accounts }: Holdings,
  { isForced }: GoOnOptions,
): void {
  if (isForced || (keys > 0 && accounts > 0) || !settles(before, encodeRoster(roster))) return
  const wasListed = lastSettled(followed)?.members.some((one) =>
    equalBytes(one.identityKey, identityKey),
  )
  if (wasListed === true) return
  const what = keys + accounts === 0 ? "nothing" : keys === 0 ? "no key" : "no account"
  throw new LockKeeperError("conflict", `"${name}" joins, and ${what} has come to it yet.`, {
    field: "transition",
    remedy:
      "Run `lockkeeper reshare` to its end, or `lockkeeper repair` where it took another's place, then " +
      "settle: from then on it takes no part in them. Where there is nothing to come, settle with --force.",
  })
}

function isAny({ keys, accounts }: Holdings): boolean {
  return keys + accounts > 0
}

function textOf({ keys, accounts }: Holdings): string {
  return `${keys} keys and ${accounts} accounts`
}

function stillToMove(stranded: Holdings): LockKeeperError {
  return new LockKeeperError("conflict", `${textOf(stranded)} of this server still have to move.`, {
    field: "transition",
    remedy: "Run `lockkeeper reshare` until nothing is lacking, then settle.",
  })
}

function noUse(rosterEpoch: number, stranded: Holdings, isInTransition: boolean): LockKeeperError {
  const message = `Under roster ${rosterEpoch} ${textOf(stranded)} of this server could not be used.`
  return new LockKeeperError("conflict", message, {
    field: "bundle",
    remedy: isInTransition
      ? "Keep more of their holders in the roster, or have lost ones repaired first."
      : "Deal their shares anew first: `lockkeeper reshare` under a roster in transition.",
  })
}

function noneKnows(rosterEpoch: number, forgotten: Holdings): LockKeeperError {
  const message = `With roster ${rosterEpoch} the server forgets the one that ${textOf(forgotten)} were dealt under.`
  return new LockKeeperError("conflict", message, {
    field: "bundle",
    remedy:
      "Run `lockkeeper refresh` to its end first: the rosters that are kept are bounded, and it deals anew " +
      "under the one in force. What is still dealt under the forgotten one can then not be used; to give it " +
      "up, go on with --force.",
  })
}

function tooFewLeft(
  rosterEpoch: number,
  doubtful: Holdings,
  cameSince: readonly string[],
): LockKeeperError {
  const [first] = cameSince
  const left = `Roster ${rosterEpoch} leaves too few of the servers that ${textOf(doubtful)} were dealt to`
  if (first === undefined) {
    return new LockKeeperError("conflict", `${left}, and nobody else who could have shares.`, {
      field: "bundle",
      remedy:
        "Replace fewer at once, with `lockkeeper repair` and `lockkeeper refresh` between. Where they are " +
        "lost for good, go on with --force.",
    })
  }
  const names = cameSince.map((name) => `"${name}"`).join(", ")
  return new LockKeeperError("conflict", `${left}: ${names} came since, and may lack shares.`, {
    field: "bundle",
    remedy:
      "Run `lockkeeper repair` for what lacks shares and `lockkeeper refresh`, under the roster in force, " +
      "then activate this one. Where a refresh is not possible, as with a lost member, see that " +
      `\`lockkeeper repair --server ${first} --dry-run\` finds nothing, and go on with --force.`,
  })
}
