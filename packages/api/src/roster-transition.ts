import type { Identifier } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import { LockKeeperError } from "./errors.ts"
import {
  continuesTransition,
  encodeRoster,
  type Member,
  type Roster,
  rosterDigest,
  type Transition,
} from "./roster.ts"

// A change of holders takes two rosters. The first one lists everybody, those that leave too, and is in
// transition: under it shares are dealt anew, batch by batch, while all of them are used. The second
// one is the first without those that left. Both are signed at once: the one follows from the other.

/** Whether a member's shares move to others. */
export function isLeaving({ transition }: Pick<Roster, "transition">, one: Identifier): boolean {
  return transition?.leaving.includes(one) ?? false
}

/** The members that new keys and accounts are dealt to, and that old ones move to. */
export function holdersOf(roster: Pick<Roster, "members" | "transition">): readonly Member[] {
  return roster.members.filter(({ identifier }) => !isLeaving(roster, identifier))
}

/** Their identifiers, ascending. */
export function holderIds(roster: Pick<Roster, "members" | "transition">): readonly Identifier[] {
  return holdersOf(roster).map(({ identifier }) => identifier)
}

/** The thresholds that shares may have under this roster: its own, and the one before in transition. */
export function thresholdsOf({
  minSigners,
  transition,
}: Pick<Roster, "minSigners" | "transition">): readonly number[] {
  const before = transition?.minSignersBefore ?? minSigners
  return before === minSigners ? [minSigners] : [minSigners, before]
}

/** The least of them: t of what takes fewest. */
export function fewestSigners(roster: Pick<Roster, "minSigners" | "transition">): number {
  return Math.min(...thresholdsOf(roster))
}

/**
 * The same for the shares that each member may hold: members that leave hold those of before alone, and
 * members that the roster of then does not list hold none of those.
 *
 * @param before - the last roster before that was not in transition; null where none is known.
 */
export function thresholdsAt(
  roster: Roster,
  before: Roster | null,
): ReadonlyMap<Identifier, readonly number[]> {
  const { members, minSigners, transition } = roster
  const old = transition?.minSignersBefore ?? minSigners
  const heldBefore = ({ identityKey }: Member): boolean =>
    before?.members.some((m) => equalBytes(m.identityKey, identityKey)) ?? false
  return new Map(
    members.map((member) => {
      const { identifier } = member
      if (!heldBefore(member)) return [identifier, [minSigners]]
      return [identifier, isLeaving(roster, identifier) ? [old] : thresholdsOf(roster)]
    }),
  )
}

/**
 * The last of these rosters that asked for all shares as before a transition: who came since holds none of
 * those. Null where none is known.
 *
 * @param before - the rosters before the one in transition, oldest first.
 */
export function lastSettled(before: readonly Roster[]): Roster | null {
  return before.findLast(({ transition }) => transition === null) ?? null
}

/** Who holds something, and how many of them it takes. */
export interface SharingShape {
  readonly holders: readonly Identifier[]
  readonly minSigners: number
}

/** Whether two rosters list the same server under an identifier, not one in the place of another. */
export function isSameServer(
  one: Pick<Roster, "members">,
  other: Pick<Roster, "members">,
  identifier: Identifier,
): boolean {
  const [a, b] = [one, other].map(({ members }) => members.find((m) => m.identifier === identifier))
  return a !== undefined && b !== undefined && equalBytes(a.identityKey, b.identityKey)
}

/**
 * Whether a roster has shares dealt like this: with its own threshold, among its holders. Everything that
 * is dealt under it is. What is not was made by fewer than it trusts, be it by those that join or leave.
 */
export function asksFor(roster: Roster, { holders, minSigners }: SharingShape): boolean {
  const wanted = holderIds(roster)
  return minSigners === roster.minSigners && holders.every((one) => wanted.includes(one))
}

/**
 * Where shares stand under a roster: `settled` where it wants them, among its holders and with its
 * threshold; `moving` where they can be used and dealt anew in transition; `stranded` where they cannot.
 */
export function placeOfShares(
  roster: Roster,
  { holders, minSigners }: SharingShape,
): "settled" | "moving" | "stranded" {
  if (asksFor(roster, { holders, minSigners })) return "settled"
  if (roster.transition === null || !thresholdsOf(roster).includes(minSigners)) return "stranded"
  const listed = roster.members.map(({ identifier }) => identifier)
  const left = holders.filter((one) => listed.includes(one))
  return left.length >= minSigners ? "moving" : "stranded"
}

/** The rosters that decide what becomes of shares when the next one comes. */
export interface HoldersChange {
  /** The roster that they were dealt under; null where it is not known any more. */
  readonly dealt: Roster | null
  readonly before: Roster
  readonly next: Roster
}

/**
 * Where shares come to stand with the next roster. `doubtful` where it takes away servers that may hold
 * some, and leaves fewer than it takes of those that they were dealt to: who came in another's place
 * since then may have been repaired, but no certificate says so.
 */
export function placeAfter(
  { dealt, before, next }: HoldersChange,
  shape: SharingShape,
): ReturnType<typeof placeOfShares> | "doubtful" {
  const place = placeOfShares(next, shape)
  const listed = before.members.map(({ identifier }) => identifier)
  const isTaken = (one: Identifier) => listed.includes(one) && !isSameServer(before, next, one)
  if (place === "stranded" || !shape.holders.some(isTaken)) return place
  const sure = shape.holders.filter((one) => dealt !== null && isSameServer(dealt, next, one))
  return sure.length < shape.minSigners ? "doubtful" : place
}

/** Of those that may hold shares after a change, the ones that came since these were dealt. */
export function cameSince(
  { dealt, before, next }: HoldersChange,
  { holders }: SharingShape,
): readonly Identifier[] {
  const stay = holders.filter((one) => isSameServer(before, next, one))
  return stay.filter((one) => dealt === null || !isSameServer(dealt, next, one))
}

/** Whether the next roster has other holders or another threshold, so that it has to be in transition. */
export function needsTransition(before: Roster, next: Roster): boolean {
  const [from, to] = [holdersOf(before), holdersOf(next)]
  const stays = ({ identifier, identityKey }: Member): boolean =>
    to.some((m) => m.identifier === identifier && equalBytes(m.identityKey, identityKey))
  return from.length !== to.length || !from.every(stays) || before.minSigners !== next.minSigners
}

/**
 * The transition that takes a roster to its next one. Where shares are still on their way, as when a
 * member is lost meanwhile, they go on from where they are.
 *
 * @param next - the threshold of the next one.
 * @param leaving - members of the next one that hold shares until these have moved.
 * @throws LockKeeperError `conflict` where shares would come to have three thresholds.
 */
export function transitionFrom(
  before: Roster,
  next: number,
  leaving: readonly Identifier[],
): Transition {
  const minSignersBefore = before.transition?.minSignersBefore ?? before.minSigners
  const transition = { leaving: [...leaving].sort((a, b) => a - b), minSignersBefore }
  if (continuesTransition(before, { minSigners: next, transition })) return transition
  throw new LockKeeperError("conflict", "Shares are still on their way to another threshold.", {
    field: "minSigners",
    remedy: "Finish it first: run `lockkeeper reshare`, then `lockkeeper roster settle`.",
  })
}

/**
 * The roster that ends a transition: the same without those that leave. It follows from the one in
 * transition alone, so that whoever signs the one can sign the other with it.
 *
 * @throws LockKeeperError `conflict` where nothing is in transition.
 */
export function settledRoster(roster: Roster): Roster {
  if (roster.transition === null) {
    throw new LockKeeperError("conflict", "No share is on its way under this roster.", {
      field: "transition",
      remedy: "There is nothing to settle.",
    })
  }
  return {
    ...roster,
    rosterEpoch: roster.rosterEpoch + 1,
    members: holdersOf(roster),
    previousDigest: rosterDigest(encodeRoster(roster)),
    transition: null,
  }
}
