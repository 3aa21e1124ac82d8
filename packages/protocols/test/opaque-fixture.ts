import assert from "node:assert/strict"
import {
  type Element,
  type Identifier,
  Secret,
  type SigningKey,
  sha512,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import {
  type AccountRecord,
  acceptDealing,
  accountBinding,
  accountIdOf,
  activate,
  answerLogin,
  asRegistered,
  combineLogin,
  confirmRegistration,
  finishLogin,
  finishRegistration,
  type HeldAccount,
  keyExchangePair,
  type LoginPlan,
  type LoginServer,
  type LoginServerState,
  type LoginState,
  loginRandomnessLength,
  type OpenAccountKeys,
  type RegistrationPlan,
  type RegistrationResult,
  registrationStartRandomnessLength,
  startLogin,
  startRegistration,
} from "../src/opaque/index.ts"
import type { Outcome } from "../src/outcome.ts"

/** Seeded bytes, so that a failing run repeats. */
export class Random {
  readonly #seed: string
  #counter = 0

  constructor(seed: string) {
    this.#seed = seed
  }

  bytes(length: number): Bytes {
    const blocks: Bytes[] = []
    for (let left = length; left > 0; left -= 64) {
      blocks.push(sha512(utf8(`${this.#seed}/${this.#counter++}`)))
    }
    return concat(...blocks).slice(0, length)
  }

  secret(length: number): Secret {
    return new Secret(this.bytes(length))
  }
}

export const STRETCHING = { memoryKib: 19_456, passes: 2, lanes: 1 }
const BOUNDS = { least: STRETCHING, most: { ...STRETCHING, passes: 9 } }

/** Stands for Argon2id, which has no place here. */
export function stretch(toStretch: Secret): Secret {
  const stretched = new Secret(sha512(utf8("stretched"), toStretch.expose()))
  toStretch.wipe()
  return stretched
}

export interface Cluster {
  readonly random: Random
  readonly rosterDigest: Bytes
  readonly servers: ReadonlyMap<Identifier, LoginServer>
  readonly identities: ReadonlyMap<Identifier, SigningKey>
  readonly verifyKeys: ReadonlyMap<Identifier, Bytes>
  readonly akeKeys: ReadonlyMap<Identifier, Element>
  readonly rosterEpoch: number
  readonly minSigners: number
  readonly fakeSeed: Bytes
}

export function cluster(seed: string, minSigners = 2, size = 3): Cluster {
  const rosterEpoch = 4
  const random = new Random(seed)
  const rosterDigest = random.bytes(32)
  const fakeSeed = random.bytes(32)
  const servers = new Map<Identifier, LoginServer>()
  const identities = new Map<Identifier, SigningKey>()
  for (let identifier = 1; identifier <= size; identifier++) {
    const signer = signingKeyFromSeed(random.secret(32))
    identities.set(identifier, signer)
    servers.set(identifier, {
      identifier,
      rosterEpoch,
      minSigners,
      ake: keyExchangePair(random.bytes(32)),
      signer,
      fakes: { seed: Secret.copyOf(fakeSeed), epoch: 1 },
      stretching: STRETCHING,
    })
  }
  const verifyKeys = new Map([...identities].map(([i, key]) => [i, key.publicKey]))
  const akeKeys = new Map([...servers].map(([i, server]) => [i, server.ake.publicKey]))
  const keys = { identities, verifyKeys, akeKeys }
  return { random, rosterDigest, servers, ...keys, rosterEpoch, minSigners, fakeSeed }
}

export const secretOf = (text: string): Secret => new Secret(utf8(text))

export function must<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? "" : `aborted: ${outcome.abort.reason}`)
  return outcome.value
}

export function get<K, T>(map: ReadonlyMap<K, T>, key: K): T {
  const value = map.get(key)
  assert.ok(value !== undefined, `nothing under ${key}`)
  return value
}

export function abortOf(outcome: Outcome<unknown>) {
  assert.ok(!outcome.ok, "expected an abort")
  return outcome.abort
}

export function registrationPlan(world: Cluster, name: string, version = 1): RegistrationPlan {
  const accountId = accountIdOf(name)
  return {
    accountId,
    binding: accountBinding(world.rosterDigest, accountId),
    opaqueVersion: version,
    rosterEpoch: world.rosterEpoch,
    minSigners: world.minSigners,
    servers: world.akeKeys,
    stretching: STRETCHING,
  }
}

export function deal(
  world: Cluster,
  plan: RegistrationPlan,
  password: string,
  keys: OpenAccountKeys,
): RegistrationResult {
  const { random } = world
  const randomness = random.bytes(registrationStartRandomnessLength(plan.minSigners))
  const { state, toStretch } = startRegistration(plan, secretOf(password), randomness)
  return finishRegistration(state, stretch(toStretch), keys, random.bytes(56))
}

export function expectation(world: Cluster, identifier: Identifier, accountId: Bytes) {
  const { rosterEpoch, minSigners, akeKeys: servers } = world
  return { identifier, accountId, rosterEpoch, minSigners, servers, active: null }
}

export interface Account {
  readonly keys: OpenAccountKeys
  readonly records: ReadonlyMap<Identifier, HeldAccount>
}

/** A whole registration, or with `before` a whole password change. */
export function register(
  world: Cluster,
  name: string,
  password: string,
  before: Account | null = null,
): Account {
  const keys = before?.keys ?? {
    storageKey: world.random.secret(32),
    signingSeed: world.random.secret(32),
  }
  const active = before ? get(before.records, 1).registration : null
  const plan = registrationPlan(world, name, (active?.keys.opaqueVersion ?? 0) + 1)
  const { registration, dealings } = deal(world, plan, password, keys)
  const pending = new Map<Identifier, AccountRecord>()
  const confirmations = new Map<Identifier, Bytes>()
  for (const [identifier, dealing] of dealings) {
    const expected = { ...expectation(world, identifier, plan.accountId), active }
    pending.set(identifier, must(acceptDealing(expected, dealing)))
    confirmations.set(
      identifier,
      confirmRegistration(get(world.identities, identifier), registration),
    )
  }
  const records = new Map<Identifier, HeldAccount>()
  for (const [identifier, record] of pending) {
    const active = must(activate(record, confirmations, world.verifyKeys))
    records.set(identifier, asRegistered(active))
  }
  return { keys, records }
}

export function loginPlan(world: Cluster, name: string): LoginPlan {
  const accountId = accountIdOf(name)
  return {
    accountId,
    binding: accountBinding(world.rosterDigest, accountId),
    rosterEpoch: world.rosterEpoch,
    minSigners: world.minSigners,
    verifyKeys: world.verifyKeys,
    serverKeys: world.akeKeys,
    stretchingBounds: BOUNDS,
  }
}

export interface Asked {
  readonly state: LoginState
  readonly ke1: ReadonlyMap<Identifier, Bytes>
  readonly responses: Map<Identifier, Bytes>
  readonly serverStates: Map<Identifier, LoginServerState>
}

/** Starts a login and has every server answer from `records` (null: an unknown account). */
export function ask(
  world: Cluster,
  name: string,
  password: string,
  records: ReadonlyMap<Identifier, HeldAccount> | null,
): Asked {
  const plan = loginPlan(world, name)
  const randomness = world.random.bytes(loginRandomnessLength(world.verifyKeys.size))
  const { state, ke1 } = startLogin(plan, secretOf(password), randomness)
  const responses = new Map<Identifier, Bytes>()
  const serverStates = new Map<Identifier, LoginServerState>()
  for (const [identifier, server] of world.servers) {
    const answered = answer(world, server, name, get(ke1, identifier), records?.get(identifier))
    responses.set(identifier, answered.response)
    serverStates.set(identifier, answered.state)
  }
  return { state, ke1, responses, serverStates }
}

export function answer(
  world: Cluster,
  server: LoginServer,
  name: string,
  ke1: Bytes,
  record: HeldAccount | undefined,
) {
  const { accountId, binding } = loginPlan(world, name)
  const question = { accountId, binding, ke1 }
  return must(answerLogin(server, question, record ?? null, world.random.bytes(128)))
}

/** Combines and finishes from the answers given. */
export function conclude(state: LoginState, responses: ReadonlyMap<Identifier, Bytes>) {
  const combined = combineLogin(state, responses)
  if (!combined.ok) return combined
  return finishLogin(combined.value.combined, stretch(combined.value.toStretch))
}

/** Only these servers' answers. */
export function only<T>(map: ReadonlyMap<Identifier, T>, ...keep: Identifier[]) {
  return new Map(keep.map((identifier) => [identifier, get(map, identifier)]))
}
