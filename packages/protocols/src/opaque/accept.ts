/** Registration and password change, a server's side; and when either becomes active. */
import { type Element, feldmanVerify, type Identifier, ristretto255 } from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { type Signer, signLabelled, verifyLabelled } from "../messages/signature.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import {
  type AccountDealing,
  type AccountRecord,
  type Confirmations,
  type Registration,
  recordDigest,
  registrationCodec,
} from "./account.ts"
import { CONFIRMATION } from "./labels.ts"
import { scalarOf } from "./oprf.ts"

/**
 * How far ahead of a server the others may be. A change that stopped half way leaves some servers a
 * version ahead, and the next one must be later than all of theirs.
 */
const MOST_VERSIONS_AHEAD = 1000

function isNextVersion(version: number, active: Registration | null): boolean {
  if (active === null) return version === 1
  const step = version - active.keys.opaqueVersion
  return step >= 1 && step <= MOST_VERSIONS_AHEAD
}

/** What a server knows by itself when a dealing arrives. */
export interface DealingExpectation {
  readonly identifier: Identifier
  readonly accountId: Bytes
  readonly rosterEpoch: number
  readonly minSigners: number
  /** The roster's servers with their AKE public keys. */
  readonly servers: ReadonlyMap<Identifier, Element>
  /** The account's active registration: null for a new account. */
  readonly active: Registration | null
}

/**
 * Checks a dealing from its client. A sound one is stored as pending, and its confirmation given to
 * the client. Whoever changes a password must be authenticated before this; that is not checked
 * here. Aborts name nobody: the client is no participant.
 */
export function acceptDealing(
  expected: DealingExpectation,
  dealing: AccountDealing,
): Outcome<AccountRecord> {
  const { registration, identifier } = dealing
  const { keys, servers, vector } = registration
  const { active, minSigners } = expected
  if (!equalBytes(keys.accountId, expected.accountId)) return abort("wrong-account")
  if (!isNextVersion(keys.opaqueVersion, active)) {
    return abort("wrong-opaque-version", { field: "registration.keys.opaqueVersion" })
  }
  if (active && !equalBytes(keys.signingPublicKey, active.keys.signingPublicKey)) {
    return abort("wrong-signing-key", { field: "registration.keys.signingPublicKey" })
  }
  if (registration.rosterEpoch !== expected.rosterEpoch) return abort("wrong-roster-epoch")
  if (registration.minSigners !== minSigners) return abort("wrong-threshold")
  if (vector.length !== minSigners) return abort("wrong-vector-length")
  if (identifier !== expected.identifier) return abort("wrong-recipients")
  if (servers.size !== expected.servers.size) return abort("wrong-participants")
  for (const [server, akeKey] of expected.servers) {
    const named = servers.get(server)
    if (!named) return abort("wrong-participants")
    if (!equalBytes(named, akeKey)) return abort("wrong-ake-key", { field: `servers.${server}` })
    if (!registration.recordDigests.has(server)) return abort("wrong-record")
  }
  if (registration.recordDigests.size !== servers.size) return abort("wrong-record")
  const digest = registration.recordDigests.get(identifier) as Bytes
  if (!equalBytes(digest, recordDigest(dealing.record))) return abort("wrong-record")
  const share = scalarOf(dealing.share)
  const fits = feldmanVerify(ristretto255, vector, identifier, share)
  share.fill(0)
  if (!fits) return abort("wrong-share")
  return done({ ...dealing, confirmations: null })
}

/** A server's signature that it holds its part of exactly this registration. */
export function confirmRegistration(signer: Signer, registration: Registration): Bytes {
  return signLabelled(signer, CONFIRMATION, registrationCodec, registration)
}

/**
 * Whether every server of a registration has confirmed it: only then may any of them use it, or an
 * old and a new password would both work. Missing servers are listed as silent.
 */
export function verifyConfirmations(
  registration: Registration,
  confirmations: Confirmations,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<Confirmations> {
  const servers = [...registration.servers.keys()]
  const silent = servers.filter((server) => !confirmations.has(server))
  if (silent.length > 0) return abort("missing-confirmation", { silent })
  if (confirmations.size !== servers.length) return abort("unexpected-confirmation")
  for (const server of servers) {
    const verifyKey = verifyKeys.get(server)
    const field = `confirmations.${server}`
    if (!verifyKey) return abort("unknown-sender", { field })
    const signature = confirmations.get(server) as Bytes
    if (!verifyLabelled(verifyKey, CONFIRMATION, registrationCodec, registration, signature)) {
      return abort("wrong-confirmation", { field })
    }
  }
  return done(confirmations)
}

/** Makes a pending record active: what replaces the account's old record, atomically. */
export function activate(
  pending: AccountRecord,
  confirmations: Confirmations,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<AccountRecord> {
  const verified = verifyConfirmations(pending.registration, confirmations, verifyKeys)
  return verified.ok ? done({ ...pending, confirmations: verified.value }) : verified
}
