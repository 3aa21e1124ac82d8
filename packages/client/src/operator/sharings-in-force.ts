import { latestKeyEpoch, MAX_CLOCK_SKEW_MS, type SharingListing } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"

type Listings = ReadonlyMap<Identifier, readonly SharingListing[]>

/** One sharing as the servers together say it is. */
export interface InForce {
  readonly id: Bytes
  /** In the latest generation that t servers list alike; null where none is. */
  readonly sharing: sharing.Sharing | null
  /** The next generation that nobody says it has confirmed. */
  readonly toKeyEpoch: number
  /** Since when at least t servers hold it, milliseconds since the Unix epoch. */
  readonly since: number
  /** Servers that list this generation: whoever deals must hold it. */
  readonly heldBy: readonly Identifier[]
  /** Servers that list an earlier generation, and from whom the proof of the later one can be had. */
  readonly behind: readonly Behind[]
}

export interface Behind {
  readonly server: Identifier
  /** Lists the latest generation, which the run gave it. */
  readonly from: Identifier
  readonly run: Bytes
}

type Claims = ReadonlyMap<Identifier, SharingListing>

/**
 * What servers list, by id. Fewer than t of them may lie, and decide nothing by it.
 *
 * @param now - milliseconds since the Unix epoch.
 */
export function inForce(listings: Listings, minSigners: number, now: number): readonly InForce[] {
  const byId = new Map<string, Map<Identifier, SharingListing>>()
  for (const [server, listed] of listings) {
    for (const one of listed) {
      const id = toHex(one.sharing.id)
      const claims = byId.get(id) ?? new Map<Identifier, SharingListing>()
      byId.set(id, claims.set(server, one))
    }
  }
  // No server confirms what is higher by its clock: who claims that would keep the others out.
  const latest = latestKeyEpoch(now - MAX_CLOCK_SKEW_MS)
  return [...byId]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => judge(one, minSigners, latest))
}

function judge(claims: Claims, minSigners: number, latestClaim: number): InForce {
  const [first] = claims.values()
  const { id } = (first as SharingListing).sharing
  const agreed = new Map<string, Map<Identifier, SharingListing>>()
  for (const [server, listing] of claims) {
    const digest = toHex(sharing.sharingDigest(listing.sharing))
    const alike = agreed.get(digest) ?? new Map<Identifier, SharingListing>()
    agreed.set(digest, alike.set(server, listing))
  }
  const known = [...agreed.values()].filter((alike) => alike.size >= minSigners)
  const latest = known.sort((a, b) => epochOf(b) - epochOf(a))[0] ?? null
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
    since: since[minSigners - 1] ?? 0,
    heldBy: [...(latest?.keys() ?? [])],
    behind: behindOf(claims),
  }
}

function firstOf(alike: Claims): SharingListing {
  return [...alike.values()][0] as SharingListing
}

function epochOf(alike: Claims): number {
  return firstOf(alike).sharing.keyEpoch
}

/**
 * A certificate speaks for itself: one server that has the later generation is enough to ask for it. Only
 * who says it has confirmed something can use it: nobody's claims alone send anyone to all the others.
 */
function behindOf(claims: Claims): readonly Behind[] {
  const behind: Behind[] = []
  for (const [server, { sharing: held, pendingRun }] of claims) {
    if (pendingRun === null) continue
    for (const [from, other] of claims) {
      if (other.activeRun === null || other.sharing.keyEpoch <= held.keyEpoch) continue
      behind.push({ server, from, run: other.activeRun })
    }
  }
  return behind
}
