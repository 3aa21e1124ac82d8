import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { type opaque, sharing } from "@lockkeeper/protocols"
import { readAccount } from "../src/accounts.ts"
import { Guesses, UNKNOWN_GUESSES_LENGTH } from "../src/guesses.ts"
import {
  agreeOnAccount,
  describeAccount,
  type ToldAccount,
  toldAccount,
} from "../src/resharing/account-records.ts"
import { sharingOfAccountRow } from "../src/resharing/accounts.ts"
import type { ServerSelf } from "../src/self.ts"
import { follow, inTransition, startCluster, type TestCluster } from "./memory-cluster.ts"
import { TestOwner } from "./owner.ts"
import { changePassword } from "./password-flows.ts"

interface Scene {
  readonly cluster: TestCluster
  /** Of server 4, which joins. */
  readonly self: ServerSelf
  readonly known: sharing.Sharing
  readonly told: Map<Identifier, Bytes>
  readonly accountId: Bytes
}

async function tellings(cluster: TestCluster, accountId: Bytes): Promise<Map<Identifier, Bytes>> {
  const told = new Map<Identifier, Bytes>()
  for (const { identifier, self, store } of cluster.servers.values()) {
    const record = await describeAccount(new Guesses(self, store), store, accountId)
    if (record !== null) told.set(identifier, record)
  }
  return told
}

/** An account of servers 1 to 3, which server 4 is told of. */
async function scene(prepare: (owner: TestOwner) => Promise<void> = async () => undefined) {
  const before = await startCluster()
  const owner = new TestOwner(before)
  await owner.register("right")
  await prepare(owner)
  const cluster = await follow(before, inTransition(before, [1, 2, 4], 2))
  const { accountId } = owner
  const row = await readAccount(cluster.servers.get(1)!.store, accountId)
  const known = sharingOfAccountRow(row!.value)!
  const told = await tellings(cluster, accountId)
  const { self } = cluster.servers.get(4)!
  const made: Scene = { cluster, self, known, told, accountId }
  return made
}

function changed(told: Bytes, change: (account: ToldAccount) => Partial<ToldAccount>): Bytes {
  const account = decode(toldAccount, told)
  return encode(toldAccount, { ...account, ...change(account) })
}

test("a server that joins takes the record that the others tell alike, and guesses that two took", async () => {
  const { self, known, told } = await scene(async (owner) => {
    await owner.startLogin("wrong", owner.servers.slice(1, 3))
    await owner.startLogin("wrong", owner.servers.slice(2, 3))
  })
  const times = [5, 900, 7]
  const each = [...told].map(([id, record]) => {
    return [id, changed(record, () => ({ createdAt: times[id - 1]! }))] as const
  })
  const agreed = agreeOnAccount(self, known, new Map(each.reverse()), 2)
  const { name, home, createdAt, guessesTaken, registration } = decode(toldAccount, agreed!)
  assert.deepEqual([name, home, createdAt, guessesTaken], ["alice", 1, 7, 1])
  assert.equal(registration.keys.opaqueVersion, 1)
  assert.equal(agreeOnAccount(self, known, new Map(each.slice(1)), 3), null)
  assert.equal(agreeOnAccount(self, known, new Map(), 1), null)
})

const MOST = 2 ** 32 - 1

test("a teller that counts any number of guesses locks nobody out", async () => {
  const { self, known, told } = await scene(async (owner) => {
    await owner.startLogin("wrong", owner.servers)
  })
  const unknownNames = new Uint8Array(UNKNOWN_GUESSES_LENGTH).fill(0xff)
  for (const liar of told.keys()) {
    const lied = changed(told.get(liar)!, () => ({ guessesTaken: MOST, unknownNames }))
    const among = new Map(told).set(liar, lied)
    for (const [silent] of [...among].filter(([id]) => id !== liar)) {
      const pair = new Map([...among].filter(([id]) => id !== silent))
      for (const tellers of [among, pair]) {
        const agreed = decode(toldAccount, agreeOnAccount(self, known, tellers, 2)!)
        assert.equal(agreed.guessesTaken, 1)
        assert.equal(agreed.unknownNames.length, 0)
      }
    }
  }
})

test("a teller that counts no guesses gives none back where a threshold of others tells", async () => {
  const { self, known, told } = await scene()
  const counted = new Uint8Array(UNKNOWN_GUESSES_LENGTH)
  counted.set([0x3a, 0x05])
  const honest = [...told].map(([id, record]) => {
    return [id, changed(record, () => ({ guessesTaken: 9, unknownNames: counted }))] as const
  })
  const none = () => ({ guessesTaken: 0, unknownNames: new Uint8Array(0) })
  for (const liar of told.keys()) {
    const among = new Map(honest).set(liar, changed(told.get(liar)!, none))
    const agreed = decode(toldAccount, agreeOnAccount(self, known, among, 2)!)
    assert.equal(agreed.guessesTaken, 9)
    assert.deepEqual(agreed.unknownNames, counted)
  }
})

test("a charter is believed as holders tell it alike, and one liar neither makes nor hides it", async () => {
  const { self, known, told } = await scene()
  const charter = new Uint8Array(32).fill(7)
  const other = new Uint8Array(32).fill(8)
  const under = (value: Bytes | null) => (record: Bytes) =>
    changed(record, () => ({ charter: value }))
  const honest = new Map([...told].map(([id, record]) => [id, under(charter)(record)] as const))
  for (const liar of told.keys()) {
    for (const lie of [null, other]) {
      const among = new Map(honest).set(liar, under(lie)(told.get(liar)!))
      const agreed = decode(toldAccount, agreeOnAccount(self, known, among, 2)!)
      assert.deepEqual(agreed.charter, charter)
      assert.equal(agreeOnAccount(self, known, among, 3), null)
    }
    const made = new Map(told).set(liar, under(charter)(told.get(liar)!))
    assert.equal(decode(toldAccount, agreeOnAccount(self, known, made, 2)!).charter, null)
  }
})

type Lie = (told: ToldAccount, scene: Scene) => Partial<ToldAccount>

function withRegistration(change: (of: opaque.Registration) => Partial<opaque.Registration>): Lie {
  return ({ registration }) => ({ registration: { ...registration, ...change(registration) } })
}

const spoilt = (bytes: Bytes): Bytes => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))

const LIES: readonly (readonly [string, Lie])[] = [
  ["another name", () => ({ name: "bob" })],
  ["another home", () => ({ home: 3 })],
  ["a home that is not registered", () => ({ home: 4 })],
  [
    "another record",
    ({ record }) => ({ record: { ...record, maskingKey: new Secret(new Uint8Array(64)) } }),
  ],
  [
    "an envelope that was altered",
    ({ record }) => {
      const { nonce, authTag } = record.envelope
      return { record: { ...record, envelope: { nonce, authTag: spoilt(authTag) } } }
    },
  ],
  [
    "fewer confirmations than servers",
    ({ confirmations }) => ({ confirmations: new Map([...confirmations].slice(0, 2)) }),
  ],
  [
    "a confirmation of nobody's",
    ({ confirmations }) => ({
      confirmations: new Map(
        [...confirmations].map(([id, one]) => [id, id === 2 ? spoilt(one) : one]),
      ),
    }),
  ],
  ["a roster that is not in the chain", withRegistration(() => ({ rosterEpoch: 9 }))],
  ["the roster in transition", withRegistration(() => ({ rosterEpoch: 2 }))],
  ["another threshold", withRegistration(() => ({ minSigners: 3 }))],
  [
    "fewer servers",
    withRegistration(({ servers }) => ({ servers: new Map([...servers].slice(0, 2)) })),
  ],
  ["another vector", withRegistration(({ vector }) => ({ vector: [...vector].reverse() }))],
  ["another version", withRegistration(({ keys }) => ({ keys: { ...keys, opaqueVersion: 2 } }))],
]

for (const [what, lie] of LIES) {
  test(`a teller with ${what} is outvoted by two, and believed by nobody`, async () => {
    const made = await scene()
    const { self, known, told } = made
    const honest = agreeOnAccount(self, known, told, 2)
    const lied = told.get(1)!
    const bytes = changed(lied, (account) => lie(account, made))
    const among = new Map(told).set(1, bytes)
    const agreed = decode(toldAccount, agreeOnAccount(self, known, among, 2)!)
    assert.deepEqual([agreed.name, agreed.home], ["alice", 2])
    const { registration } = decode(toldAccount, honest!)
    assert.deepEqual(agreed.registration, registration)
    assert.equal(agreeOnAccount(self, known, among, 3), null)
    assert.equal(agreeOnAccount(self, known, new Map([[1, bytes]]), 1), null)
  })
}

test("the record of a password before is none of the sharing's, nor one of another account", async () => {
  let before = new Map<Identifier, Bytes>()
  const all = [1, 2, 3]
  const { cluster, self, known, told } = await scene(async (owner) => {
    before = await tellings(owner.cluster, owner.accountId)
    const sessions = await owner.login("right", owner.servers)
    await changePassword(owner, sessions, "new", { version: 2, activateAt: all, finaliseAt: all })
    await new TestOwner(owner.cluster, "bob").register("right")
  })
  assert.equal(decode(toldAccount, agreeOnAccount(self, known, told, 3)!).home, 1)
  assert.equal(agreeOnAccount(self, known, before, 1), null)
  const other = await tellings(cluster, new TestOwner(cluster, "bob").accountId)
  assert.equal(other.size, 3)
  assert.equal(agreeOnAccount(self, known, other, 1), null)
  assert.equal(agreeOnAccount(self, { ...known, verifyingKey: known.id }, told, 1), null)
  assert.equal(sharing.FIRST_KEY_EPOCH, known.keyEpoch)
})

test("what is no record at all counts for nothing", async () => {
  const { self, known, told } = await scene()
  const cut = new Map([...told].map(([id, one]) => [id, one.slice(0, -1)]))
  assert.equal(agreeOnAccount(self, known, cut, 1), null)
})
