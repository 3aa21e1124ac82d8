import {
  checkPlacement,
  describeDifference,
  encodeRoster,
  type FollowedChain,
  LockKeeperError,
  type Member,
  needsTransition,
  type PlacementRules,
  type Roster,
  type RosterDifference,
  rosterDifference,
  rostersOf,
  settledRoster,
  transitionFrom,
} from "@lockkeeper/api"
import { equalBytes } from "@lockkeeper/encoding"

/** A server as its descriptor says it. */
export type Place = Omit<Member, "identifier">

/** What is to become of the roster in force. */
export interface RosterChanges {
  readonly add: readonly Place[]
  /** Names of members that leave once their shares have moved to others. */
  readonly remove: readonly string[]
  /** Names of members that are lost or not to be trusted: out at once, with what they hold. */
  readonly drop: readonly string[]
  readonly replace: readonly { readonly name: string; readonly by: Place }[]
  readonly move: { readonly name: string; readonly to: Partial<Place> } | null
  readonly minSigners: number | null
  readonly placement: Partial<PlacementRules>
  readonly refreshHours: number | null
  readonly cryptoperiodDays: number | null
}

/** A next roster, and what it takes until it is in force. */
export interface RosterProposal {
  readonly roster: Roster
  readonly difference: RosterDifference
  /** Names of those before whose signatures count, and how many of them it takes. */
  readonly consents: readonly string[]
  readonly consentsNeeded: number
  /** Whether shares of keys and accounts have to move before it can be in force. */
  readonly resharing: boolean
}

/**
 * The next roster after the one in force.
 *
 * @throws LockKeeperError `not-found` naming the option, `misconfigured` naming the field, or
 *   `conflict` when too few of those before could sign it, or nothing changes.
 */
export function proposeRoster(
  chain: FollowedChain,
  changes: RosterChanges,
  now: number,
): RosterProposal {
  const { roster: before, digest: previousDigest } = chain.inForce
  const members = changedMembers(chain, changes)
  const leaving = members.filter(({ name }) => changes.remove.includes(name))
  const changed: Roster = {
    ...before,
    rosterEpoch: before.rosterEpoch + 1,
    minSigners: changes.minSigners ?? before.minSigners,
    members,
    placement: { ...before.placement, ...changes.placement },
    previousDigest,
    createdAt: now,
    refreshHours: changes.refreshHours ?? before.refreshHours,
    cryptoperiodDays: changes.cryptoperiodDays ?? before.cryptoperiodDays,
    transition: null,
  }
  const resharing = leaving.length > 0 || needsTransition(before, changed)
  const ids = leaving.map(({ identifier }) => identifier)
  const roster = resharing
    ? { ...changed, transition: transitionFrom(before, changed.minSigners, ids) }
    : changed
  encodeRoster(roster)
  checkPlacement(resharing ? settledRoster(roster) : roster)
  const difference = rosterDifference(before, roster)
  if (describeDifference(difference).length === 0) {
    throw new LockKeeperError("conflict", "The roster would stay as it is.", {
      field: "arguments",
      remedy: "Say what is to change; `lockkeeper roster propose --help` lists it.",
    })
  }
  const consents = consentsTo(before, roster)
  const consentsNeeded = before.minSigners
  return { roster, difference, consents, consentsNeeded, resharing }
}

/** Members before whose signature has a place in the next roster: nobody else took their number. */
function consentsTo(before: Roster, { members }: Roster): readonly string[] {
  const able = before.members.filter((member) => {
    const successor = members.find(({ identifier }) => identifier === member.identifier)
    return successor === undefined || equalBytes(successor.identityKey, member.identityKey)
  })
  if (able.length >= before.minSigners) return able.map(({ name }) => name)
  throw new LockKeeperError(
    "conflict",
    `It takes ${before.minSigners} signatures of members before; those of ${able.length} would count.`,
    {
      field: "replace",
      remedy: "Replace fewer servers at once, or remove them and add others instead.",
    },
  )
}

function changedMembers(chain: FollowedChain, changes: RosterChanges): readonly Member[] {
  const members = [...chain.inForce.roster.members]
  const at = (name: string, option: string): number => {
    const index = members.findIndex((member) => member.name === name)
    if (index >= 0) return index
    throw new LockKeeperError("not-found", `The roster has no server "${name}".`, {
      field: option,
      remedy: "Name one as `lockkeeper roster show` does.",
    })
  }
  if (changes.move !== null) {
    const { name, to } = changes.move
    const index = at(name, "move")
    members[index] = { ...(members[index] as Member), ...to }
  }
  for (const name of changes.remove) at(name, "remove")
  for (const name of changes.drop) members.splice(at(name, "drop"), 1)
  for (const { name, by } of changes.replace) {
    const index = at(name, "replace")
    members[index] = { ...by, identifier: (members[index] as Member).identifier }
  }
  for (const place of changes.add) {
    const identifier = identifierFor(chain, members, place)
    members.push({ ...place, identifier })
  }
  return members.sort((a, b) => a.identifier - b.identifier)
}

/** Its own of an earlier roster for one that comes back; else a number that nobody had before. */
function identifierFor(chain: FollowedChain, members: readonly Member[], place: Place): number {
  const ever = [...rostersOf(chain).flatMap(({ roster }) => roster.members), ...members]
  const same = ever.find(({ identityKey }) => equalBytes(identityKey, place.identityKey))
  return same?.identifier ?? Math.max(...ever.map(({ identifier }) => identifier)) + 1
}
