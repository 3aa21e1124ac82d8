import {
  hashValue,
  hpkeOpen,
  hpkeSeal,
  type Identifier,
  identifierCodec,
  Secret,
  type SigningKey,
  verifySignature,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  constant,
  encode,
  fixedBytes,
  list,
  struct,
  utf8,
} from "@lockkeeper/encoding"
import { LockKeeperError } from "./errors.ts"
import { MAX_MEMBERS, memberOf, type Roster, rosterDigest } from "./roster.ts"

/**
 * The servers of a roster answer logins for unknown names alike, from one seed that all of them
 * know and nobody else does. Each member contributes 32 bytes, sealed to every member's channel key
 * and signed; the seed is a hash of all contributions. A corrupt member can tell which names exist
 * (it holds the account list anyway) and nothing more.
 */
export interface SeedContribution {
  readonly from: Identifier
  readonly to: Identifier
  readonly encapsulated: Bytes
  readonly sealed: Bytes
  readonly signature: Bytes
}

export const seedContribution: Codec<SeedContribution> = struct<SeedContribution>({
  from: identifierCodec,
  to: identifierCodec,
  encapsulated: fixedBytes(1120),
  sealed: fixedBytes(48),
  signature: fixedBytes(64),
})

export const seedContributions: Codec<readonly SeedContribution[]> = list(
  seedContribution,
  MAX_MEMBERS * MAX_MEMBERS,
)

interface Place {
  readonly roster: Bytes
  readonly from: Identifier
  readonly to: Identifier
}

const place = struct<Place & { readonly label: null }>({
  label: constant(utf8("lockkeeper/enumeration-seed/v1")),
  roster: fixedBytes(32),
  from: identifierCodec,
  to: identifierCodec,
})

const signatureInput = struct<{ place: Bytes; encapsulated: Bytes; sealed: Bytes }>({
  place: bytes(128),
  encapsulated: fixedBytes(1120),
  sealed: fixedBytes(48),
})

/**
 * One member's contribution to every member, itself included.
 *
 * @param randomness - 64 fresh bytes for each member, in the roster's order.
 */
export function contributeSeed(
  roster: Roster,
  encodedRoster: Bytes,
  from: Identifier,
  contribution: Secret,
  identity: SigningKey,
  randomness: Bytes,
): SeedContribution[] {
  const digest = rosterDigest(encodedRoster)
  return roster.members.map((member, i) => {
    const info = encode(place, { label: null, roster: digest, from, to: member.identifier })
    const { encapsulated, ciphertext } = hpkeSeal(
      member.channelKey,
      info,
      new Uint8Array(0),
      contribution.expose(),
      randomness.slice(i * 64, i * 64 + 64),
    )
    const signature = identity.sign(
      encode(signatureInput, { place: info, encapsulated, sealed: ciphertext }),
    )
    return { from, to: member.identifier, encapsulated, sealed: ciphertext, signature }
  })
}

const opened = struct<{ roster: Bytes; contributions: readonly Bytes[] }>({
  roster: fixedBytes(32),
  contributions: list(fixedBytes(32), MAX_MEMBERS),
})

/**
 * The roster-wide seed, from every member's contribution to `self`.
 *
 * @throws LockKeeperError `untrusted-roster` naming the member whose contribution is missing or bad.
 */
export function combineSeed(
  roster: Roster,
  encodedRoster: Bytes,
  self: Identifier,
  channelSecret: Secret,
  contributions: readonly SeedContribution[],
): Secret {
  const digest = rosterDigest(encodedRoster)
  const values = roster.members.map((member) => {
    const refuse = (why: string): never => {
      throw new LockKeeperError("untrusted-roster", `The seed of "${member.name}" ${why}.`, {
        field: `seed.${member.identifier}`,
        remedy: "Run `lockkeeper roster sign` at that server again and join the results.",
      })
    }
    const mine = contributions.find((c) => c.from === member.identifier && c.to === self)
    if (mine === undefined) return refuse("is missing")
    const { encapsulated, sealed, signature } = mine
    const info = encode(place, { label: null, roster: digest, from: mine.from, to: self })
    const signed = encode(signatureInput, { place: info, encapsulated, sealed })
    const { identityKey } = memberOf(roster, mine.from)
    if (!verifySignature(identityKey, signed, signature)) return refuse("is not signed by it")
    const value = hpkeOpen(channelSecret, encapsulated, info, new Uint8Array(0), sealed)
    return value ?? refuse("does not open")
  })
  const seed = hashValue("enumeration-seed", opened, { roster: digest, contributions: values })
  for (const value of values) value.fill(0)
  return new Secret(seed)
}
