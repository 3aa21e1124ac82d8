import assert from "node:assert/strict"
import { test } from "node:test"
import {
  evaluatePolynomial,
  feldmanVerify,
  type Identifier,
  ristretto255,
} from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { accountRecordCodec, loginServerStateCodec } from "../src/opaque/index.ts"
import { scalarOf } from "../src/opaque/oprf.ts"
import { crack, type Database, subsets } from "./opaque-cracker.ts"
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

function databaseOf(world: Cluster, account: Account, identifier: Identifier): Database {
  const login = get(ask(world, "alice", RIGHT, account.records).serverStates, identifier)
  const record = get(account.records, identifier)
  const { ake, fakes } = get(world.servers, identifier)
  return {
    identifier,
    record: decode(accountRecordCodec, encode(accountRecordCodec, record)),
    accountId: decode(loginServerStateCodec, encode(loginServerStateCodec, login)).accountId,
    ake,
    fakeSeed: fakes.seed,
  }
}

function tryAll(databases: readonly Database[]) {
  return crack(databases, DICTIONARY, stretch)
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
      const { confirmed, keyFound, tried } = tryAll(databases)
      assert.ok(tried > 100, `${tried} combinations tried`)
      assert.equal(keyFound, false)
      assert.deepEqual([...confirmed.keys()], [])
    }
  })
}

test("the cracker is real: with t databases it finds the right password, in four ways", () => {
  const world = cluster("cracker-real")
  const account = register(world, "alice", RIGHT)
  const { confirmed, keyFound } = tryAll([2, 3].map((i) => databaseOf(world, account, i)))
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
  assert.equal(tryAll([old, fresh]).confirmed.size, 0)
  // One server's old database with another's new one: shares of two keys, and no password.
  assert.equal(tryAll([old, databaseOf(world, after, 2)]).confirmed.size, 0)
  assert.ok(tryAll([fresh, databaseOf(world, after, 2)]).confirmed.has("hunter2"))
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
