import { type Identifier, Secret, sha512 } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { type Outcome, opaque } from "@lockkeeper/protocols"
import { identityOf, rosterOf, seeded } from "../seeded.ts"

export const SERVERS: readonly Identifier[] = [1, 2, 3]
export const MIN_SIGNERS = 2
export const ROSTER_EPOCH = 7
export const STRETCHING = { memoryKib: 19_456, passes: 2, lanes: 1 }
export const PASSWORD = "correct horse battery staple"
export const VERIFY_KEYS: ReadonlyMap<Identifier, Bytes> = rosterOf(SERVERS)

const ACCOUNT_ID = opaque.accountIdOf("alice")
const BINDING = opaque.accountBinding(seeded("roster digest"), ACCOUNT_ID)
const AKE = new Map(SERVERS.map((i) => [i, opaque.keyExchangePair(seeded(`ake/${i}`))]))
export const AKE_KEYS = new Map([...AKE].map(([i, { publicKey }]) => [i, publicKey]))

export function serverOf(identifier: Identifier): opaque.LoginServer {
  return {
    identifier,
    rosterEpoch: ROSTER_EPOCH,
    minSigners: MIN_SIGNERS,
    ake: AKE.get(identifier) as opaque.KeyPair,
    signer: identityOf(identifier),
    fakes: { seed: new Secret(seeded("fakes")), epoch: 1 },
    stretching: STRETCHING,
  }
}

/** Stands for Argon2id, which takes long and says nothing here. */
export function stretch(toStretch: Secret): Secret {
  const stretched = new Secret(sha512(utf8("stretched"), toStretch.expose()))
  toStretch.wipe()
  return stretched
}

export function accountKeys(): opaque.OpenAccountKeys {
  return { storageKey: new Secret(seeded("storage")), signingSeed: new Secret(seeded("signing")) }
}

export function value<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`an honest run stopped: ${outcome.abort.reason}`)
  return outcome.value
}

/** What the client deals at a registration or, with a later version, at a password change. */
export function deal(opaqueVersion: number): opaque.RegistrationResult {
  const plan: opaque.RegistrationPlan = {
    ...{ accountId: ACCOUNT_ID, binding: BINDING, opaqueVersion, rosterEpoch: ROSTER_EPOCH },
    ...{ minSigners: MIN_SIGNERS, servers: AKE_KEYS, stretching: STRETCHING },
  }
  const name = `registration/${opaqueVersion}`
  const length = opaque.registrationStartRandomnessLength(MIN_SIGNERS)
  const password = new Secret(utf8(PASSWORD))
  const started = opaque.startRegistration(plan, password, seeded(`${name}/start`, length))
  const randomness = seeded(`${name}/finish`, opaque.REGISTRATION_FINISH_RANDOMNESS_LENGTH)
  const stretched = stretch(started.toStretch)
  return opaque.finishRegistration(started.state, stretched, accountKeys(), randomness)
}

export type Records = ReadonlyMap<Identifier, opaque.AccountRecord>

export function expectation(
  identifier: Identifier,
  active: opaque.Registration | null,
): opaque.DealingExpectation {
  const place = { identifier, accountId: ACCOUNT_ID, rosterEpoch: ROSTER_EPOCH }
  return { ...place, minSigners: MIN_SIGNERS, servers: AKE_KEYS, active }
}

/** Everyone's active record after an honest registration. */
export function registered(version = 1): Records {
  const { registration, dealings } = deal(version)
  const active = version === 1 ? null : deal(version - 1).registration
  const confirmations = new Map(
    SERVERS.map((i) => [i, opaque.confirmRegistration(identityOf(i), registration)]),
  )
  return new Map(
    [...dealings].map(([i, dealing]) => {
      const pending = value(opaque.acceptDealing(expectation(i, active), dealing))
      return [i, value(opaque.activate(pending, confirmations, VERIFY_KEYS))]
    }),
  )
}

export function loginPlan(): opaque.LoginPlan {
  const bounds = { least: STRETCHING, most: { ...STRETCHING, passes: 9 } }
  const place = { accountId: ACCOUNT_ID, binding: BINDING, rosterEpoch: ROSTER_EPOCH }
  const keys = { verifyKeys: VERIFY_KEYS, serverKeys: AKE_KEYS }
  return { ...place, ...keys, minSigners: MIN_SIGNERS, stretchingBounds: bounds }
}
