import {
  asksFor,
  isSameServer,
  latestKeyEpoch,
  MAX_CLOCK_SKEW_MS,
  type SharingListing,
  thresholdsOf,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"
import { rosterOf, type Trust } from "../trust.ts"

type Listings = ReadonlyMap<Identifier, readonly SharingListing[]>

/** One sharing as the servers together say it is. */
export interface InForce {
  readonly id: Bytes
  /** In the latest generation that as many of its holders list alike as it takes; null where none is. */
  readonly sharing: sharing.Sharing | null
  /** The next generation that nobody says it has confirmed. */
  readonly toKeyEpoch: number
  /** Since when at least t servers hold it, milliseconds since the Unix epoch. */
  readonly since: number
  /** Servers that list this generation: whoever deals must hold it. */
  readonly heldBy: readonly Identifier[]
  /** Servers that list an earlier generation than another one, and have confirmed a later one. */
  readonly behind: readonly Identifier[]
  /** Servers that list an earlier generation and are no holders of this one: they are to erase it. */
  readonly left: readonly Identifier[]
}

type Claims = ReadonlyMap<Identifier, SharingListing>

/** The rosters by which servers are believed. */
export type Rosters = Pick<Trust, "chain" | "roster">

/**
 * What servers list, by id. Fewer than t of the holders may lie, and decide nothing by it.
 *
 * @param now - milliseconds since the Unix epoch.
 */
export function inForce(listings: Listings, rosters: Rosters, now: number): readonly InForce[] {
  const byId = new Map<string, Map<Identifier, SharingListing>>()
  for (const [server, listed] of listings) {
    for (const one of listed) {
      const id = toHex(one.sharing.id)
      const claims = byId.get(id) ?? new Map<Identifier, SharingListing>()
      byId.set(id, claims.set(server, one))
    }
  }
  // No server confirms what is higher by its clock: who claims that would keep the others out.
  const latestClaim = latestKeyEpoch(now - MAX_CLOCK_SKEW_MS)
  const context = { rosters, latestClaim }
  return [...byId].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => judge(one, context))
}

interface Context {
  readonly rosters: Rosters
  readonly latestClaim: number
}

function judge(claims: Claims, { rosters, latestClaim }: Context): InForce {
  const [first] = claims.values()
  const { id } = (first as SharingListing).sharing
  const agreed = new Map<string, Map<Identifier, SharingListing>>()
  for (const [server, listing] of claims) {
    if (!listing.sharing.verifyingShares.has(server)) continue
    const digest = toHex(sharing.sharingDigest(listing.sharing))
    const alike = agreed.get(digest) ?? new Map<Identifier, SharingListing>()
    agreed.set(digest, alike.set(server, listing))
  }
  const known = [...agreed.values()].filter((alike) => isBelieved(alike, rosters))
  const [latest = null] = known.sort((a, b) => {
    return sharing.compareGenerations(firstOf(b).sharing, firstOf(a).sharing)
  })
  const inForce = latest === null ? null : (firstOf(latest).sharing as sharing.Sharing)
  const base = inForce?.keyEpoch ?? 0
  const highest = [...claims.values()]
    .map((one) => Math.max(one.highestKeyEpoch, one.sharing.keyEpoch))
    .filter((epoch) => epoch < latestClaim)
  const since = [...(latest?.values() ?? [])].map(({ activatedAt }) => activatedAt)
  since.sort((a, b) => b - a)
  return {
    id,
    sharing: inForce,
    toKeyEpoch: Math.max(base, ...highest) + 1,
    since: since[(inForce?.minSigners ?? 1) - 1] ?? 0,
    heldBy: [...(latest?.keys() ?? [])],
    behind: behindOf(claims),
    left: inForce === null ? [] : leftOf(claims, inForce),
  }
}

/**
 * Whether one at least of those that list it alike is honest: as many as it takes. What a roster asked for
 * others could not have made; and where members together may have more liars than that, those count that
 * were holders when it was made. Of a roster that is not known any more it takes as many as anything here.
 */
function isBelieved(alike: Claims, rosters: Rosters): boolean {
  const { roster } = rosters
  const { minSigners, rosterEpoch, verifyingShares } = firstOf(alike).sharing
  const thresholds = thresholdsOf(roster)
  if (!thresholds.includes(minSigners)) return false
  const then = rosterOf(rosters, rosterEpoch)
  if (then === null) return alike.size >= Math.max(...thresholds)
  if (!asksFor(then, { holders: [...verifyingShares.keys()], minSigners })) return false
  const isLeft = (roster.transition?.leaving.length ?? 0) > 0
  if (!isLeft && minSigners >= roster.minSigners) return alike.size >= minSigners
  const witnesses = [...alike.keys()].filter((one) => isSameServer(then, roster, one))
  return witnesses.length >= minSigners
}

function leftOf(claims: Claims, latest: sharing.Sharing): Identifier[] {
  const isOld = (one: SharingListing) => sharing.compareGenerations(one.sharing, latest) < 0
  const old = [...claims].filter(([, listing]) => isOld(listing)).map(([server]) => server)
  return old.filter((server) => !latest.verifyingShares.has(server))
}

function firstOf(alike: Claims): SharingListing {
  return [...alike.values()][0] as SharingListing
}

/** One server that has a later generation is enough: whoever has confirmed one may be brought its proof. */
function behindOf(claims: Claims): readonly Identifier[] {
  const all = [...claims]
  const behind = all.filter(([, { sharing: held, pendingRun }]) => {
    const isBehind = all.some(([, other]) => sharing.compareGenerations(held, other.sharing) < 0)
    return pendingRun !== null && isBehind
  })
  return behind.map(([server]) => server)
}
