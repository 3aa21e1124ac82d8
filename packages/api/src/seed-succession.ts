import { hashValue, type Identifier, Secret, type SigningKey } from "@lockkeeper/crypto"
import { type Bytes, fixedBytes, struct, toHex } from "@lockkeeper/encoding"
import { LockKeeperError } from "./errors.ts"
import { type Member, type Roster, rosterDigest } from "./roster.ts"
import { badContribution, SeedCeremony, type SeedContribution } from "./seed-contribution.ts"

// What servers answer for an unknown name follows from their seed, and what they answer for a real one
// does not change with the roster. So the seed stays the same in every roster: members of the roster
// before pass it on to each member of the next. All commit to it alike, so that everybody sees who agrees
// with whom. A new member takes what t of them vouch for, one of whom is honest; who has it keeps it.

const committed = struct<{ roster: Bytes; seed: Bytes }>({
  roster: fixedBytes(32),
  seed: fixedBytes(32),
})

function ceremonyOf(next: Roster, encodedNext: Bytes): SeedCeremony {
  const digest = rosterDigest(encodedNext)
  const label = "lockkeeper/enumeration-seed/passed-on/v1"
  return new SeedCeremony(next, digest, label, (_, seed) => commitTo(digest, seed))
}

/** The same whoever commits. */
function commitTo(roster: Bytes, seed: Bytes): Bytes {
  return hashValue("enumeration-seed/passed-on", committed, { roster, seed })
}

/**
 * Passes the seed on to every member of the next roster, itself included.
 *
 * @param from - the server's identifier in the roster before.
 * @param randomness - 64 fresh bytes for each member of the next roster, in its order.
 */
export function passSeedOn(
  next: Roster,
  encodedNext: Bytes,
  from: Identifier,
  seed: Secret,
  identity: SigningKey,
  randomness: Bytes,
): SeedContribution[] {
  return ceremonyOf(next, encodedNext).seal(from, seed, identity, randomness)
}

/** Who receives the seed, by the next roster. */
export interface SeedReceiver {
  readonly identifier: Identifier
  readonly channelSecret: Secret
  /** The seed that it holds as a member of a roster before; null for a new member. */
  readonly held: Secret | null
}

/**
 * The seed that members of the roster before pass on: the one that is held, or the one that at least
 * `before.minSigners` of them vouch for.
 *
 * @throws LockKeeperError `untrusted-roster` naming a member whose contribution is bad, or who
 *   contradicts what is held or what enough others vouch for; field `seed` when too few agree.
 */
export function succeedSeed(
  before: Roster,
  next: Roster,
  encodedNext: Bytes,
  { identifier: self, channelSecret, held }: SeedReceiver,
  contributions: readonly SeedContribution[],
): Secret {
  const ceremony = ceremonyOf(next, encodedNext)
  const stranger = contributions.find(({ from }) => !isMember(before, from))
  if (stranger !== undefined) {
    throw badContribution(
      stranger.from,
      String(stranger.from),
      "is of no member of the roster before",
    )
  }
  const dealers = before.members.filter(({ identifier }) =>
    contributions.some(({ from }) => from === identifier),
  )
  const vouched = new Map<string, Member[]>()
  const values = new Map<string, Bytes>()
  try {
    for (const member of dealers) {
      const read = ceremony.open(member, self, channelSecret, contributions)
      if (typeof read === "string") throw badContribution(member.identifier, member.name, read)
      const key = toHex(read.commitment)
      vouched.set(key, [...(vouched.get(key) ?? []), member])
      values.get(key)?.fill(0)
      values.set(key, read.value)
    }
    const agreed =
      held === null
        ? vouchedFor(vouched, before.minSigners)
        : toHex(commitTo(ceremony.digest, held.expose()))
    for (const [key, [member]] of vouched) {
      if (key === agreed || member === undefined) continue
      const what = held === null ? "what enough others vouch for" : "the one that is held here"
      throw badContribution(member.identifier, member.name, `is not ${what}`)
    }
    const { length } = vouched.get(agreed) ?? []
    if (length < before.minSigners) throw tooFew(length, before.minSigners)
    return Secret.copyOf(values.get(agreed) as Bytes)
  } finally {
    for (const value of values.values()) value.fill(0)
  }
}

function isMember({ members }: Roster, identifier: Identifier): boolean {
  return members.some((member) => member.identifier === identifier)
}

/** The commitment that enough members made, of whom one is honest. */
function vouchedFor(vouched: ReadonlyMap<string, readonly Member[]>, minSigners: number): string {
  const counts = [...vouched].map(([key, { length }]) => ({ key, length }))
  const [agreed, another] = counts.filter(({ length }) => length >= minSigners)
  if (agreed === undefined) {
    throw tooFew(Math.max(0, ...counts.map(({ length }) => length)), minSigners)
  }
  if (another === undefined) return agreed.key
  throw new LockKeeperError("untrusted-roster", "Enough members vouch for each of two seeds.", {
    field: "seed",
    remedy: "Find out which of them is another one, and join the results without it.",
  })
}

function tooFew(count: number, minSigners: number): LockKeeperError {
  const message = `${count} members of the roster before vouch for the seed; it takes ${minSigners}.`
  return new LockKeeperError("untrusted-roster", message, {
    field: "seed",
    remedy: "Have more members of the roster before sign, and join the results.",
  })
}
