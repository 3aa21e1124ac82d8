import {
  chainOf,
  decodeRosterChain,
  encodeRoster,
  encodeRosterChain,
  extendChain,
  type FollowedChain,
  type FollowedRoster,
  LockKeeperError,
  longestChain,
  MAX_MEMBERS,
  type Member,
  openChain,
  type Roster,
  type RosterDifference,
  rosterDifference,
  rostersOf,
  type ShownChain,
  settledRoster,
} from "@lockkeeper/api"
import { type Bytes, DecodeError, equalBytes, toHex } from "@lockkeeper/encoding"
import { followsAnother } from "./elsewhere.ts"
import { outsideRefusal } from "./outside-refusals.ts"
import { within } from "./patience.ts"
import type { Servers } from "./servers.ts"

/** A newer roster, followed from the pin. */
export interface RosterChange {
  readonly before: Roster
  readonly after: Roster
  readonly difference: RosterDifference
  /** Digest of the new roster, 32 bytes. */
  readonly digest: Bytes
  /** The RosterChain to keep in place of the one that was connected with: the pin still holds. */
  readonly chain: Bytes
}

const ELSEWHERE = ["not-enough-servers", "unavailable", "aborted"] as const

/** Whether an operation may have failed because servers follow another roster. */
export function mayBeElsewhere(error: unknown): boolean {
  if (followsAnother(error)) return true
  return error instanceof LockKeeperError && ELSEWHERE.some((code) => code === error.code)
}

/** Who shows what: a chain that holds, and goes on from the one that is trusted. */
interface Shown {
  readonly member: Member
  readonly followed: FollowedChain
}

/**
 * The chain that goes on furthest from the one that is trusted, up to the last roster that as many of its
 * own members show as its threshold is; null when it goes on nowhere. A roster may be signed long before
 * it is in force, as the one that ends a transition is: of t of its members that follow it one is honest,
 * and the others are on their way. What does not follow from the trusted one counts for nothing.
 *
 * @throws LockKeeperError `untrusted-roster` when two of them fork: then none is followed.
 */
export async function newerChain(
  servers: Servers,
  signal: AbortSignal,
): Promise<FollowedChain | null> {
  const { trust } = servers
  const known = await shownBy(servers, trust.roster.members, signal)
  const shown = [...known, ...(await shownBy(servers, newMembers(servers, known), signal))]
  const ours: ShownChain = { by: "followed here", followed: trust.chain }
  const longest = longestChain(ours, ...withoutEarlyEnds(servers, shown))
  const { rosterEpoch } = trust.roster
  const news = rostersOf(longest.followed).filter(({ roster }) => roster.rosterEpoch > rosterEpoch)
  const last = news.findLastIndex((roster) => isInForce(roster, shown))
  if (last < 0) return null
  const taken = news.slice(0, last + 1).map(({ signed }) => signed)
  return openChain(taken.reduce(extendChain, chainOf(trust.chain)))
}

async function shownBy(
  servers: Servers,
  members: readonly Member[],
  signal: AbortSignal,
): Promise<readonly Shown[]> {
  const { deps, patience, trust } = servers
  const asked = members.map(async (member): Promise<Shown | null> => {
    const isKnown = trust.roster.members.includes(member)
    const link = isKnown ? servers.link(member.identifier) : deps.network.connect(member)
    const ask = (limited: AbortSignal) => link.roster(limited)
    try {
      const encoded = await within(deps.clock, patience.callMs, signal, ask)
      const followed = followedFrom(trust.chain, encoded)
      return followed === null ? null : { member, followed }
    } catch (error) {
      const refusal = outsideRefusal(member, error, signal)
      const isTheirs = refusal instanceof LockKeeperError && refusal.code !== "cancelled"
      if (!isTheirs) throw refusal
      return null
    } finally {
      if (!isKnown) link.close()
    }
  })
  return (await Promise.all(asked)).filter((one) => one !== null)
}

/** Members of the rosters that are shown which the trusted one does not list: those before may be gone. */
function newMembers({ trust }: Servers, shown: readonly Shown[]): readonly Member[] {
  const listed = trust.roster.members.map(({ identityKey }) => toHex(identityKey))
  const found = new Map<string, Member>()
  for (const { followed } of shown) {
    for (const member of followed.inForce.roster.members) {
      const key = toHex(member.identityKey)
      if (!listed.includes(key) && found.size < MAX_MEMBERS) found.set(key, member)
    }
  }
  return [...found.values()]
}

/** Whether as many of a roster's members show it as it takes to work under it. */
function isInForce({ roster, digest }: FollowedRoster, shown: readonly Shown[]): boolean {
  const by = roster.members.filter(({ identityKey }) =>
    shown.some(
      ({ member, followed }) =>
        equalBytes(member.identityKey, identityKey) &&
        rostersOf(followed).some((one) => equalBytes(one.digest, digest)),
    ),
  )
  return by.length >= roster.minSigners
}

/**
 * The chains without a roster at their end that only settles the one before it and is not in force. It was
 * signed with that one, whatever came instead: another roster of its number is no fork from it.
 */
function withoutEarlyEnds(servers: Servers, shown: readonly Shown[]): readonly ShownChain[] {
  return shown.flatMap(({ member, followed }) => {
    const by = `shown by ${named(servers, member)}`
    const before = followed.before.at(-1)
    const isEarly = isSettlement(before, followed.inForce) && !isInForce(followed.inForce, shown)
    if (!isEarly || before === undefined) return [{ by, followed }]
    return [{ by, followed: { inForce: before, before: followed.before.slice(0, -1) } }]
  })
}

function isSettlement(before: FollowedRoster | undefined, { signed }: FollowedRoster): boolean {
  if (before === undefined || before.roster.transition === null) return false
  return equalBytes(encodeRoster(settledRoster(before.roster)), signed.roster)
}

/** A chain that shares a roster with the one that is trusted, and holds; null for any other. */
function followedFrom(trusted: FollowedChain, encoded: Bytes): FollowedChain | null {
  try {
    const followed = openChain(decodeRosterChain(encoded))
    const known = rostersOf(trusted)
    const shares = rostersOf(followed).some(({ digest }) =>
      known.some((roster) => equalBytes(roster.digest, digest)),
    )
    return shares ? followed : null
  } catch (error) {
    if (error instanceof DecodeError || error instanceof LockKeeperError) return null
    throw error
  }
}

function named(servers: Servers, { identifier, name }: Member): string {
  return `server ${identifier} "${servers.nameOf(identifier) || name}"`
}

export function changeOf(before: FollowedChain, after: FollowedChain): RosterChange {
  const [from, to] = [before.inForce.roster, after.inForce.roster]
  return {
    ...{ before: from, after: to, difference: rosterDifference(from, to) },
    digest: after.inForce.digest,
    chain: encodeRosterChain(chainOf(after)),
  }
}
