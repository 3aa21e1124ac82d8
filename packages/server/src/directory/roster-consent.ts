import { decodeRoster, LockKeeperError, rosterDigest, signRoster } from "@lockkeeper/api"
import { type Bytes, equalBytes, toHex } from "@lockkeeper/encoding"
import type { Randomness } from "../ports/dependencies.ts"
import { readInstalledRosterOrNone, seedParts, signRosterAs } from "./roster.ts"
import type { RosterSignature } from "./roster-bundle.ts"
import type { Unsealed } from "./unseal.ts"

/**
 * This server's consent to a roster: as a member of it, as a member of the roster before, or both.
 *
 * @throws LockKeeperError `untrusted-roster` when it is not the next one after the server's own;
 *   `misconfigured` when it has no say, or its signature would have no place.
 */
export async function consentToRoster(
  unsealed: Unsealed,
  encoded: Bytes,
  randomness: Randomness,
): Promise<RosterSignature> {
  const roster = decodeRoster(encoded)
  const own = unsealed.secrets.identity.publicKey
  const isMember = roster.members.some(({ identityKey }) => equalBytes(identityKey, own))
  const current = await readInstalledRosterOrNone(unsealed)
  if (current === null) return signRosterAs(unsealed, encoded, randomness)
  using _ = current.enumerationSeed
  checkNext(current.signed.roster, encoded, isMember)
  if (isMember) return signRosterAs(unsealed, encoded, randomness, current)
  const leaving = decodeRoster(current.signed.roster).members.find(({ identityKey }) =>
    equalBytes(identityKey, own),
  )
  if (leaving === undefined) throw new Error("a server follows a roster that does not list it")
  const { identifier } = leaving
  const successor = roster.members.find((member) => member.identifier === identifier)
  if (successor !== undefined) {
    throw new LockKeeperError(
      "misconfigured",
      `"${successor.name}" takes this server's identifier, and its signature this one's place.`,
      { field: "members", remedy: "Have the other members of the roster before sign it." },
    )
  }
  const signature = signRoster(encoded, unsealed.secrets.identity)
  const contributions = seedParts(unsealed, encoded, randomness, current)
  return { roster: encoded, identifier, signature, contributions, settled: null }
}

/** A server that was away for some rosters joins again like a new one, by its operator's word. */
function checkNext(current: Bytes, next: Bytes, joinsAgain: boolean): void {
  const before = decodeRoster(current)
  const roster = decodeRoster(next)
  const follows = equalBytes(roster.previousDigest, rosterDigest(current))
  const isNext = roster.rosterEpoch === before.rosterEpoch + 1
  if (isNext ? follows : joinsAgain && roster.rosterEpoch > before.rosterEpoch) return
  throw new LockKeeperError(
    "untrusted-roster",
    `Roster ${roster.rosterEpoch} does not follow roster ${before.rosterEpoch} of this server.`,
    {
      field: follows ? "rosterEpoch" : "previousDigest",
      remedy: `Make it from the roster with digest ${toHex(rosterDigest(current))}.`,
    },
  )
}
