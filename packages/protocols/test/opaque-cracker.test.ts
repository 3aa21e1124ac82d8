import assert from "node:assert/strict"
import { test } from "node:test"
import {
  evaluatePolynomial,
  feldmanVerify,
  type Identifier,
  interpolate,
  ristretto255,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import { decode, encode, equalBytes, utf8 } from "@lockkeeper/encoding"
import { deriveCredentials, envelopeFits, randomizePassword } from "../src/opaque/envelope.ts"
import { fakeHolding } from "../src/opaque/fake.ts"
import {
  type AccountRecord,
  accountRecordCodec,
  type LoginServerState,
  loginServerStateCodec,
  openAccountKeys,
} from "../src/opaque/index.ts"
import { evaluateUnblinded, type KeyPair, scalarOf } from "../src/opaque/oprf.ts"
import {
  type Account,
  ask,
  type Cluster,
  cluster,
  get,
  register,
  stretch,
} from "./opaque-fixture.ts"

const RIGHT = "correct horse battery staple"
const DICTIONARY = ["123456", "password", RIGHT, "letmein", "hunter2"]

/** Everything that one server stores, as its disk has it once unsealed. */
interface Database {
  readonly identifier: Identifier
  readonly record: AccountRecord
  readonly login: LoginServerState
  readonly ake: KeyPair
  readonly fakeSeed: Secret
}

function databaseOf(world: Cluster, account: Account, identifier: Identifier): Database {
  const login = get(ask(world, "alice", RIGHT, account.records).serverStates, identifier)
  const record = get(account.records, identifier)
  const { ake, fakes } = get(world.servers, identifier)
  return {
    identifier,
    record: decode(accountRecordCodec, encode(accountRecordCodec, record)),
    login: decode(loginServerStateCodec, encode(loginServerStateCodec, login)),
    ake,
    fakeSeed: fakes.seed,
  }
}

function subsets<T>(items: readonly T[]): T[][] {
  const [first, ...others] = items
  if (first === undefined) return [[]]
  const rest = subsets(others)
  return [...rest, ...rest.map((set) => [first, ...set])]
}

/** Scalars that might be the OPRF key: everything that can be put together from what was stolen. */
function candidateKeys(databases: readonly Database[]): Scalar[] {
  const scalars = databases.flatMap(({ record, ake, identifier, fakeSeed, login }) => {
    const { accountId } = login
    const { minSigners } = record.registration
    const fakes = { seed: fakeSeed, epoch: 1 }
    return [
      scalarOf(record.share),
      scalarOf(ake.privateKey),
      fakeHolding(fakes, accountId, minSigners, identifier).share,
      evaluatePolynomial(ristretto255, [scalarOf(record.share)], identifier),
    ]
  })
  const keys = [ristretto255.one, ...scalars]
  for (const set of subsets(databases)) {
    const shares = new Map(
      set.map(({ identifier, record }) => [identifier, scalarOf(record.share)]),
    )
    if (shares.size > 0) keys.push(interpolate(ristretto255, shares))
    // With every guess at one missing share: zero, one, or any scalar that was found.
    for (const missing of [1, 2, 3, 4].filter((i) => !shares.has(i))) {
      for (const value of [ristretto255.zero, ristretto255.one, ...scalars]) {
        keys.push(interpolate(ristretto255, new Map(shares).set(missing, value)))
      }
    }
  }
  return keys.filter((key) => !ristretto255.isZeroScalar(key))
}

/** Every check that stored state allows of one candidate password under one candidate key. */
function confirmations(databases: readonly Database[], key: Scalar, password: string): string[] {
  const output = evaluateUnblinded(key, utf8(password))
  const stretched = stretch(Secret.copyOf(output.expose()))
  const randomized = randomizePassword(output, stretched)
  const found: string[] = []
  for (const { record, ake, login } of databases) {
    const { registration } = record
    const { envelope } = record.record
    const credentials = deriveCredentials(randomized, envelope.nonce)
    const check = (name: string, holds: boolean) => {
      if (holds) found.push(name)
    }
    check(
      "masking key",
      equalBytes(credentials.maskingKey.expose(), record.record.maskingKey.expose()),
    )
    check("client key", equalBytes(credentials.client.publicKey, record.record.clientPublicKey))
    const identities = { client: login.accountId, server: null }
    check("envelope", envelopeFits(credentials, envelope, ake.publicKey, identities))
    const { exportKey } = credentials
    check("wraps", openAccountKeys(exportKey, login.accountId, registration.keys).ok)
  }
  return found
}

/** The passwords of the dictionary that anything confirms, and whether the key was found. */
function crack(databases: readonly Database[]) {
  const confirmed = new Map<string, Set<string>>()
  const keys = candidateKeys(databases)
  let keyFound = false
  for (const key of keys) {
    keyFound ||= databases.some(({ record }) =>
      equalBytes(ristretto255.multiplyBase(key), record.registration.vector[0] ?? new Uint8Array()),
    )
  }
  for (const password of DICTIONARY) {
    for (const key of keys) {
      for (const name of confirmations(databases, key, password)) {
        confirmed.set(password, (confirmed.get(password) ?? new Set()).add(name))
      }
    }
  }
  return { confirmed, keyFound, tried: keys.length * DICTIONARY.length }
}

for (const [minSigners, size] of [
  [2, 3],
  [3, 4],
] as const) {
  test(`${minSigners - 1} of ${size} databases and the right password in the list confirm nothing`, () => {
    const world = cluster(`cracker-${size}`, minSigners, size)
    const account = register(world, "alice", RIGHT)
    const all = [...world.servers.keys()].map((i) => databaseOf(world, account, i))
    const stolen = subsets(all).filter((set) => set.length === minSigners - 1)
    assert.equal(stolen.length, size === 3 ? 3 : 6)
    // One set of a kind is enough where the list of candidate keys is long.
    for (const databases of stolen.slice(0, 3)) {
      const { confirmed, keyFound, tried } = crack(databases)
      assert.ok(tried > 100, `${tried} combinations tried`)
      assert.equal(keyFound, false)
      assert.deepEqual([...confirmed.keys()], [])
    }
  })
}

test("the cracker is real: with t databases it finds the right password, in four ways", () => {
  const world = cluster("cracker-real")
  const account = register(world, "alice", RIGHT)
  const { confirmed, keyFound } = crack([2, 3].map((i) => databaseOf(world, account, i)))
  assert.equal(keyFound, true)
  assert.deepEqual([...confirmed.keys()], [RIGHT])
  assert.deepEqual([...(confirmed.get(RIGHT) ?? [])].sort(), [
    "client key",
    "envelope",
    "masking key",
    "wraps",
  ])
})

test("databases of one server from before and after a password change are still one server", () => {
  const world = cluster("cracker-versions")
  const before = register(world, "alice", RIGHT)
  const after = register(world, "alice", "hunter2", before)
  const old = databaseOf(world, before, 1)
  const fresh = databaseOf(world, after, 1)
  assert.equal(crack([old, fresh]).confirmed.size, 0)
  // One server's old database with another's new one: shares of two keys, and no password.
  assert.equal(crack([old, databaseOf(world, after, 2)]).confirmed.size, 0)
  assert.ok(crack([fresh, databaseOf(world, after, 2)]).confirmed.has("hunter2"))
})

test("what t - 1 servers hold fits every password alike: a missing share exists for each", () => {
  const world = cluster("cracker-fits")
  const account = register(world, "alice", RIGHT)
  const { record } = databaseOf(world, account, 1)
  const { vector } = record.registration
  assert.ok(feldmanVerify(ristretto255, vector, 1, scalarOf(record.share)))
  // For any key there is a polynomial through the stolen share: the share alone excludes none.
  for (const seed of ["a", "b", "c"]) {
    const key = ristretto255.scalarFromUniform(world.random.bytes(64))
    const slope = ristretto255.subtractScalars(scalarOf(record.share), key)
    const share = evaluatePolynomial(ristretto255, [key, slope], 1)
    assert.deepEqual(share, scalarOf(record.share), seed)
  }
})
