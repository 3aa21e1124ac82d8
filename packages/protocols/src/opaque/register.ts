/**
 * Registration and password change, the client's side. The client picks the OPRF key, so it needs
 * no blinding: it evaluates itself, deals the key to the servers and forgets it. RFC 9807's record
 * is made once per server with one envelope nonce, so that only the tag differs.
 */
import {
  type Element,
  evaluatePolynomial,
  feldmanCommit,
  type Identifier,
  ristretto255,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { type AccountDealing, type Binding, type Registration, recordDigest } from "./account.ts"
import {
  deriveCredentials,
  type RegistrationRecord,
  randomizePassword,
  sealEnvelope,
  wipeCredentials,
} from "./envelope.ts"
import { type OpenAccountKeys, WRAP_RANDOMNESS_LENGTH, wrapAccountKeys } from "./keys.ts"
import { NONCE_LENGTH, PASSWORD_MAX_BYTES } from "./labels.ts"
import { evaluateUnblinded, randomScalar } from "./oprf.ts"
import type { Stretching } from "./stretching.ts"

/** What is registered, for whom, at which servers. */
export interface RegistrationPlan {
  readonly accountId: Bytes
  readonly binding: Binding
  /** 1, or at a password change one more than the latest that any server has active. */
  readonly opaqueVersion: number
  readonly rosterEpoch: number
  readonly minSigners: number
  /** All servers of the roster with their AKE public keys. */
  readonly servers: ReadonlyMap<Identifier, Element>
  readonly stretching: Stretching
}

/** Secret, between the two halves of a registration. */
export interface RegistrationState {
  readonly plan: RegistrationPlan
  /** The OPRF key first, then the other coefficients of its polynomial. */
  readonly coefficients: readonly Scalar[]
  readonly oprfOutput: Secret
}

/** 64 bytes for each coefficient of the dealing. */
export function registrationStartRandomnessLength(minSigners: number): number {
  return 64 * minSigners
}

/** 32 bytes of envelope nonce, 24 for the wraps. */
export const REGISTRATION_FINISH_RANDOMNESS_LENGTH = NONCE_LENGTH + WRAP_RANDOMNESS_LENGTH

/**
 * Picks the OPRF key and evaluates the password under it.
 *
 * @param password - UTF-8 after RFC 8265 OpaqueString, 1 to 4096 bytes; normalising is the caller's.
 * @param randomness - `registrationStartRandomnessLength(minSigners)` fresh bytes.
 * @returns the secret state, and the bytes to stretch; both are wiped by `finishRegistration`.
 */
export function startRegistration(
  plan: RegistrationPlan,
  password: Secret,
  randomness: Bytes,
): { readonly state: RegistrationState; readonly toStretch: Secret } {
  const { minSigners, servers } = plan
  if (minSigners < 1 || minSigners > servers.size) throw new RangeError("minSigners out of range")
  if (randomness.length !== registrationStartRandomnessLength(minSigners)) {
    throw new RangeError("randomness: 64 bytes for each coefficient")
  }
  const coefficients = Array.from({ length: minSigners }, (_, i) =>
    randomScalar(randomness.subarray(i * 64, i * 64 + 64)),
  )
  return startWithCoefficients(plan, password, coefficients)
}

/** The same with the dealing's polynomial given: for known-answer tests. */
export function startWithCoefficients(
  plan: RegistrationPlan,
  password: Secret,
  coefficients: readonly Scalar[],
): { readonly state: RegistrationState; readonly toStretch: Secret } {
  assertPassword(password)
  const oprfOutput = evaluateUnblinded(coefficients[0] as Scalar, password.expose())
  const toStretch = Secret.copyOf(oprfOutput.expose())
  return { state: { plan, coefficients, oprfOutput }, toStretch }
}

/** @throws RangeError unless 1 to 4096 bytes. */
export function assertPassword(password: Secret): void {
  if (password.length < 1 || password.length > PASSWORD_MAX_BYTES) {
    throw new RangeError(`password is not 1 to ${PASSWORD_MAX_BYTES} bytes`)
  }
}

/** What a finished registration sends. */
export interface RegistrationResult {
  readonly registration: Registration
  /** One for each server; send each sealed to its server's process. */
  readonly dealings: ReadonlyMap<Identifier, AccountDealing>
}

/**
 * Makes the records and dealings, and wraps the account's keys under the new password. Wipes the
 * state and the stretched bytes.
 *
 * @param stretched - 64 bytes: Argon2id of `toStretch` with a zero salt, as RFC 9807 Section 7 says.
 * @param keys - random at registration, the account's own at a password change; stay the caller's.
 * @param randomness - 56 fresh bytes.
 */
export function finishRegistration(
  state: RegistrationState,
  stretched: Secret,
  keys: OpenAccountKeys,
  randomness: Bytes,
): RegistrationResult {
  if (randomness.length !== REGISTRATION_FINISH_RANDOMNESS_LENGTH) {
    throw new RangeError("randomness: 56 bytes")
  }
  const { plan, coefficients } = state
  const nonce = randomness.slice(0, NONCE_LENGTH)
  const randomized = randomizePassword(state.oprfOutput, stretched)
  const credentials = deriveCredentials(randomized, nonce)
  randomized.wipe()
  const record = (serverKey: Element): RegistrationRecord => ({
    clientPublicKey: credentials.client.publicKey,
    maskingKey: Secret.copyOf(credentials.maskingKey.expose()),
    envelope: sealEnvelope(credentials, nonce, serverKey, plan.binding.identities),
  })
  const records = new Map([...plan.servers].map(([i, serverKey]) => [i, record(serverKey)]))
  const { accountId, opaqueVersion } = plan
  const wrapRandomness = randomness.slice(NONCE_LENGTH)
  const registration: Registration = {
    keys: wrapAccountKeys(credentials.exportKey, accountId, opaqueVersion, keys, wrapRandomness),
    rosterEpoch: plan.rosterEpoch,
    minSigners: plan.minSigners,
    servers: plan.servers,
    vector: feldmanCommit(ristretto255, coefficients),
    stretching: plan.stretching,
    recordDigests: new Map([...records].map(([i, made]) => [i, recordDigest(made)])),
  }
  const dealings = new Map<Identifier, AccountDealing>()
  for (const [identifier, made] of records) {
    const share = new Secret(evaluatePolynomial(ristretto255, coefficients, identifier))
    dealings.set(identifier, { registration, identifier, share, record: made })
  }
  wipeCredentials(credentials)
  for (const coefficient of coefficients) coefficient.fill(0)
  state.oprfOutput.wipe()
  stretched.wipe()
  return { registration, dealings }
}
