import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, ristretto255, Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { recordDigest } from "../src/opaque/account.ts"
import {
  type AccountDealing,
  acceptDealing,
  accountIdOf,
  activate,
  answerLogin,
  confirmRegistration,
  type DealingExpectation,
  finishRegistration,
  type Registration,
  startLogin,
  startRegistration,
  verifyConfirmations,
} from "../src/opaque/index.ts"
import { scalarOf } from "../src/opaque/oprf.ts"
import {
  abortOf,
  cluster,
  deal,
  expectation,
  get,
  loginPlan,
  must,
  register,
  registrationPlan,
  secretOf,
} from "./opaque-fixture.ts"

function scene(seed: string) {
  const world = cluster(seed)
  const plan = registrationPlan(world, "alice")
  const keys = { storageKey: world.random.secret(32), signingSeed: world.random.secret(32) }
  const { registration, dealings } = deal(world, plan, "password", keys)
  const dealing = get(dealings, 2)
  return { world, plan, keys, registration, dealings, dealing }
}

type Scene = ReturnType<typeof scene>

const element = ({ world }: Scene) =>
  ristretto255.multiplyBase(ristretto255.scalarFromUniform(world.random.bytes(64)))

const changed = (s: Scene, change: Partial<Registration>): AccountDealing => ({
  ...s.dealing,
  registration: { ...s.registration, ...change },
})

const changedKeys = (s: Scene, change: Partial<Registration["keys"]>): AccountDealing =>
  changed(s, { keys: { ...s.registration.keys, ...change } })

const without = <T>(map: ReadonlyMap<Identifier, T>, identifier: Identifier) =>
  new Map([...map].filter(([i]) => i !== identifier))

const wrongDealings: readonly [string, string, (s: Scene) => AccountDealing][] = [
  ["account", "wrong-account", (s) => changedKeys(s, { accountId: accountIdOf("bob") })],
  ["version 0", "wrong-opaque-version", (s) => changedKeys(s, { opaqueVersion: 0 })],
  ["version 2", "wrong-opaque-version", (s) => changedKeys(s, { opaqueVersion: 2 })],
  ["rosterEpoch", "wrong-roster-epoch", (s) => changed(s, { rosterEpoch: 5 })],
  ["lower threshold", "wrong-threshold", (s) => changed(s, { minSigners: 1 })],
  ["higher threshold", "wrong-threshold", (s) => changed(s, { minSigners: 3 })],
  [
    "shorter vector",
    "wrong-vector-length",
    (s) => changed(s, { vector: s.registration.vector.slice(0, 1) }),
  ],
  [
    "longer vector",
    "wrong-vector-length",
    (s) => changed(s, { vector: [...s.registration.vector, element(s)] }),
  ],
  [
    "other constant term",
    "wrong-share",
    (s) => changed(s, { vector: [element(s), ...s.registration.vector.slice(1)] }),
  ],
  [
    "other slope",
    "wrong-share",
    (s) => changed(s, { vector: [...s.registration.vector.slice(0, 1), element(s)] }),
  ],
  ["recipient", "wrong-recipients", (s) => get(s.dealings, 1)],
  [
    "server missing",
    "wrong-participants",
    (s) => changed(s, { servers: without(s.registration.servers, 3) }),
  ],
  [
    "server replaced",
    "wrong-participants",
    (s) =>
      changed(s, {
        servers: without(s.registration.servers, 3).set(7, get(s.registration.servers, 3)),
      }),
  ],
  [
    "server added",
    "wrong-participants",
    (s) => changed(s, { servers: new Map(s.registration.servers).set(7, element(s)) }),
  ],
  [
    "AKE key",
    "wrong-ake-key",
    (s) => changed(s, { servers: new Map(s.registration.servers).set(3, element(s)) }),
  ],
  [
    "record digest missing",
    "wrong-record",
    (s) => changed(s, { recordDigests: without(s.registration.recordDigests, 1) }),
  ],
  [
    "record digest under another server",
    "wrong-record",
    (s) => {
      const { recordDigests } = s.registration
      const moved = without(recordDigests, 1).set(7, get(recordDigests, 1))
      return changed(s, { recordDigests: moved })
    },
  ],
  [
    "record digest too many",
    "wrong-record",
    (s) =>
      changed(s, {
        recordDigests: new Map(s.registration.recordDigests).set(7, s.world.random.bytes(32)),
      }),
  ],
  [
    "record of another server",
    "wrong-record",
    (s) => ({
      ...s.dealing,
      record: get(s.dealings, 1).record,
    }),
  ],
  [
    "share of another server",
    "wrong-share",
    (s) => ({
      ...s.dealing,
      share: get(s.dealings, 1).share,
    }),
  ],
  [
    "share off by one",
    "wrong-share",
    (s) => ({
      ...s.dealing,
      share: new Secret(ristretto255.addScalars(scalarOf(s.dealing.share), ristretto255.one)),
    }),
  ],
]

for (const [what, reason, alter] of wrongDealings) {
  test(`a dealing with a wrong ${what} is refused as ${reason}, and nobody is blamed`, () => {
    const s = scene(`dealing-${what}`)
    const expected = expectation(s.world, 2, s.plan.accountId)
    must(acceptDealing(expected, s.dealing))
    const aborted = abortOf(acceptDealing(expected, alter(s)))
    assert.deepEqual([aborted.reason, aborted.culprits], [reason, []])
  })
}

test("a password change needs a later version, not far ahead, and the same principal", () => {
  const world = cluster("change")
  const account = register(world, "alice", "password")
  const active = get(account.records, 1).registration
  const at = (version: number, keys = account.keys) =>
    get(deal(world, registrationPlan(world, "alice", version), "new", keys).dealings, 1)
  const expected: DealingExpectation = {
    ...expectation(world, 1, active.keys.accountId),
    active,
  }
  for (const version of [2, 3, 1001]) must(acceptDealing(expected, at(version)))
  for (const version of [0, 1, 1002, 2 ** 32 - 1]) {
    assert.equal(abortOf(acceptDealing(expected, at(version))).reason, "wrong-opaque-version")
  }
  const thief = { ...account.keys, signingSeed: world.random.secret(32) }
  const aborted = abortOf(acceptDealing(expected, at(2, thief)))
  assert.deepEqual([aborted.reason, aborted.culprits], ["wrong-signing-key", []])
})

function confirmed(s: Scene): Map<Identifier, Bytes> {
  return new Map(
    [...s.world.identities].map(([i, key]) => [i, confirmRegistration(key, s.registration)]),
  )
}

test("a registration is active only with every server's signature over the same digest", () => {
  const s = scene("confirm")
  const pending = must(acceptDealing(expectation(s.world, 2, s.plan.accountId), s.dealing))
  assert.equal(pending.confirmations, null)
  const all = confirmed(s)
  assert.deepEqual(must(activate(pending, all, s.world.verifyKeys)).confirmations, all)

  const other = { ...s.registration, rosterEpoch: 9 }
  const cases: [string, readonly Identifier[], Map<Identifier, Bytes>][] = [
    ["missing-confirmation", [3], without(all, 3)],
    ["unexpected-confirmation", [], new Map(all).set(7, get(all, 1))],
    ["wrong-confirmation", [], new Map(all).set(3, get(all, 1))],
    ["wrong-confirmation", [], new Map(all).set(3, new Uint8Array(64))],
    [
      "wrong-confirmation",
      [],
      new Map(all).set(3, confirmRegistration(get(s.world.identities, 3), other)),
    ],
  ]
  for (const [reason, silent, confirmations] of cases) {
    const aborted = abortOf(activate(pending, confirmations, s.world.verifyKeys))
    assert.deepEqual([aborted.reason, aborted.silent, aborted.culprits], [reason, silent, []])
  }
  const strangers = without(s.world.verifyKeys, 3)
  const aborted = abortOf(verifyConfirmations(s.registration, all, strangers))
  assert.equal(aborted.reason, "unknown-sender")
})

test("a confirmation of one registration confirms no field changed", () => {
  const s = scene("digest")
  const all = confirmed(s)
  const { registration } = s
  const digests = new Map(registration.recordDigests).set(
    1,
    recordDigest({ ...s.dealing.record, clientPublicKey: element(s) }),
  )
  const changes: Partial<Registration>[] = [
    { keys: { ...registration.keys, opaqueVersion: 2 } },
    { keys: { ...registration.keys, signingPublicKey: s.world.random.bytes(32) } },
    { keys: { ...registration.keys, signingSeed: registration.keys.storageKey } },
    { rosterEpoch: 5 },
    { minSigners: 3 },
    { servers: new Map(registration.servers).set(1, element(s)) },
    { vector: [element(s), element(s)] },
    { stretching: { ...registration.stretching, passes: 1 } },
    { recordDigests: digests },
  ]
  for (const change of changes) {
    const altered = { ...registration, ...change }
    const aborted = abortOf(verifyConfirmations(altered, all, s.world.verifyKeys))
    assert.equal(aborted.reason, "wrong-confirmation", Object.keys(change).join())
  }
})

test("passwords of no bytes or too many are refused before anything is derived", () => {
  const { world, plan } = scene("password-length")
  for (const password of ["", "x".repeat(4097)]) {
    assert.throws(
      () => startRegistration(plan, secretOf(password), world.random.bytes(128)),
      /password is not 1 to 4096 bytes/,
    )
  }
})

test("thresholds that the servers cannot meet are refused before anything is dealt", () => {
  const { world, plan } = scene("threshold")
  for (const minSigners of [0, 4]) {
    const start = () =>
      startRegistration(
        { ...plan, minSigners },
        secretOf("pw"),
        world.random.bytes(64 * minSigners),
      )
    assert.throws(start, /minSigners out of range/)
  }
})

test("randomness of another length is refused: nothing is ever padded or cut", () => {
  const { world, plan, keys } = scene("randomness")
  const { random } = world
  for (const length of [0, 127, 129]) {
    const start = () => startRegistration(plan, secretOf("pw"), random.bytes(length))
    assert.throws(start, /randomness/)
  }
  const started = startRegistration(plan, secretOf("pw"), random.bytes(128))
  for (const length of [0, 55, 57]) {
    const finish = () =>
      finishRegistration(started.state, started.toStretch, keys, random.bytes(length))
    assert.throws(finish, /randomness: 56 bytes/)
  }
  for (const length of [0, 64 * 4 - 1, 64 * 4 + 1]) {
    const login = () => startLogin(loginPlan(world, "a"), secretOf("pw"), random.bytes(length))
    assert.throws(login, /randomness does not fit/)
  }
  const { accountId, binding } = plan
  const { ke1 } = startLogin(loginPlan(world, "a"), secretOf("pw"), random.bytes(64 * 4))
  const question = { accountId, binding, ke1: get(ke1, 1) }
  for (const length of [0, 127, 129]) {
    const answer = () => answerLogin(get(world.servers, 1), question, null, random.bytes(length))
    assert.throws(answer, /randomness: 128 bytes/)
  }
})
