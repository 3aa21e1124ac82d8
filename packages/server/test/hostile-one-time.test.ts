import assert from "node:assert/strict"
import { test } from "node:test"
import {
  commitmentList,
  createKeyBody,
  type ErrorCode,
  forgiveGuessesBody,
  listKeysBody,
  prepareBody,
  protocolStepInput,
  type SignedRequest,
} from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import { type KeyCertificate, opaque } from "@lockkeeper/protocols"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { ONE_TIME_LIFETIME_MS } from "../src/key-server.ts"
import { createKey, signWith } from "./flows.ts"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)

async function ready(name = "alice", at = startCluster()) {
  const owner = new TestOwner(await at, name)
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  const first = sessions[0] as TestSession
  return { owner, sessions, first, server: first.to }
}

async function act(session: TestSession, request: SignedRequest, step = 1, input: Bytes = EMPTY) {
  const answer = await session.call({ kind: "act", request, step, input })
  return answer.kind === "refused" ? answer.error.code : answer
}

function prepare(owner: TestOwner, keyId: Bytes, count = 16): SignedRequest {
  return owner.sign(
    owner.request("sign.prepare", encode(prepareBody, { keyId, keyEpoch: 1, count })),
  )
}

function create(owner: TestOwner, keyId: Bytes, attempt = 1): SignedRequest {
  const servers = owner.servers.map(({ identifier }) => identifier)
  const fixed = {
    keyType: "ed25519",
    custody: { kind: "custodial" },
    label: "",
    minSigners: 2,
  } as const
  const body = encode(createKeyBody, { ...fixed, keyId, holders: servers, attempt })
  return owner.sign(owner.request("keys.create", body, { servers }))
}

const NO_MESSAGES = encode(protocolStepInput, { messages: [] })

test("a request id used again for another request does not get the first one's answer", async () => {
  const { owner, first } = await ready()
  const requestId = owner.randomness.bytes(16)
  const list = (limit: number): SignedRequest =>
    owner.sign(
      owner.request("keys.list", encode(listKeysBody, { after: null, limit }), { requestId }),
    )
  const one = await act(first, list(1))
  assert.equal(typeof one, "object")
  const show = owner.sign(owner.request("account.show", EMPTY, { requestId }))
  const two = await act(first, show)
  assert.ok(typeof one === "object" && typeof two === "object")
  assert.ok(one.kind === "act" && two.kind === "act")
  assert.notDeepEqual(two.output, one.output)
})

test("a step asked again with another input is refused, and not answered as if it were the first", async () => {
  const { owner, first } = await ready()
  const request = create(owner, owner.randomness.bytes(32))
  assert.equal(typeof (await act(first, request, 1, NO_MESSAGES)), "object")
  const other = encode(protocolStepInput, { messages: [utf8("another input")] })
  assert.equal(await act(first, request, 1, other), "replayed" satisfies ErrorCode)
})

/** Loses every race for one table: what it is asked to put there is there already. */
class RacingRows extends MemoryRowStore {
  beforeCommit: (() => Promise<void>) | null = null

  override async commit(batch: Parameters<MemoryRowStore["commit"]>[0]) {
    const first = this.beforeCommit
    this.beforeCommit = null
    await first?.()
    return super.commit(batch)
  }
}

test("a step that lost the race to its own copy issues nothing", async () => {
  const rows = new RacingRows()
  const cluster = startCluster({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  const { owner, first } = await ready("alice", cluster)
  const request = create(owner, owner.randomness.bytes(32))
  // While the first copy waits for its commit, a second copy overtakes it.
  let overtaken: unknown = null
  rows.beforeCommit = async () => {
    overtaken = await act(first, request, 1, NO_MESSAGES)
  }
  const answer = await act(first, request, 1, NO_MESSAGES)
  assert.ok(typeof answer === "object" && answer.kind === "act")
  assert.ok(typeof overtaken === "object" && overtaken !== null && "output" in overtaken)
  assert.deepEqual(answer.output, overtaken.output)
})

test("a copy that lost the race for a nonce takes no place among those handed out", async () => {
  const rows = new RacingRows()
  const cluster = startCluster({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  const { owner, sessions, first, server } = await ready("alice", cluster)
  const { keyId } = (await createKey(owner, sessions, "ed25519")).public
  for (let i = 0; i < 3; i++)
    assert.equal(typeof (await act(first, prepare(owner, keyId))), "object")
  const last = prepare(owner, keyId, 8)
  rows.beforeCommit = async () => {
    await act(first, last)
  }
  assert.equal(typeof (await act(first, last)), "object")
  assert.equal(await rowsIn(server, "nonces"), 56)
  // Eight places are left: nothing has to make room.
  assert.equal(typeof (await act(first, prepare(owner, keyId, 8))), "object")
  assert.equal(await rowsIn(server, "nonces"), 64)
})

test("a stranger's key named like an account takes none of that account's places", async () => {
  const cluster = startCluster()
  const { owner: alice, first: aliceAtOne } = await ready("alice", cluster)
  const { owner: mallory, sessions } = await ready("mallory", cluster)
  const certificate = await createKey(mallory, sessions, "ed25519", alice.accountId)
  assert.deepEqual(certificate.public.keyId, alice.accountId)
  for (let i = 0; i < 4; i++) {
    const answer = await act(sessions[0] as TestSession, prepare(mallory, alice.accountId))
    assert.equal(typeof answer, "object")
  }
  const request = create(alice, alice.randomness.bytes(32))
  assert.equal(typeof (await act(aliceAtOne, request, 1, NO_MESSAGES)), "object")
})

async function fill(owner: TestOwner, session: TestSession, keyId: Bytes): Promise<void> {
  for (let i = 0; i < 4; i++)
    assert.equal(typeof (await act(session, prepare(owner, keyId))), "object")
}

async function rowsIn(server: TestServer, table: "nonces" | "answers"): Promise<number> {
  return (await server.store.scan(table, "", "", 256)).length
}

test("the oldest unused commitments make room for new ones, and are gone", async () => {
  const { owner, sessions, first, server } = await ready()
  const certificate: KeyCertificate = await createKey(owner, sessions, "ed25519")
  const { keyId } = certificate.public
  await fill(owner, first, keyId)
  const before = await server.store.scan("nonces", "", "", 256)
  const more = await act(first, prepare(owner, keyId, 2))
  assert.ok(typeof more === "object" && more.kind === "act")
  assert.equal(decode(commitmentList, more.output).length, 2)
  const after = new Set((await server.store.scan("nonces", "", "", 256)).map(({ id }) => id))
  assert.equal(after.size, 64)
  assert.equal(before.filter(({ id }) => !after.has(id)).length, 2)
  assert.equal((await signWith(owner, sessions.slice(0, 2), certificate, utf8("m"))).length, 64)
})

test("commitments that nobody uses expire, with their nonces, and lock no key", async () => {
  const { owner, sessions, first, server } = await ready()
  const certificate: KeyCertificate = await createKey(owner, sessions, "ed25519")
  const { keyId } = certificate.public
  await fill(owner, first, keyId)
  owner.cluster.clock.time += ONE_TIME_LIFETIME_MS + 1
  await server.server.tidy()
  assert.equal(await rowsIn(server, "nonces"), 0)
  assert.equal((await signWith(owner, sessions.slice(0, 2), certificate, utf8("m"))).length, 64)
})

test("key generations that nobody finishes expire and lock no account", async () => {
  const { owner, first, server } = await ready()
  const abandoned = create(owner, owner.randomness.bytes(32))
  await act(first, abandoned, 1, NO_MESSAGES)
  for (let i = 1; i < 64; i++) {
    const answer = await act(first, create(owner, owner.randomness.bytes(32)), 1, NO_MESSAGES)
    assert.equal(typeof answer, "object")
  }
  const next = (): SignedRequest => create(owner, owner.randomness.bytes(32))
  assert.equal(await act(first, next(), 1, NO_MESSAGES), "rate-limited" satisfies ErrorCode)
  owner.cluster.clock.time += ONE_TIME_LIFETIME_MS + 1
  await server.server.tidy()
  assert.equal(typeof (await act(first, next(), 1, NO_MESSAGES)), "object")
})

test("one tidying drops every expired answer, however many there are", async () => {
  const { owner, first, server } = await ready()
  for (let i = 0; i < 300; i++) await act(first, owner.sign(owner.request("account.show", EMPTY)))
  owner.cluster.clock.time += 11 * 60_000
  await server.server.tidy()
  assert.equal(await rowsIn(server, "answers"), 0)
})

test("guesses forgiven while a login is under way do not stop it", async () => {
  const { owner, first } = await ready()
  const { started, opened } = await owner.startLogin("right", owner.servers.slice(0, 2))
  const body = encode(forgiveGuessesBody, { seen: 255 })
  for (const session of [first]) {
    const request = owner.sign(owner.request("account.forgive-guesses", body))
    assert.equal(typeof (await act(session, request)), "object")
  }
  await owner.completeLogin(started, opened)
})

test("what was authorised before a password change does not take effect after it", async () => {
  const rows = new RacingRows()
  const cluster = startCluster({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  const { owner, first, server } = await ready("alice", cluster)
  const id = Buffer.from(owner.accountId).toString("hex")
  rows.beforeCommit = async () => {
    const row = await server.store.read("accounts", id)
    assert.ok(row)
    const { value, version: ifVersion } = row
    await server.store.commit([{ kind: "put", table: "accounts", id, ifVersion, value }])
  }
  const request = owner.sign(owner.request("account.show", EMPTY))
  assert.equal(await act(first, request), "conflict" satisfies ErrorCode)
})

test("the same dealing again writes nothing, and keeps a name for no longer", async () => {
  const cluster = await startCluster()
  const owner = new TestOwner(cluster)
  const [at] = owner.servers as [TestServer]
  const dealing = (): Bytes => {
    const keys = {
      storageKey: new Secret(new Uint8Array(32)),
      signingSeed: new Secret(new Uint8Array(32)),
    }
    return encode(
      opaque.accountDealingCodec,
      owner.deal("pw", 1, keys).dealings.get(1) as opaque.AccountDealing,
    )
  }
  const deal = async (bytes: Bytes) => {
    const issuedAt = cluster.clock.time
    const { session } = await owner.open(at, { kind: "register", issuedAt, name: "alice" })
    const answer = await session.call({ kind: "register-deal", dealing: bytes.slice() })
    return answer.kind === "refused" ? answer.error.code : answer
  }
  const squatted = dealing()
  const first = await deal(squatted)
  const before = await at.store.logPosition()
  cluster.clock.time += 9 * 60_000
  assert.deepEqual(await deal(squatted), first)
  assert.equal(await deal(squatted.map((byte, i) => (i === 5 ? byte ^ 1 : byte))), "aborted")
  assert.deepEqual(await at.store.logPosition(), before)
  cluster.clock.time += 2 * 60_000
  assert.equal(typeof (await deal(dealing())), "object")
})
