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
  equalBytes,
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
 * (it holds the account list anyway) and nothing more. Were it to deal different bytes to different
 * members, they would answer unknown names differently and so tell everybody: each contribution
 * commits to what is sealed, and every member checks that all of one member's commit to the same.
 */
export interface SeedContribution {
  readonly from: Identifier
  readonly to: Identifier
  /** Hash of what is sealed, 32 bytes: the same towards every member. */
  readonly commitment: Bytes
  readonly encapsulated: Bytes
  readonly sealed: Bytes
  readonly signature: Bytes
}

export const seedContribution: Codec<SeedContribution> = struct<SeedContribution>({
  from: identifierCodec,
  to: identifierCodec,
  commitment: fixedBytes(32),
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

type Signed = Pick<SeedContribution, "commitment" | "encapsulated" | "sealed">

const signatureInput = struct<Signed & { readonly place: Bytes }>({
  place: bytes(128),
  commitment: fixedBytes(32),
  encapsulated: fixedBytes(1120),
  sealed: fixedBytes(48),
})

const committed = struct<{ roster: Bytes; from: Identifier; contribution: Bytes }>({
  roster: fixedBytes(32),
  from: identifierCodec,
  contribution: fixedBytes(32),
})

/** Hides the contribution, which is 32 uniform bytes. */
function commitTo(roster: Bytes, from: Identifier, contribution: Bytes): Bytes {
  return hashValue("enumeration-seed/commitment", committed, { roster, from, contribution })
}

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
  const commitment = commitTo(digest, from, contribution.expose())
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
      encode(signatureInput, { place: info, commitment, encapsulated, sealed: ciphertext }),
    )
    return { from, to: member.identifier, commitment, encapsulated, sealed: ciphertext, signature }
  })
}

const opened = struct<{ roster: Bytes; contributions: readonly Bytes[] }>({
  roster: fixedBytes(32),
  contributions: list(fixedBytes(32), MAX_MEMBERS),
})

/**
 * The roster-wide seed, from every member's contribution to `self`. Needs the contributions to all
 * others too, which it cannot open, to see that they commit to the same.
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
  const values: Bytes[] = []
  try {
    for (const { identifier, name } of roster.members) {
      const own = contributions.filter(({ from }) => from === identifier)
      const read = contributionOf(roster, digest, identifier, self, channelSecret, own)
      if (typeof read === "string") throw badContribution(identifier, name, read)
      values.push(read)
    }
    const seed = hashValue("enumeration-seed", opened, { roster: digest, contributions: values })
    return new Secret(seed)
  } finally {
    for (const value of values) value.fill(0)
  }
}

/** What one member contributes, from all it dealt; or what is wrong with it. */
function contributionOf(
  roster: Roster,
  digest: Bytes,
  from: Identifier,
  self: Identifier,
  channelSecret: Secret,
  dealt: readonly SeedContribution[],
): Bytes | string {
  const { identityKey } = memberOf(roster, from)
  const mine = dealt.find(({ to }) => to === self)
  const everyMember = roster.members.every((m) => dealt.some(({ to }) => to === m.identifier))
  if (mine === undefined || !everyMember) return "is missing"
  for (const { to, commitment, encapsulated, sealed, signature } of dealt) {
    const info = encode(place, { label: null, roster: digest, from, to })
    const signed = encode(signatureInput, { place: info, commitment, encapsulated, sealed })
    if (!verifySignature(identityKey, signed, signature)) return "is not signed by it"
    if (!equalBytes(commitment, mine.commitment)) return "differs from member to member"
  }
  const info = encode(place, { label: null, roster: digest, from, to: self })
  const value = hpkeOpen(channelSecret, mine.encapsulated, info, new Uint8Array(0), mine.sealed)
  if (value === null) return "does not open"
  if (equalBytes(commitTo(digest, from, value), mine.commitment)) return value
  value.fill(0)
  return "is not what it committed to"
}

function badContribution(from: Identifier, name: string, why: string): LockKeeperError {
  return new LockKeeperError("untrusted-roster", `The seed of "${name}" ${why}.`, {
    field: `seed.${from}`,
    remedy: "Run `lockkeeper roster sign` at that server again and join the results.",
  })
}
