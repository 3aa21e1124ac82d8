import { type FollowedChain, LockKeeperError, type Member, rostersOf } from "@lockkeeper/api"
import { equalBytes } from "@lockkeeper/encoding"
import { type Place, proposeRoster, type RosterProposal } from "../roster-proposal.ts"

// What becomes of a server that somebody else holds: first a roster without it, in which nobody is reached
// by a channel key of before; then shares that go with none of its own; then the roster that ends that.

/** How far it has come, by the roster in force. */
export type DrillPhase =
  /** The server is in it: a roster without it is to be made. */
  | { readonly kind: "in-force"; readonly member: Member; readonly others: readonly Member[] }
  /** It is out, and shares that go with its own are still used. */
  | { readonly kind: "moving"; readonly member: Member }
  /** It is out, and nothing that it had is of use. */
  | { readonly kind: "over"; readonly member: Member }

/** @throws LockKeeperError `not-found` where no roster of the chain has had such a server. */
export function drillPhase(chain: FollowedChain, named: string): DrillPhase {
  const { roster } = chain.inForce
  const isNamed = ({ name, identifier }: Member): boolean =>
    name === named || String(identifier) === named
  const member = roster.members.find(isNamed)
  if (member !== undefined) {
    return { kind: "in-force", member, others: roster.members.filter((one) => one !== member) }
  }
  const earlier = [...rostersOf(chain)].reverse().flatMap((one) => one.roster.members)
  const gone = earlier.find(isNamed)
  if (gone === undefined) {
    throw new LockKeeperError("not-found", `No roster has had a server "${named}".`, {
      field: "server",
      remedy: "Name one as `lockkeeper roster show` does, by its name or number.",
    })
  }
  return { kind: roster.transition === null ? "over" : "moving", member: gone }
}

/** The descriptors that show another channel key than the roster in force, and who lacks one. */
export interface Rotated {
  readonly descriptors: readonly { readonly name: string; readonly by: Place }[]
  readonly missing: readonly Member[]
}

/**
 * Which of the others have given a descriptor with a new channel key.
 *
 * @throws LockKeeperError `invalid-request` for a descriptor of anybody else.
 */
export function rotatedAmong(others: readonly Member[], given: readonly Place[]): Rotated {
  const ofMember = (member: Member) =>
    given.find(({ identityKey }) => equalBytes(identityKey, member.identityKey))
  const stranger = given.find((place) => !others.some((member) => ofMember(member) === place))
  if (stranger !== undefined) {
    throw new LockKeeperError(
      "invalid-request",
      `The descriptor of "${stranger.name}" is of none of those that stay, or is given twice.`,
      {
        field: "descriptor",
        remedy: "Name one descriptor of each; a new server is --replacement.",
      },
    )
  }
  const descriptors: Rotated["descriptors"][number][] = []
  const missing: Member[] = []
  for (const member of others) {
    const by = ofMember(member)
    if (by === undefined || equalBytes(by.channelKey, member.channelKey)) missing.push(member)
    else descriptors.push({ name: member.name, by })
  }
  return { descriptors, missing }
}

/** What the next roster is to be beside what it is without. */
export interface DrillChoice {
  /** A new server, under a number that nobody had: what is held under the old one then moves. */
  readonly replacement: Place | null
  readonly minSigners: number | null
  readonly now: number
}

/** The roster without the server, in which the others have new channel keys. @throws as `proposeRoster` */
export function rosterWithout(
  chain: FollowedChain,
  member: Member,
  { descriptors }: Rotated,
  { replacement, minSigners, now }: DrillChoice,
): RosterProposal {
  return proposeRoster(
    chain,
    {
      add: replacement === null ? [] : [replacement],
      remove: [],
      drop: [member.name],
      replace: descriptors,
      move: null,
      minSigners,
      placement: {},
      refreshHours: null,
      cryptoperiodDays: null,
    },
    now,
  )
}
