import {
  decodeRosterChain,
  type FollowedChain,
  followChain,
  identityKeys,
  LockKeeperError,
  type Roster,
  rostersOf,
  signedRosterCodec,
} from "@lockkeeper/api"
import { type Element, type Identifier, ristretto255 } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError, encode, fromHex } from "@lockkeeper/encoding"

/** What the owner trusts: the roster in force, and everything that follows from it. */
export interface Trust {
  /** The rosters up to the one in force. */
  readonly chain: FollowedChain
  readonly roster: Roster
  /** 32 bytes: the digest of the roster in force. */
  readonly digest: Bytes
  /** Canonical encoding of the SignedRoster. */
  readonly signedRoster: Bytes
  readonly verifyKeys: ReadonlyMap<Identifier, Bytes>
  /** The servers' long-term keys in OPAQUE. */
  readonly opaqueKeys: ReadonlyMap<Identifier, Element>
}

/**
 * Follows the chain of rosters from the one that `pin` names to the one in force.
 *
 * @param encoded - a RosterChain; a single SignedRoster is a chain of one.
 * @param pin - 32 bytes, or their 64 hexadecimal digits as operators publish them.
 * @throws LockKeeperError `untrusted-roster` or `invalid-request`, naming the field.
 */
export function trustRoster(encoded: Uint8Array, pin: Uint8Array | string): Trust {
  const pinned = pinBytes(pin)
  const chain = malformedAs("roster", () => decodeRosterChain(encoded))
  return trustIn(malformedAs("roster", () => followChain(chain, pinned)))
}

/**
 * The roster that a certificate names, members that have left since included. Null where the chain begins
 * later: nobody knows then whom it trusted with what.
 */
export function rosterOf({ chain }: Pick<Trust, "chain">, rosterEpoch: number): Roster | null {
  return rostersOf(chain).find((one) => one.roster.rosterEpoch === rosterEpoch)?.roster ?? null
}

/** What follows from a chain that was followed. */
export function trustIn(chain: FollowedChain): Trust {
  const { roster, digest, signed } = chain.inForce
  const opaqueKeys = new Map(
    roster.members.map((member) => {
      const field = `members.${member.name}.opaqueKey`
      return [
        member.identifier,
        malformedAs(field, () => ristretto255.decodeElement(member.opaqueKey)),
      ]
    }),
  )
  return {
    chain,
    roster,
    digest,
    signedRoster: encode(signedRosterCodec, signed),
    verifyKeys: identityKeys(roster),
    opaqueKeys,
  }
}

function pinBytes(pin: Uint8Array | string): Bytes {
  let bytes: Uint8Array | null = null
  try {
    bytes = typeof pin === "string" ? fromHex(pin) : pin
  } catch {
    bytes = null
  }
  if (bytes instanceof Uint8Array && bytes.length === 32) return concat(bytes)
  throw new LockKeeperError("invalid-request", "The pin is not a roster digest.", {
    field: "pin",
    remedy: "Give 32 bytes, or 64 lower-case hexadecimal digits.",
  })
}

function malformedAs<T>(field: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw new LockKeeperError("untrusted-roster", `The roster is malformed at ${field}.`, {
      field,
      remedy: "Ask the operators for the current roster over a channel you trust.",
      cause,
    })
  }
}
