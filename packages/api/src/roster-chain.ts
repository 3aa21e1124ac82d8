import type { Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  decode,
  encode,
  equalBytes,
  list,
  toHex,
} from "@lockkeeper/encoding"
import { LockKeeperError } from "./errors.ts"
import {
  acceptNextRoster,
  checkKeysStay,
  identityKeys,
  MAX_ROSTER,
  openRoster,
  type Roster,
  rosterDigest,
  rosterSignatures,
  type SignedRoster,
  signedRosterCodec,
  signersAmong,
} from "./roster.ts"

/** Most rosters of a chain: who pins an older one has to pin again. */
export const MAX_CHAIN = 64

/** Longest encoding of a chain: what a client reads as one answer. */
export const MAX_CHAIN_BYTES = 917_504

/** Signed rosters, oldest first, each the next one after that before it. */
export type RosterChain = readonly SignedRoster[]

const severalRosters = list(signedRosterCodec, MAX_CHAIN)

/** "lkrc": as the length of a roster, with which a signed roster begins, it would be too long. */
const SEVERAL = 0x6c6b7263

/** A chain of one is encoded as that signed roster: what was published before there were chains. */
export const rosterChainCodec: Codec<RosterChain> = {
  write(writer, chain) {
    const [first] = chain
    if (first === undefined) throw new RangeError("a chain without a roster")
    if (chain.length === 1) return signedRosterCodec.write(writer, first)
    writer.u32(SEVERAL)
    severalRosters.write(writer, chain)
  },
  read(reader) {
    const start = reader.offset
    const first = reader.within("roster", () => reader.u32())
    if (first === SEVERAL) {
      const chain = severalRosters.read(reader)
      return chain.length >= 2 ? chain : reader.fail("a chain of fewer than two rosters", start)
    }
    if (first > MAX_ROSTER) reader.fail(`length ${first} above ${MAX_ROSTER}`, start)
    const roster = reader.within("roster", () => reader.bytes(first))
    const signatures = reader.within("signatures", () => rosterSignatures.read(reader))
    return [{ roster, signatures }]
  },
}

/** The bytes of a chain. @throws LockKeeperError `too-large` when no client would read it. */
export function encodeRosterChain(chain: RosterChain): Bytes {
  const encoded = chain.length <= MAX_CHAIN ? encode(rosterChainCodec, chain) : null
  if (encoded !== null && encoded.length <= MAX_CHAIN_BYTES) return encoded
  throw new LockKeeperError(
    "too-large",
    `A chain has up to ${MAX_CHAIN} rosters in ${MAX_CHAIN_BYTES} bytes.`,
    { field: "roster", remedy: "Leave out the oldest, and have clients pin a newer one." },
  )
}

/** A chain from its bytes, not checked yet. @throws DecodeError, LockKeeperError `too-large`. */
export function decodeRosterChain(encoded: Uint8Array): RosterChain {
  if (encoded.length > MAX_CHAIN_BYTES) {
    throw new LockKeeperError("too-large", "The chain of rosters is too long to be read.", {
      field: "roster",
      remedy: `A chain has up to ${MAX_CHAIN} rosters in ${MAX_CHAIN_BYTES} bytes.`,
    })
  }
  return decode(rosterChainCodec, encoded)
}

/** A roster of a chain that was followed. */
export interface FollowedRoster {
  readonly roster: Roster
  /** 32 bytes. */
  readonly digest: Bytes
  readonly signed: SignedRoster
}

/** What a chain comes to for whom it convinces. */
export interface FollowedChain {
  readonly inForce: FollowedRoster
  /** Oldest first. */
  readonly before: readonly FollowedRoster[]
}

export function rostersOf({ before, inForce }: FollowedChain): readonly FollowedRoster[] {
  return [...before, inForce]
}

export function chainOf(followed: FollowedChain): RosterChain {
  return rostersOf(followed).map(({ signed }) => signed)
}

/** Identity keys of the rosters before one, by rosterEpoch: what was signed under them is judged by these. */
export function earlierKeys(
  rosters: readonly Roster[],
  { rosterEpoch }: Roster,
): ReadonlyMap<number, ReadonlyMap<Identifier, Bytes>> {
  const before = rosters.filter((one) => one.rosterEpoch < rosterEpoch)
  return new Map(before.map((one) => [one.rosterEpoch, identityKeys(one)]))
}

/**
 * Checks a chain in itself: each next roster is signed by all its members and by the threshold of
 * those before, and no key goes to another member.
 *
 * @throws LockKeeperError `untrusted-roster` naming the field, `misconfigured`, `too-large`.
 */
export function openChain(chain: RosterChain): FollowedChain {
  encodeRosterChain(chain)
  const followed: FollowedRoster[] = []
  for (const signed of chain) {
    const current = followed.at(-1)?.signed.roster
    const roster = current === undefined ? openRoster(signed) : acceptNextRoster(current, signed)
    checkKeysStay(
      followed.map((earlier) => earlier.roster),
      roster,
    )
    followed.push({ roster, digest: rosterDigest(signed.roster), signed })
  }
  const inForce = followed.pop() as FollowedRoster
  return { inForce, before: followed }
}

/**
 * Follows a chain from the roster that is pinned to the one in force, without asking anybody.
 *
 * @param pin - 32 bytes: the digest of any roster of the chain.
 * @throws LockKeeperError as `openChain`; `untrusted-roster` when the pin names none of its rosters.
 */
export function followChain(chain: RosterChain, pin: Uint8Array): FollowedChain {
  const pinned = chain.some(({ roster }) => equalBytes(rosterDigest(roster), pin))
  if (pinned) return openChain(chain)
  throw new LockKeeperError("untrusted-roster", notPinned(chain), {
    field: "roster",
    remedy: "Ask the operators for the current roster over a channel you trust.",
  })
}

function notPinned({ length }: RosterChain): string {
  if (length === 1) return "The roster is not the one that was pinned."
  return `None of the ${length} rosters of the chain is the one that was pinned.`
}

/**
 * The chain with its next roster, without the oldest where it would be too long.
 *
 * @throws LockKeeperError as `openChain`.
 */
export function extendChain(chain: RosterChain, next: SignedRoster): RosterChain {
  let longer: RosterChain = [...chain, next]
  while (longer.length > MAX_CHAIN || encode(rosterChainCodec, longer).length > MAX_CHAIN_BYTES) {
    longer = longer.slice(1)
  }
  openChain([...chain.slice(-1), next])
  openChain(longer)
  return longer
}

/** A chain, and who shows it: in words, for errors. */
export interface ShownChain {
  readonly by: string
  readonly followed: FollowedChain
}

/**
 * The longest of chains that a pin is in. Two rosters of one number are a fork: each may hold on its
 * own, and following either could mean to follow whoever took over its signers.
 *
 * @throws LockKeeperError `untrusted-roster` naming both rosters, who shows them, and who signed both.
 */
export function longestChain(first: ShownChain, ...others: readonly ShownChain[]): ShownChain {
  const known = new Map<number, { readonly by: string; readonly roster: FollowedRoster }>()
  let longest = first
  for (const shown of [first, ...others]) {
    for (const roster of rostersOf(shown.followed)) {
      const { rosterEpoch } = roster.roster
      const other = known.get(rosterEpoch)
      if (other === undefined) known.set(rosterEpoch, { by: shown.by, roster })
      else if (!equalBytes(other.roster.digest, roster.digest)) {
        throw forked(other, { by: shown.by, roster })
      }
    }
    if (epochOf(shown) > epochOf(longest)) longest = shown
  }
  return longest
}

function epochOf({ followed }: ShownChain): number {
  return followed.inForce.roster.rosterEpoch
}

interface Branch {
  readonly by: string
  readonly roster: FollowedRoster
}

function forked(one: Branch, other: Branch): LockKeeperError {
  const { rosterEpoch } = one.roster.roster
  const describe = ({ by, roster }: Branch) => `${toHex(roster.digest).slice(0, 16)} (${by})`
  const both = signersOfBoth(one.roster, other.roster)
  const guilty = both.length === 0 ? "" : ` Both are signed by ${both.join(", ")}.`
  return new LockKeeperError(
    "untrusted-roster",
    `Two rosters have the number ${rosterEpoch}: ${describe(one)} and ${describe(other)}.${guilty}`,
    {
      field: "roster",
      remedy:
        "Follow neither until the operators say which one they installed, and why there are two.",
    },
  )
}

/** Names of members that signed two rosters of one number with the same key. */
function signersOfBoth(one: FollowedRoster, other: FollowedRoster): readonly string[] {
  const { members } = one.roster
  const alike = signersAmong(other.signed, members)
  return signersAmong(one.signed, members)
    .filter((identifier) => alike.includes(identifier))
    .map((id) => `"${members.find(({ identifier }) => identifier === id)?.name ?? id}"`)
}
