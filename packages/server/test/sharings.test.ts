import assert from "node:assert/strict"
import { before, test } from "node:test"
import {
  type CallAnswer,
  eventCodec,
  type ListSharingsBody,
  listSharingsBody,
  type SharingsPage,
  sharingsPage,
} from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { type KeyCertificate, opaque, sharing } from "@lockkeeper/protocols"
import { readAccount } from "../src/accounts.ts"
import { generationId, generationRow } from "../src/resharing/rows.ts"
import { createKey } from "./flows.ts"
import { startCluster, type TestCluster, type TestServer } from "./memory-cluster.ts"
import { TestOperator } from "./operator.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)

let cluster: TestCluster
let operator: TestOperator
let session: TestSession
let certificates: readonly KeyCertificate[]
let owners: readonly TestOwner[]

before(async () => {
  cluster = await startCluster()
  owners = [new TestOwner(cluster), new TestOwner(cluster, "bob"), new TestOwner(cluster, "carol")]
  for (const owner of owners) await owner.register("correct horse")
  const [alice] = owners as [TestOwner]
  const sessions = await alice.login("correct horse", alice.servers)
  const made: KeyCertificate[] = []
  for (const type of ["ed25519", "bip340", "ecdsa-secp256k1"] as const) {
    made.push(await createKey(alice, sessions, type))
  }
  certificates = made
  operator = new TestOperator(cluster, 2)
  session = await operator.open(cluster.servers.get(1) as TestServer)
})

const inOrder = (ids: readonly Bytes[]) => ids.map(toHex).sort()

function ask(body: Bytes, step = 1, input: Bytes = EMPTY): Promise<CallAnswer> {
  const request = operator.sign(operator.request("sharings.list", body))
  return session.call({ kind: "act", request, step, input })
}

async function page(body: ListSharingsBody): Promise<SharingsPage> {
  const { output } = expectKind(await ask(encode(listSharingsBody, body)), "act")
  return decode(sharingsPage, output)
}

const LEFT_NOTHING = { leftKeyEpoch: null, leftOn: null }

test("keys are listed in id order, as what their certificates prove", async () => {
  const { sharings, next } = await page({ kind: "keys", after: null, limit: 64 })
  assert.equal(next, null)
  const expected = certificates.map((one) => sharing.sharingOfKey(one.public))
  const digests = (list: readonly sharing.Sharing[]) => list.map(sharing.sharingDigest).map(toHex)
  const listed = sharings.map((one) => one.sharing)
  assert.deepEqual(digests(listed).sort(), digests(expected).sort())
  assert.deepEqual(
    listed.map(({ id }) => toHex(id)),
    inOrder(expected.map(({ id }) => id)),
  )
  for (const { sharing: one, highestKeyEpoch, pendingRun } of sharings) {
    assert.deepEqual([one.keyEpoch, highestKeyEpoch, pendingRun], [1, 1, null])
  }
})

test("accounts are listed by id, as what every server confirmed, and without a name", async () => {
  const { sharings, next } = await page({ kind: "accounts", after: null, limit: 64 })
  assert.equal(next, null)
  assert.deepEqual(
    sharings.map(({ sharing: { id } }) => toHex(id)),
    inOrder(owners.map(({ accountId }) => accountId)),
  )
  const { store } = cluster.servers.get(3) as TestServer
  for (const { sharing: one } of sharings) {
    const row = await readAccount(store, one.id)
    const registration = row?.value.active?.registration
    assert.ok(registration)
    assert.deepEqual(one, sharing.sharingOfAccount(registration, 1))
  }
  const encoded = toHex(encode(sharingsPage, { sharings, next }))
  for (const { name } of owners) assert.ok(!encoded.includes(toHex(new TextEncoder().encode(name))))
})

test("a generation that was confirmed and not activated is told with its run, for its kind alone", async () => {
  const { store } = cluster.servers.get(1) as TestServer
  const { keyId } = (certificates[0] as KeyCertificate).public
  const run = new Uint8Array(32).fill(6)
  const kept = { highestKeyEpoch: 2, pendingRun: run, activeRun: null, activatedAt: 0 }
  const value = encode(generationRow, { ...kept, lastAttempt: 1, ...LEFT_NOTHING })
  const put = { kind: "put", table: "generations", ifVersion: "absent", value } as const
  const { accountId } = owners[0] as TestOwner
  await store.commit([
    { ...put, id: generationId("keys", keyId) },
    // Anyone can choose a key id that is an account's id.
    { ...put, id: generationId("keys", accountId) },
  ])
  const told = async (kind: "keys" | "accounts") =>
    (await page({ kind, after: null, limit: 64 })).sharings.map((one) => [
      ...[toHex(one.sharing.id), one.sharing.keyEpoch, one.highestKeyEpoch],
      one.pendingRun === null ? null : toHex(one.pendingRun),
    ])
  const expected = (ids: readonly Bytes[], pending: Bytes | null) =>
    inOrder(ids).map((id) =>
      pending !== null && id === toHex(pending) ? [id, 1, 2, toHex(run)] : [id, 1, 1, null],
    )
  const keys = certificates.map((one) => one.public.keyId)
  assert.deepEqual(await told("keys"), expected(keys, keyId))
  const accounts = owners.map((one) => one.accountId)
  assert.deepEqual(await told("accounts"), expected(accounts, null))
})

test("pages follow each other without gap or overlap", async () => {
  for (const kind of ["keys", "accounts"] as const) {
    const whole = await page({ kind, after: null, limit: 64 })
    const walked: SharingsPage["sharings"][number][] = []
    let after: Bytes | null = null
    do {
      const part: SharingsPage = await page({ kind, after, limit: 2 })
      assert.ok(part.sharings.length <= 2)
      walked.push(...part.sharings)
      after = part.next
    } while (after !== null)
    assert.deepEqual(walked, whole.sharings)
  }
})

test("registrations that are not complete are passed over, and do not end the list", async () => {
  const [first] = [...cluster.servers.values()] as [TestServer]
  for (let i = 0; i < 6; i++) {
    const owner = new TestOwner(cluster, `unfinished ${i}`)
    const issuedAt = cluster.clock.time
    const { session: at } = await owner.open(first, {
      kind: "register",
      issuedAt,
      name: owner.name,
    })
    const { dealings } = owner.deal("correct horse", 1, {
      storageKey: new Secret(owner.randomness.bytes(32)),
      signingSeed: new Secret(owner.randomness.bytes(32)),
    })
    const dealing = encode(opaque.accountDealingCodec, dealings.get(1) as opaque.AccountDealing)
    expectKind(await at.call({ kind: "register-deal", dealing }), "register-deal")
  }
  const walked: string[] = []
  let after: Bytes | null = null
  let pages = 0
  do {
    const part: SharingsPage = await page({ kind: "accounts", after, limit: 1 })
    walked.push(...part.sharings.map(({ sharing: { id } }) => toHex(id)))
    after = part.next
    pages += 1
  } while (after !== null)
  assert.deepEqual(walked, inOrder(owners.map(({ accountId }) => accountId)))
  assert.ok(pages >= 9, `${pages} pages`)
})

test("what is outside the bounds or no body is refused by field", async () => {
  const cases: readonly (readonly [Bytes, number, Bytes, string])[] = [
    [encode(listSharingsBody, { kind: "keys", after: null, limit: 0 }), 1, EMPTY, "body.limit"],
    [encode(listSharingsBody, { kind: "keys", after: null, limit: 65 }), 1, EMPTY, "body.limit"],
    [Uint8Array.of(2, 0, 64), 1, EMPTY, "body.kind"],
    [Uint8Array.of(0, 0, 64, 0), 1, EMPTY, "body"],
    [EMPTY, 1, EMPTY, "body.kind"],
    [Uint8Array.of(0, 0, 64), 2, EMPTY, "step"],
    [Uint8Array.of(0, 0, 64), 0, EMPTY, "step"],
    [Uint8Array.of(0, 0, 64), 1, Uint8Array.of(1), "input"],
  ]
  for (const [body, step, input, field] of cases) {
    const answer = await ask(body, step, input)
    assert.ok(answer.kind === "refused", field)
    assert.equal(`${answer.error.code} ${answer.error.field}`, `invalid-request ${field}`)
  }
})

test("each page is logged", async () => {
  const { store } = cluster.servers.get(1) as TestServer
  const { log } = expectKind(
    await ask(encode(listSharingsBody, { kind: "keys", after: null, limit: 1 })),
    "act",
  )
  const [entry] = await store.entries(log.index, 1)
  const event = decode(eventCodec, entry?.event as Bytes)
  assert.deepEqual([event.operation, event.note], ["sharings.list", "operator of server 2"])
})
