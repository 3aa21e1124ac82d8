import {
  chainOf,
  decodeRosterChain,
  encodeRosterChain,
  extendChain,
  type FollowedChain,
  fewestSigners,
  LockKeeperError,
  longestChain,
  openChain,
  type Roster,
  type RosterDifference,
  rosterDifference,
  rostersOf,
  type ShownChain,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import { followsAnother } from "./elsewhere.ts"
import { askAll } from "./gather.ts"
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

/**
 * The chain that goes on furthest from the one that is trusted, as far as t servers show it; null when
 * it goes on nowhere. A roster may be signed long before it is in force, as the one that ends a transition
 * is: of t servers that follow it one is honest, and the others are on their way. What does not follow
 * from the trusted one counts for nothing.
 *
 * @throws LockKeeperError `untrusted-roster` when two of them fork: then none is followed.
 */
export async function newerChain(
  servers: Servers,
  signal: AbortSignal,
): Promise<FollowedChain | null> {
  const { deps, patience, trust } = servers
  const { answers } = await askAll(servers, servers.all, async (server) => {
    try {
      const ask = (limited: AbortSignal) => servers.link(server).roster(limited)
      return await within(deps.clock, patience.callMs, signal, ask)
    } catch (error) {
      throw outsideRefusal(servers.member(server), error, signal)
    }
  })
  const ours: ShownChain = { by: "followed here", followed: trust.chain }
  const shown = [...answers].flatMap(([server, encoded]) => {
    const followed = followedFrom(trust.chain, encoded)
    return followed === null ? [] : [{ by: `shown by ${named(servers, server)}`, followed }]
  })
  const longest = longestChain(ours, ...shown)
  const { rosterEpoch } = trust.roster
  const inForce = inForceAt(shown, fewestSigners(trust.roster))
  if (inForce <= rosterEpoch) return null
  const news = rostersOf(longest.followed).filter(
    ({ roster }) => roster.rosterEpoch > rosterEpoch && roster.rosterEpoch <= inForce,
  )
  return openChain(news.map(({ signed }) => signed).reduce(extendChain, chainOf(trust.chain)))
}

/** The number of the latest roster that so many of them follow; 0 for none. */
function inForceAt(shown: readonly ShownChain[], need: number): number {
  const epochs = shown.map(({ followed }) => followed.inForce.roster.rosterEpoch)
  return epochs.sort((a, b) => b - a)[need - 1] ?? 0
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

function named(servers: Servers, server: Identifier): string {
  return `server ${server} "${servers.nameOf(server)}"`
}

export function changeOf(before: FollowedChain, after: FollowedChain): RosterChange {
  const [from, to] = [before.inForce.roster, after.inForce.roster]
  return {
    ...{ before: from, after: to, difference: rosterDifference(from, to) },
    digest: after.inForce.digest,
    chain: encodeRosterChain(chainOf(after)),
  }
}
