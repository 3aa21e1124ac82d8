import {
  hashValue,
  type Identifier,
  identifierCodec,
  Secret,
  type SigningKey,
} from "@lockkeeper/crypto"
import { type Bytes, fixedBytes, list, struct } from "@lockkeeper/encoding"
import { MAX_MEMBERS, type Roster, rosterDigest } from "./roster.ts"
import { badContribution, SeedCeremony, type SeedContribution } from "./seed-contribution.ts"

// The servers of a roster answer logins for unknown names alike, from one seed that all of them
// know and nobody else does. For the first roster each member contributes 32 bytes, sealed to every
// member's channel key and signed; the seed is a hash of all contributions. A corrupt member can tell
// which names exist (it holds the account list anyway) and nothing more. Were it to deal different bytes
// to different members, they would answer unknown names differently and so tell everybody: each
// contribution commits to what is sealed, and every member checks that all of one member's commit to
// the same. Later rosters keep the seed: `seed-succession.ts`.

const committed = struct<{ roster: Bytes; from: Identifier; contribution: Bytes }>({
  roster: fixedBytes(32),
  from: identifierCodec,
  contribution: fixedBytes(32),
})

function ceremonyOf(roster: Roster, encodedRoster: Bytes): SeedCeremony {
  const digest = rosterDigest(encodedRoster)
  const label = "lockkeeper/enumeration-seed/v1"
  return new SeedCeremony(roster, digest, label, (from, contribution) =>
    hashValue("enumeration-seed/commitment", committed, { roster: digest, from, contribution }),
  )
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
  return ceremonyOf(roster, encodedRoster).seal(from, contribution, identity, randomness)
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
  const ceremony = ceremonyOf(roster, encodedRoster)
  const values: Bytes[] = []
  try {
    for (const member of roster.members) {
      const read = ceremony.open(member, self, channelSecret, contributions)
      if (typeof read === "string") throw badContribution(member.identifier, member.name, read)
      values.push(read.value)
    }
    const made = { roster: ceremony.digest, contributions: values }
    return new Secret(hashValue("enumeration-seed", opened, made))
  } finally {
    for (const value of values) value.fill(0)
  }
}
