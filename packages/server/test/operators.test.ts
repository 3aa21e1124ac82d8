import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import {
  decodeCredential,
  type ErrorCode,
  eventCodec,
  incidentListings,
  LockKeeperError,
  listIncidentsBody,
  listSharingsBody,
  MAX_OPERATOR_LIFETIME_MS,
  mayAsk,
  OPERATION_ROLES,
  OPERATIONS,
  type OpenPayload,
  type Operation,
  type Request,
  reportIncidentBody,
  type SignedCredential,
  sharingsPage,
  signRequest,
  verifyCredential,
} from "@lockkeeper/api"
import { Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { CREDENTIAL_LIFETIME_MS } from "../src/control/certify-operator.ts"
import { MAX_OPERATOR_SESSIONS } from "../src/request/sessions.ts"
import { equivocationBy } from "./evidence.ts"
import { startCluster, type TestCluster, type TestServer } from "./memory-cluster.ts"
import { TestOperator } from "./operator.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"
import { snapshot } from "./row-store-conformance.ts"

const EMPTY = new Uint8Array(0)
const ALL_KEYS = encode(listSharingsBody, { kind: "keys", after: null, limit: 64 })

let cluster: TestCluster
let operator: TestOperator
let first: TestServer
let second: TestServer

beforeEach(async () => {
  cluster = await startCluster()
  operator = new TestOperator(cluster, 2)
  first = cluster.servers.get(1) as TestServer
  second = cluster.servers.get(2) as TestServer
})

async function events({ store }: TestServer) {
  const end = (await store.logPosition())?.index ?? -1
  const entries = await store.entries(Math.max(0, end - 200), 256)
  return entries.map(({ event }) => decode(eventCodec, event))
}

async function logSize({ store }: TestServer): Promise<number> {
  return ((await store.logPosition())?.index ?? -1) + 1
}

async function act(session: TestSession, request: ReturnType<TestOperator["sign"]>, step = 1) {
  return session.call({ kind: "act", request, step, input: EMPTY })
}

/** Server 1 refuses to open, changes nothing, and holds no session afterwards. */
async function refusedOpen(
  payload: OpenPayload | ((transcript: Bytes) => OpenPayload),
  code: ErrorCode,
  field: string | RegExp,
  at = first,
): Promise<void> {
  const before = await snapshot(at.rows)
  const { session, answer } = await operator.tryOpen(at, payload)
  assert.ok(answer.kind === "refused", `expected ${code} for ${field}`)
  assert.equal(answer.error.code, code, answer.error.message)
  if (typeof field === "string") assert.equal(answer.error.field, field)
  else assert.match(answer.error.field, field)
  assert.equal(await snapshot(at.rows), before)
  await assert.rejects(session.call({ kind: "close" }), { code: "session-ended" })
}

async function refusedAct(
  session: TestSession,
  request: ReturnType<TestOperator["sign"]>,
  code: ErrorCode,
  field: string,
): Promise<void> {
  const answer = await act(session, request)
  assert.ok(answer.kind === "refused", `expected ${code} ${field}`)
  assert.equal(`${answer.error.code} ${answer.error.field}`, `${code} ${field}`)
}

async function quarantine(at: TestServer, culprit: number): Promise<void> {
  const reporter = new TestOperator(cluster, at.identifier, "reporter")
  const evidence = equivocationBy(cluster, culprit)
  const request = reporter.request("incidents.report", encode(reportIncidentBody, { evidence }))
  expectKind(await act(await reporter.open(at), reporter.sign(request)), "act")
  assert.deepEqual(at.server.incidents.quarantined, [culprit])
}

test("a server certifies its operator for an hour and logs that it did", async () => {
  const credential = await operator.certified()
  assert.ok(verifyCredential(credential, second.self.identity.publicKey))
  assert.deepEqual(decodeCredential(credential), {
    ...{ server: 2, rosterEpoch: 1, operatorKey: operator.key.publicKey },
    ...{ issuedAt: cluster.clock.time, expiresAt: cluster.clock.time + CREDENTIAL_LIFETIME_MS },
  })
  const event = (await events(second)).at(-1)
  assert.equal(event?.operation, "operator.certify")
  assert.deepEqual(event?.accountId, operator.operatorId)
  assert.equal(event?.note, "operator of server 2")
})

test("an operator opens a session with every server, which logs it", async () => {
  for (const to of cluster.servers.values()) {
    const session = await operator.open(to)
    const opened = (await events(to)).at(-1)
    assert.equal(opened?.operation, "session.operate")
    assert.equal(opened?.note, "operator of server 2")
    const request = operator.sign(operator.request("sharings.list", ALL_KEYS))
    const answer = expectKind(await act(session, request), "act")
    assert.deepEqual(decode(sharingsPage, answer.output), { sharings: [], next: null })
    const event = (await events(to)).at(-1)
    assert.equal(event?.operation, "sharings.list")
    assert.deepEqual(event?.accountId, operator.operatorId)
    assert.equal(event?.note, "operator of server 2")
    assert.equal((await to.store.logPosition())?.index, answer.log.index)
    assert.equal(to.server.counters.counts().get("operator-steps"), 1)
    assert.equal(to.server.operatorSessionCount, 1)
  }
})

test("a credential by anyone but the server that it names opens nothing", async () => {
  const field = "payload.credential.signature"
  const good = await operator.certified()
  const zeros = { ...good, signature: new Uint8Array(64) }
  const byOther = operator.forged({}, 3)
  const renamed = operator.forged({ server: 1 })
  for (const bad of [zeros, byOther, renamed]) {
    await refusedOpen(operator.operate(bad), "unauthenticated", field)
  }
  const stranger = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(7)))
  const own = { credential: good.credential, signature: stranger.sign(good.credential) }
  await refusedOpen(operator.operate(own), "unauthenticated", field)
})

test("a credential of a server that the roster does not list opens nothing", async () => {
  const outside = operator.forged({ server: 9 })
  await refusedOpen(operator.operate(outside), "permission-denied", "payload.credential.server")
})

test("a credential of another roster opens nothing", async () => {
  for (const rosterEpoch of [0, 2]) {
    const other = operator.forged({ rosterEpoch })
    await refusedOpen(operator.operate(other), "wrong-roster", "payload.credential.rosterEpoch")
  }
})

test("a credential opens nothing before its time, after it, or when it holds for too long", async () => {
  const { time } = cluster.clock
  const open = (issuedAt: number, expiresAt: number) =>
    operator.operate(operator.forged({ issuedAt, expiresAt }))
  const day = MAX_OPERATOR_LIFETIME_MS
  const expiry = "payload.credential.expiresAt"
  await refusedOpen(open(time, time + day + 1), "invalid-request", expiry)
  await refusedOpen(open(time, time), "invalid-request", expiry)
  await refusedOpen(open(time, time - 1), "invalid-request", expiry)
  await refusedOpen(open(time - 1000, time), "expired", expiry)
  const early = "payload.credential.issuedAt"
  await refusedOpen(open(time + 120_001, time + 200_000), "clock-skew", early)
  const { answer } = await operator.tryOpen(first, open(time + 120_000, time + day))
  assert.deepEqual(answer, { kind: "operate", expiresAt: time + day })
})

test("a malformed credential is refused by its field", async () => {
  const good = await operator.certified()
  const with_ = (credential: Bytes): SignedCredential => ({ ...good, credential })
  const cut = with_(good.credential.slice(0, -1))
  await refusedOpen(operator.operate(cut), "invalid-request", "payload.credential.expiresAt")
  const longer = with_(new Uint8Array([...good.credential, 0]))
  await refusedOpen(operator.operate(longer), "invalid-request", /^payload\.credential/)
  const relabelled = good.credential.slice()
  relabelled[0] = (relabelled[0] as number) ^ 1
  const field = "payload.credential.label"
  await refusedOpen(operator.operate(with_(relabelled)), "invalid-request", field)
})

test("a session opens only with the certified key's signature over its own handshake", async () => {
  const good = await operator.certified()
  const field = "payload.signature"
  const stranger = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(7)))
  await refusedOpen(operator.operate(good, stranger), "unauthenticated", field)
  // The server that certified could not use it either.
  await refusedOpen(operator.operate(good, second.self.identity), "unauthenticated", field)
  const zeros = (transcript: Bytes) => ({
    ...operator.operate(good)(transcript),
    signature: new Uint8Array(64),
  })
  await refusedOpen(zeros, "unauthenticated", field)
  // A signature over another handshake's keys, and one over another time.
  let signature: Bytes = EMPTY
  operator.hello(second, (transcript) => {
    const made = operator.operate(good)(transcript)
    signature = made.signature
    return made
  })
  const moved = (transcript: Bytes) => ({ ...operator.operate(good)(transcript), signature })
  await refusedOpen(moved, "unauthenticated", field)
  const later = (transcript: Bytes) => {
    const made = operator.operate(good)(transcript)
    return { ...made, issuedAt: made.issuedAt + 1 }
  }
  await refusedOpen(later, "unauthenticated", field)
})

test("a recorded hello of an operator opens no second session", async () => {
  const { hello } = operator.hello(first, operator.operate(await operator.certified()))
  await first.server.open(hello)
  await assert.rejects(first.server.open(hello), { code: "replayed", field: "hello" })
  assert.equal(first.server.operatorSessionCount, 1)
  cluster.clock.time += 240_001
  await operator.open(first)
  // Nobody remembers it any more, and it is too old.
  await first.server.open(hello)
  assert.equal(first.server.operatorSessionCount, 2)
})

test("an operator of a quarantined server is refused, at the door and inside", async () => {
  const session = await operator.open(first)
  await quarantine(first, 2)
  const credential = await operator.certified()
  await refusedOpen(operator.operate(credential), "quarantined", "quarantined.2")
  const request = operator.sign(operator.request("sharings.list", ALL_KEYS))
  await refusedAct(session, request, "quarantined", "quarantined.2")
  const event = (await events(first)).at(-1)
  assert.deepEqual(
    [event?.operation, event?.outcome, event?.reason, event?.note],
    ["request", "refused", "quarantined", "operator of server 2"],
  )
  // Those of others work on, and its own server knows nothing of it.
  await new TestOperator(cluster, 3).open(first)
  await operator.open(second)
})

test("operators may ask for what is theirs and for nothing that is owners', whatever the body", async () => {
  const session = await operator.open(first)
  const owners = OPERATIONS.filter((one) => !mayAsk("operator", one))
  assert.ok(owners.length >= 15 && owners.includes("sign") && owners.includes("keys.create"))
  for (const operation of owners) {
    const before = (await snapshot(first.rows)).replace(/\nlog .*$/, "")
    const request = operator.sign(operator.request(operation, EMPTY))
    await refusedAct(session, request, "permission-denied", "request.operation")
    assert.equal((await snapshot(first.rows)).replace(/\nlog .*$/, ""), before)
    const event = (await events(first)).at(-1)
    assert.deepEqual([event?.outcome, event?.reason], ["refused", "permission-denied"])
  }
})

test("owners may ask for nothing that is operators'", async () => {
  const owner = new TestOwner(cluster)
  await owner.register("correct horse")
  const [session] = (await owner.login("correct horse")) as [TestSession]
  const operators = OPERATIONS.filter((one) => !mayAsk("owner", one))
  assert.ok(operators.includes("sharings.list"))
  for (const operation of operators) {
    const request = owner.sign(owner.request(operation, ALL_KEYS))
    await refusedAct(session, request, "permission-denied", "request.operation")
  }
})

test("every operation is somebody's, and owners and operators have only evidence in common", () => {
  assert.deepEqual(Object.keys(OPERATION_ROLES), [...OPERATIONS])
  const both = OPERATIONS.filter((one) => mayAsk("owner", one) && mayAsk("operator", one))
  assert.deepEqual(both, ["incidents.report", "incidents.list"])
  for (const operation of OPERATIONS) {
    assert.ok(mayAsk("owner", operation) || mayAsk("operator", operation), operation)
  }
})

test("requests in an operator's session are that operator's own, addressed, fresh and signed", async () => {
  const session = await operator.open(first)
  const { time } = cluster.clock
  const ask = (changes: Partial<Request>) =>
    operator.sign(operator.request("sharings.list", ALL_KEYS, changes))
  const other = new TestOperator(cluster, 2, "a colleague")
  const theirs = other.sign(other.request("sharings.list", ALL_KEYS))
  await refusedAct(session, theirs, "permission-denied", "request.accountId")
  const accountId = new TestOwner(cluster).accountId
  await refusedAct(session, ask({ accountId }), "permission-denied", "request.accountId")
  const named = operator.request("sharings.list", ALL_KEYS)
  await refusedAct(session, signRequest(named, other.key), "unauthenticated", "signature")
  await refusedAct(session, ask({ rosterEpoch: 2 }), "wrong-roster", "request.rosterEpoch")
  await refusedAct(session, ask({ servers: [2, 3] }), "wrong-server", "request.servers")
  const old = { issuedAt: time - 60_000, expiresAt: time }
  await refusedAct(session, ask(old), "expired", "request.expiresAt")
  const future = { issuedAt: time + 120_001, expiresAt: time + 180_000 }
  await refusedAct(session, ask(future), "clock-skew", "request.issuedAt")
})

test("a repeated request of an operator gets the same bytes", async () => {
  const session = await operator.open(first)
  const request = operator.sign(operator.request("sharings.list", ALL_KEYS))
  const answer = expectKind(await act(session, request), "act")
  const size = await logSize(first)
  assert.deepEqual(await act(session, request), answer)
  const again = expectKind(await act(await operator.open(first), request), "act")
  assert.deepEqual(again.output, answer.output)
  // Only the new session was logged.
  assert.equal(await logSize(first), size + 1)
})

test("a session ends with the credential that opened it, and another one opens the next", async () => {
  const minute = 60_000
  const expiresAt = cluster.clock.time + minute
  const short = operator.operate(operator.forged({ expiresAt }))
  const { session } = await operator.tryOpen(first, short)
  const ask = () => act(session, operator.sign(operator.request("sharings.list", ALL_KEYS)))
  cluster.clock.time = expiresAt - 1
  assert.equal((await ask()).kind, "act")
  cluster.clock.time = expiresAt
  await assert.rejects(ask(), { code: "session-ended", field: "sessionId" })
  await operator.open(first)
})

test("operators bring and see evidence like owners, a server's operators at one rate", async () => {
  await quarantine(first, 3)
  const session = await operator.open(first)
  const body = encode(listIncidentsBody, { after: 0, limit: 64 })
  const list = operator.sign(operator.request("incidents.list", body))
  const { output } = expectKind(await act(session, list), "act")
  assert.deepEqual(
    decode(incidentListings, output).map(({ servers, state }) => [servers, state]),
    [[[3], "quarantined"]],
  )
  const report = async (by: TestOperator, at: TestSession, seed: number) => {
    const evidence = new Uint8Array(40).fill(seed)
    const request = by.request("incidents.report", encode(reportIncidentBody, { evidence }))
    const answer = await act(at, by.sign(request))
    return answer.kind === "refused" ? answer.error.code : answer.kind
  }
  for (let i = 0; i < 16; i++) assert.equal(await report(operator, session, i), "invalid-request")
  assert.equal(await report(operator, session, 99), "rate-limited")
  const colleague = new TestOperator(cluster, 2, "a colleague")
  const theirs = await colleague.open(first)
  assert.equal(await report(colleague, theirs, 98), "rate-limited")
  const elsewhere = new TestOperator(cluster, 3)
  assert.equal(await report(elsewhere, await elsewhere.open(second), 97), "invalid-request")
})

test("a server's operators share so many sessions, openings and steps, and leave others theirs", async () => {
  const sessions: TestSession[] = []
  const keys = [operator, new TestOperator(cluster, 2, "a colleague")] as const
  for (let i = 0; i <= MAX_OPERATOR_SESSIONS; i++) {
    sessions.push(await (keys[i % 2] as TestOperator).open(first))
  }
  assert.equal(first.server.operatorSessionCount, MAX_OPERATOR_SESSIONS)
  await assert.rejects((sessions[0] as TestSession).call({ kind: "close" }), {
    code: "session-ended",
  })
  for (let i = sessions.length; i < 64; i++) await operator.open(first)
  const credential = await operator.certified()
  await refusedOpen(operator.operate(credential), "rate-limited", "")
  const other = new TestOperator(cluster, 3)
  const theirs = await other.open(first)
  cluster.clock.time += 2_000
  const session = await operator.open(first)
  const request = operator.sign(operator.request("sharings.list", ALL_KEYS))
  for (let i = 0; i < 500; i++) assert.equal((await act(session, request)).kind, "act")
  await refusedAct(session, request, "rate-limited", "")
  assert.equal(
    (await act(theirs, other.sign(other.request("sharings.list", ALL_KEYS)))).kind,
    "act",
  )
})

test("sessions of one server's operators make no room for others'", async () => {
  const session = await operator.open(first)
  const owner = new TestOwner(cluster)
  await owner.register("correct horse")
  const [own] = (await owner.login("correct horse")) as [TestSession]
  const others = new TestOperator(cluster, 3)
  for (let i = 0; i < MAX_OPERATOR_SESSIONS + 4; i++) await others.open(first)
  const show = owner.sign(owner.request("account.show", EMPTY))
  assert.equal((await act(own, show)).kind, "act")
  const request = operator.sign(operator.request("sharings.list", ALL_KEYS))
  assert.equal((await act(session, request)).kind, "act")
})

test("an unknown operation's number is malformed for operators too", async () => {
  const session = await operator.open(first)
  const signed = operator.sign(operator.request("sharings.list", ALL_KEYS))
  const request = signed.request.slice()
  const at = "lockkeeper/request/v1".length
  const names: readonly Operation[] = OPERATIONS
  assert.equal(request[at], names.indexOf("sharings.list"), toHex(request.slice(0, 40)))
  request[at] = OPERATIONS.length
  const signature = operator.key.sign(request)
  const answer = await act(session, { request, signature })
  assert.ok(answer.kind === "refused")
  assert.equal(LockKeeperError.fromBody(answer.error).field, "request.operation")
})
