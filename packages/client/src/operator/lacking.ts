import type { SharingListing } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, equalBytes, toHex } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"
import { inForce, type Rosters } from "./sharings-in-force.ts"

/** Why a server lacks its share of the generation in force. */
export type LackingReason =
  /** It lists no share at all. */
  | "missing"
  /** It lists an earlier generation: it missed a refresh. */
  | "behind"
  /** It lists another sharing under the same generation. */
  | "different"

/** A sharing that a server is to hold a share of, and does not. */
export interface Lacking {
  readonly id: Bytes
  readonly reason: LackingReason
  /** As at least t others list it. */
  readonly sharing: sharing.Sharing
  /** Who lists it so, ascending. */
  readonly from: readonly Identifier[]
}

export interface Compared {
  readonly lacking: readonly Lacking[]
  /** Ids of which too few of the others list the same. */
  readonly unclear: readonly Bytes[]
}

/**
 * What one server lacks of what the others list alike: at least t of them, so that fewer who lie make
 * nothing up, nor hide anything while as many say the truth.
 */
export function lackingAt(
  server: Identifier,
  listings: ReadonlyMap<Identifier, readonly SharingListing[]>,
  rosters: Rosters,
  now: number,
): Compared {
  const others = new Map([...listings].filter(([id]) => id !== server))
  const own = new Map((listings.get(server) ?? []).map((one) => [toHex(one.sharing.id), one]))
  const holders = holdersBy(others)
  const listed = inForce(others, rosters, now)
  const unclear = listed.filter((one) => one.sharing === null).map(({ id }) => id)
  const lacking = listed.flatMap(({ id, sharing: held }) => {
    if (held === null || !held.verifyingShares.has(server)) return []
    const reason = reasonOf(own.get(toHex(id))?.sharing ?? null, held)
    if (reason === null) return []
    const from = holders.get(toHex(sharing.sharingDigest(held))) ?? []
    return [{ id, reason, sharing: held, from: [...from].sort((a, b) => a - b) }]
  })
  return { lacking, unclear }
}

function reasonOf(own: sharing.Sharing | null, held: sharing.Sharing): LackingReason | null {
  if (own === null) return "missing"
  const order = sharing.compareGenerations(own, held)
  if (order !== 0) return order < 0 ? "behind" : null
  return equalBytes(sharing.sharingDigest(own), sharing.sharingDigest(held)) ? null : "different"
}

/** Who lists each sharing, by its digest. */
function holdersBy(
  listings: ReadonlyMap<Identifier, readonly SharingListing[]>,
): ReadonlyMap<string, readonly Identifier[]> {
  const holders = new Map<string, Identifier[]>()
  for (const [server, listed] of listings) {
    for (const one of listed) {
      const digest = toHex(sharing.sharingDigest(one.sharing))
      const known = holders.get(digest) ?? []
      holders.set(digest, known)
      known.push(server)
    }
  }
  return holders
}
