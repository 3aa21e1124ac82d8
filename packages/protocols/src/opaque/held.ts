import {
  type Element,
  feldmanVerify,
  type Identifier,
  ristretto255,
  type Secret,
} from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { abort, done, type Outcome } from "../outcome.ts"
import type { Sharing } from "../sharing/sharing.ts"
import { verifyConfirmations } from "./accept.ts"
import {
  type AccountRecord,
  type Confirmations,
  type Registration,
  recordDigest,
} from "./account.ts"
import type { RegistrationRecord } from "./envelope.ts"
import { scalarOf } from "./oprf.ts"

/** A later generation of an account's OPRF shares than its registration dealt. */
export interface OprfGeneration {
  /** The roster, the threshold and the public shares that hold now. */
  readonly sharing: Sharing
  /** Feldman commitments, constant term first: the registration's own, since the key is the same. */
  readonly vector: readonly Bytes[]
}

/** An account as one server holds it, also after refreshes and at a server that joined later. */
export interface HeldAccount extends AccountRecord {
  /** What `share` is a share of; null while that is still the registration. */
  readonly oprf: OprfGeneration | null
  /**
   * The server that `record` was made for: the holder itself, or one whose record it took over
   * because the account is older than its membership.
   */
  readonly home: Identifier
}

/** An account at a server that it was registered with, with the shares of its registration. */
export function asRegistered(record: AccountRecord): HeldAccount & { readonly oprf: null } {
  return { ...record, oprf: null, home: record.identifier }
}

/** The commitments that an account's evaluations are proven against. */
export function vectorOf({ oprf, registration }: HeldAccount): readonly Bytes[] {
  return oprf === null ? registration.vector : oprf.vector
}

/**
 * Whether a share and its commitments are of this account's OPRF key. The constant term decides: with
 * another one the password would be evaluated under another key.
 */
export function checkGeneration(
  registration: Registration,
  identifier: Identifier,
  share: Secret,
  { sharing, vector }: OprfGeneration,
): Outcome<null> {
  if (vector.length !== sharing.minSigners) return abort("wrong-vector-length", { field: "vector" })
  if (!equalBytes(vector[0]!, registration.vector[0]!))
    return abort("wrong-key", { field: "vector" })
  const scalar = scalarOf(share)
  const elements = vector.map((raw) => ristretto255.decodeElement(raw))
  const fits = feldmanVerify(ristretto255, elements, identifier, scalar)
  scalar.fill(0)
  return fits ? done(null) : abort("wrong-share", { field: "share" })
}

/** The members of the roster that an account was registered under, as the verifier knows them. */
export interface RegisteredUnder {
  readonly rosterEpoch: number
  readonly minSigners: number
  readonly servers: ReadonlyMap<Identifier, Element>
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** A record with all that proves whose it is. */
export interface MovedRecord {
  readonly registration: Registration
  readonly confirmations: Confirmations
  readonly home: Identifier
  readonly record: RegistrationRecord
}

/**
 * Whether a record is the one that the account's owner registered for server `home`: every member of
 * that time's roster has signed the registration, which lists the record's digest. It tells nothing
 * of whether a later password change replaced it: that is for whoever vouches for the account's
 * current version. Names nobody: whoever passes a record on can have altered it.
 */
export function verifyMovedRecord(
  accountId: Bytes,
  roster: RegisteredUnder,
  { registration, confirmations, home, record }: MovedRecord,
): Outcome<RegistrationRecord> {
  if (!equalBytes(registration.keys.accountId, accountId)) return abort("wrong-account")
  if (registration.rosterEpoch !== roster.rosterEpoch) return abort("wrong-roster-epoch")
  if (registration.minSigners !== roster.minSigners) return abort("wrong-threshold")
  // A registration names its own servers: signed by fewer than the whole roster it proves nothing.
  if (registration.servers.size !== roster.servers.size) return abort("wrong-participants")
  for (const [server, akeKey] of roster.servers) {
    const named = registration.servers.get(server)
    if (!named) return abort("wrong-participants")
    if (!equalBytes(named, akeKey)) return abort("wrong-ake-key", { field: `servers.${server}` })
  }
  const confirmed = verifyConfirmations(registration, confirmations, roster.verifyKeys)
  if (!confirmed.ok) return confirmed
  const digest = registration.recordDigests.get(home)
  if (!digest || !equalBytes(digest, recordDigest(record))) {
    return abort("wrong-record", { field: `recordDigests.${home}` })
  }
  return done(record)
}
