import {
  acceptNextRoster,
  combineSeed,
  contributeSeed,
  decodeRoster,
  LockKeeperError,
  type Member,
  openRoster,
  type Roster,
  type SeedContribution,
  type SignedRoster,
  seedContribution,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import { type Identifier, identifierCodec, Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  list,
  struct,
} from "@lockkeeper/encoding"
import type { Randomness } from "../ports/dependencies.ts"
import { removeAnchor } from "./anchor.ts"
import type { Unsealed } from "./unseal.ts"

/** What one member hands to whoever joins the roster: public, sealed parts included. */
export interface RosterSignature {
  readonly roster: Bytes
  readonly identifier: Identifier
  readonly signature: Bytes
  /** Its part of the roster-wide enumeration seed, one for each member. */
  readonly contributions: readonly SeedContribution[]
}

export const rosterSignatureCodec: Codec<RosterSignature> = struct<RosterSignature>({
  roster: bytes(65_536),
  identifier: identifierCodec,
  signature: fixedBytes(64),
  contributions: list(seedContribution, 32),
})

/** What every member installs: the roster as clients see it, and the sealed parts of the seed. */
export interface RosterBundle {
  readonly signed: SignedRoster
  readonly contributions: readonly SeedContribution[]
}

export const rosterBundleCodec: Codec<RosterBundle> = struct<RosterBundle>({
  signed: signedRosterCodec,
  contributions: list(seedContribution, 1024),
})

/** The roster a server follows, with what belongs to it. */
export interface InstalledRoster {
  readonly signed: SignedRoster
  readonly enumerationSeed: Secret
}

interface RosterRow {
  readonly signed: SignedRoster
  readonly seed: Bytes
}

const rosterRow: Codec<RosterRow> = struct<RosterRow>({
  signed: signedRosterCodec,
  seed: fixedBytes(32),
})

/** The server's own row. @throws LockKeeperError `misconfigured` when the roster has none of it. */
export function ownMember({ secrets }: Unsealed, roster: Roster): Member {
  const member = roster.members.find((m) => equalBytes(m.identityKey, secrets.identity.publicKey))
  const refuse = (field: string, message: string): never => {
    throw new LockKeeperError("misconfigured", message, {
      field,
      remedy: "Make the roster from this server's descriptor.json.",
    })
  }
  if (member === undefined) return refuse("members", "The roster does not list this server.")
  const field = `members.${member.name}`
  if (!equalBytes(member.channelKey, secrets.channelPublic)) {
    return refuse(`${field}.channelKey`, "The roster lists another channel key for this server.")
  }
  if (!equalBytes(member.opaqueKey, secrets.keyExchange.publicKey)) {
    return refuse(`${field}.opaqueKey`, "The roster lists another OPAQUE key for this server.")
  }
  return member
}

/** This server's signature and seed contributions for a roster that lists it. */
export function signRosterAs(
  unsealed: Unsealed,
  encodedRoster: Bytes,
  randomness: Randomness,
): RosterSignature {
  const roster = decodeRoster(encodedRoster)
  const { identifier } = ownMember(unsealed, roster)
  const { identity, enumerationShare } = unsealed.secrets
  return {
    roster: encodedRoster,
    identifier,
    signature: signRoster(encodedRoster, identity),
    contributions: contributeSeed(
      roster,
      encodedRoster,
      identifier,
      enumerationShare,
      identity,
      randomness.bytes(64 * roster.members.length),
    ),
  }
}

/** Joins every member's signature into what all of them install. @throws LockKeeperError */
export function joinRoster(signatures: readonly RosterSignature[]): RosterBundle {
  const roster = signatures[0]?.roster ?? new Uint8Array(0)
  for (const { roster: other, identifier } of signatures) {
    if (equalBytes(roster, other)) continue
    throw new LockKeeperError("misconfigured", `Server ${identifier} signed another roster.`, {
      field: `signatures.${identifier}`,
      remedy: "Let every server sign the same roster file.",
    })
  }
  const bundle: RosterBundle = {
    signed: { roster, signatures: new Map(signatures.map((s) => [s.identifier, s.signature])) },
    contributions: signatures.flatMap(({ contributions }) => contributions),
  }
  openRoster(bundle.signed)
  return bundle
}

/**
 * Makes the server follow a roster: the first one, or the next one after its current.
 *
 * @throws LockKeeperError `untrusted-roster` or `misconfigured`; then the old one stays.
 */
export async function installRoster(unsealed: Unsealed, bundle: RosterBundle): Promise<Roster> {
  const { directory, store, secrets } = unsealed
  const row = await store.read("meta", "roster")
  const roster =
    row === null
      ? openRoster(bundle.signed)
      : acceptNextRoster(decode(rosterRow, row.value).signed.roster, bundle.signed)
  const { identifier } = ownMember(unsealed, roster)
  using seed = combineSeed(
    roster,
    bundle.signed.roster,
    identifier,
    secrets.channelSecret,
    bundle.contributions,
  )
  const value = encode(rosterRow, { signed: bundle.signed, seed: seed.expose() })
  const ifVersion = row?.version ?? "absent"
  // The database is about to change in a way that is nobody's restoring it.
  removeAnchor(directory)
  await store.commit([{ kind: "put", table: "meta", id: "roster", ifVersion, value }])
  return roster
}

/** The roster the server follows. @throws LockKeeperError `misconfigured` while it has none. */
export async function readInstalledRoster({ store }: Unsealed): Promise<InstalledRoster> {
  const row = await store.read("meta", "roster")
  if (row === null) {
    throw new LockKeeperError("misconfigured", "The server is in no roster yet.", {
      field: "roster",
      remedy: "Sign and join a roster, then run `lockkeeper roster install`.",
    })
  }
  const { signed, seed } = decode(rosterRow, row.value)
  return { signed, enumerationSeed: new Secret(seed) }
}
