import {
  acceptNextRoster,
  decodeRoster,
  encodeRoster,
  extendChain,
  holdersOf,
  LockKeeperError,
  MAX_MEMBERS,
  openRoster,
  type Roster,
  type RosterChain,
  rosterChainCodec,
  type SeedContribution,
  type SignedRoster,
  seedContribution,
  seedContributions,
  settledRoster,
  signedRosterCodec,
} from "@lockkeeper/api"
import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  equalBytes,
  fixedBytes,
  list,
  struct,
} from "@lockkeeper/encoding"

/** What one member hands to whoever joins the roster: public, sealed parts included. */
export interface RosterSignature {
  readonly roster: Bytes
  readonly identifier: Identifier
  readonly signature: Bytes
  /** Its part of the roster-wide enumeration seed, one for each member. */
  readonly contributions: readonly SeedContribution[]
  /** For the roster that settles this one, by who is in it; null where nothing is in transition. */
  readonly settled: Bytes | null
}

/** What every member installs: the rosters as clients see them, and the sealed parts of the seed. */
export interface RosterBundle {
  /** Ends with the roster to install. */
  readonly chain: RosterChain
  readonly contributions: readonly SeedContribution[]
  /** The roster that settles that one, for when all shares have moved; null without a transition. */
  readonly settled: SignedRoster | null
}

/** A file that ends where those of before did unless something is in transition. */
function withSettled<First extends object, Settled>(
  first: Codec<First>,
  last: Codec<Settled>,
): Codec<First & { readonly settled: Settled | null }> {
  return {
    write(writer, value) {
      first.write(writer, value)
      if (value.settled !== null) last.write(writer, value.settled)
    },
    read(reader) {
      const begun = first.read(reader)
      const settled =
        reader.remaining === 0 ? null : reader.within("settled", () => last.read(reader))
      return { ...begun, settled }
    },
  }
}

export const rosterSignatureCodec: Codec<RosterSignature> = withSettled(
  struct<Omit<RosterSignature, "settled">>({
    roster: bytes(65_536),
    identifier: identifierCodec,
    signature: fixedBytes(64),
    contributions: list(seedContribution, MAX_MEMBERS),
  }),
  fixedBytes(64),
)

export const rosterBundleCodec: Codec<RosterBundle> = withSettled(
  struct<Omit<RosterBundle, "settled">>({
    chain: rosterChainCodec,
    contributions: seedContributions,
  }),
  signedRosterCodec,
)

/**
 * Joins every member's signature into what all of them install.
 *
 * @param before - the chain that the roster is the next one of, null for the first.
 * @throws LockKeeperError naming the member whose signature is missing or wrong.
 */
export function joinRoster(
  signatures: readonly RosterSignature[],
  before: RosterChain | null = null,
): RosterBundle {
  const roster = signatures[0]?.roster ?? new Uint8Array(0)
  for (const { roster: other, identifier } of signatures) {
    if (equalBytes(roster, other)) continue
    throw new LockKeeperError("misconfigured", `Server ${identifier} signed another roster.`, {
      field: `signatures.${identifier}`,
      remedy: "Let every server sign the same roster file.",
    })
  }
  const signed = {
    roster,
    signatures: new Map(signatures.map((s) => [s.identifier, s.signature])),
  }
  const { rosterEpoch } = openRoster(signed)
  if (before === null && rosterEpoch > 1) {
    throw new LockKeeperError("misconfigured", "This roster is the next one after another.", {
      field: "after",
      remedy: "Name the signed roster that it follows, with --after.",
    })
  }
  return {
    chain: before === null ? [signed] : extendChain(before, signed),
    contributions: signatures.flatMap(({ contributions }) => contributions),
    settled: joinSettled(signed, signatures),
  }
}

/** The roster that settles one in transition, which those that stay have signed with it. */
function joinSettled(
  { roster: encoded }: SignedRoster,
  signatures: readonly RosterSignature[],
): SignedRoster | null {
  const roster = decodeRoster(encoded)
  if (roster.transition === null) return null
  const given = holdersOf(roster).map(({ identifier, name }) => {
    const settled = signatures.find((one) => one.identifier === identifier)?.settled ?? null
    if (settled !== null) return [identifier, settled] as const
    throw new LockKeeperError(
      "misconfigured",
      `"${name}" has not signed the roster that settles this one.`,
      {
        field: `signatures.${identifier}.settled`,
        remedy: "Have it sign the roster again, with this version of the command.",
      },
    )
  })
  const settled = { roster: encodeRoster(settledRoster(roster)), signatures: new Map(given) }
  acceptNextRoster(encoded, settled)
  return settled
}

/**
 * Checks that a signed roster is the one that settles another, and holds.
 *
 * @throws LockKeeperError `untrusted-roster` naming the field.
 */
export function checkSettles(inTransition: SignedRoster, settled: SignedRoster): void {
  if (!settles(decodeRoster(inTransition.roster), settled.roster)) {
    throw new LockKeeperError("untrusted-roster", "The bundle settles another roster.", {
      field: "settled",
      remedy: "Join the signatures again.",
    })
  }
  acceptNextRoster(inTransition.roster, settled)
}

/** Whether an encoded roster is the one that settles another. */
export function settles(inTransition: Roster, settled: Bytes): boolean {
  if (inTransition.transition === null) return false
  return equalBytes(encodeRoster(settledRoster(inTransition)), settled)
}
