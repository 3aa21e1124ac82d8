import assert from "node:assert/strict"
import { before, test } from "node:test"
import {
  type CallPayload,
  type ErrorCode,
  LockKeeperError,
  loginStatement,
  MAX_CLOCK_SKEW_MS,
  MAX_FRAME,
  type OpenPayload,
  resumptionInput,
  type SignedStatement,
  sealFrame,
  wipeChannel,
} from "@lockkeeper/api"
import { Secret, type SigningKey, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { startCluster, type TestCluster, type TestServer } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"
import { snapshot } from "./row-store-conformance.ts"

const EMPTY = new Uint8Array(0)

let cluster: TestCluster
let owner: TestOwner
let first: TestServer
let session: TestSession

before(async () => {
  cluster = await startCluster()
  owner = new TestOwner(cluster)
  await owner.register("correct horse")
  session = (await owner.login("correct horse", owner.servers))[0] as TestSession
  first = session.to
})

const now = (): number => cluster.clock.time

async function records(): Promise<string> {
  return (await snapshot(first.rows)).replace(/\nlog .*$/, "")
}

/** A refusal that no session carries: nothing at all changed, not even the log. */
async function thrown(
  call: () => Promise<unknown>,
  code: ErrorCode,
  field: string | RegExp,
): Promise<void> {
  const beforehand = await snapshot(first.rows)
  await assert.rejects(call(), (error) => {
    assert.ok(error instanceof LockKeeperError, String(error))
    assert.equal(error.code, code, error.message)
    if (typeof field === "string") assert.equal(error.field, field)
    else assert.match(error.field, field)
    return true
  })
  assert.equal(await snapshot(first.rows), beforehand)
}

/** A refusal inside the new session. */
async function refusedOpen(
  payload: OpenPayload | ((transcript: Bytes) => OpenPayload),
  code: ErrorCode,
  field: string | RegExp,
): Promise<void> {
  const beforehand = await records()
  const { session: opened, answer } = await owner.open(first, payload)
  assert.ok(answer.kind === "refused", `expected ${code} for ${field}`)
  assert.equal(answer.error.code, code, answer.error.message)
  if (typeof field === "string") assert.equal(answer.error.field, field)
  else assert.match(answer.error.field, field)
  assert.equal(await records(), beforehand)
  // A refused opening leaves no session behind.
  await thrown(() => opened.call({ kind: "close" }), "session-ended", "sessionId")
}

async function refusedCall(
  at: TestSession,
  payload: CallPayload,
  code: ErrorCode,
  field: string | RegExp,
): Promise<void> {
  const beforehand = await records()
  const answer = await at.call(payload)
  assert.ok(answer.kind === "refused", `expected ${code}`)
  assert.equal(answer.error.code, code, answer.error.message)
  if (typeof field === "string") assert.equal(answer.error.field, field)
  else assert.match(answer.error.field, field)
  assert.equal(await records(), beforehand)
}

const register = (name = "bob"): OpenPayload => ({ kind: "register", issuedAt: now(), name })

test("hellos that are malformed, cut, altered or oversized are refused", async () => {
  const { hello } = owner.hello(first, register())
  const open = (bytes: Bytes) => () => first.server.open(bytes)
  await thrown(open(EMPTY), "invalid-request", /^hello/)
  await thrown(open(new Uint8Array(100).fill(7)), "invalid-request", /^hello/)
  await thrown(open(hello.slice(0, -1)), "invalid-request", /^hello/)
  await thrown(open(new Uint8Array([...hello, 0])), "invalid-request", /^hello/)
  await thrown(open(new Uint8Array(16_385)), "too-large", "hello")
  const core = 1 + 2 + 4
  for (const at of [0, 4, core + 10, core + 1216 + 10, hello.length - 1]) {
    const altered = hello.slice()
    altered[at] = (altered[at] as number) ^ 1
    await thrown(open(altered), "wrong-server", "hello")
  }
})

test("a hello for another server or roster is refused", async () => {
  const { hello } = owner.hello([...cluster.servers.values()][1] as TestServer, register())
  await thrown(() => first.server.open(hello), "wrong-server", "hello")
  const later = { ...cluster, roster: { ...cluster.roster, rosterEpoch: 2 } }
  const ahead = new TestOwner(later).hello(first, register()).hello
  await thrown(() => first.server.open(ahead), "wrong-roster", "hello.rosterEpoch")
})

test("a hello is taken once, also when its copies come at once", async () => {
  const { hello } = owner.hello(first, register())
  const outcomes = await Promise.allSettled([0, 1, 2, 3].map(() => first.server.open(hello)))
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1)
  await thrown(() => first.server.open(hello), "replayed", "hello")
  cluster.clock.time += MAX_CLOCK_SKEW_MS - 1
  await thrown(() => first.server.open(hello), "replayed", "hello")
})

test("a hello that was recorded and comes later than the clock skew is refused inside", async () => {
  const skewed = [now() - MAX_CLOCK_SKEW_MS - 1, now() + MAX_CLOCK_SKEW_MS + 1, 0]
  for (const issuedAt of skewed) {
    await refusedOpen({ ...register(), issuedAt }, "clock-skew", "payload.issuedAt")
    const login = { kind: "login", issuedAt, name: "alice", shownVersion: 0, ke1: EMPTY } as const
    await refusedOpen(login, "clock-skew", "payload.issuedAt")
  }
})

test("registering needs a name, and frames come in their order", async () => {
  await refusedOpen(register(""), "invalid-request", "payload.name")
  const { session: opened } = await owner.open(first, register("carol"))
  const confirmations = Uint8Array.of(0, 0, 0, 0)
  await refusedCall(opened, { kind: "register-activate", confirmations }, "not-found", "name")
  await refusedCall(opened, { kind: "login-finish", ke3: new Uint8Array(64) }, "out-of-order", "")
  const request = owner.sign(owner.request("account.show", EMPTY))
  await refusedCall(opened, { kind: "act", request, step: 1, input: EMPTY }, "unauthenticated", "")
  await refusedCall(
    opened,
    { kind: "register-deal", dealing: new Uint8Array(50) },
    "invalid-request",
    /^dealing/,
  )
})

test("a taken name is refused, and a registration in another's place changes nothing", async () => {
  const thief = new TestOwner(cluster, owner.name)
  const beforehand = await records()
  await assert.rejects(thief.register("mine now"), (error) => {
    assert.ok(error instanceof LockKeeperError)
    assert.equal(error.code, "already-exists")
    return true
  })
  assert.equal(await records(), beforehand)
})

test("a session that is logged in refuses frames of other stages", async () => {
  const dealing = new Uint8Array(10)
  await refusedCall(session, { kind: "register-deal", dealing }, "out-of-order", "")
  const confirmations = Uint8Array.of(0, 0, 0, 0)
  await refusedCall(session, { kind: "register-activate", confirmations }, "out-of-order", "")
  await refusedCall(session, { kind: "login-finish", ke3: new Uint8Array(64) }, "out-of-order", "")
})

test("frames that are altered, replayed, oversized or of no session are refused", async () => {
  const call = (frame: { sessionId: Bytes; counter: number; sealed: Bytes }) => () =>
    first.server.call(frame)
  const payload: CallPayload = { kind: "login-finish", ke3: EMPTY }
  const frame = session.seal(payload)
  for (const at of [0, frame.sealed.length >> 1, frame.sealed.length - 1]) {
    const sealed = frame.sealed.slice()
    sealed[at] = (sealed[at] as number) ^ 1
    await thrown(call({ ...frame, sealed }), "unauthenticated", "sealed")
  }
  await thrown(call({ ...frame, sealed: EMPTY }), "unauthenticated", "sealed")
  await thrown(call({ ...frame, counter: frame.counter + 1 }), "unauthenticated", "sealed")
  for (const counter of [0, -1, 2 ** 32 + 1, 1.5, Number.NaN]) {
    await thrown(call({ ...frame, counter }), "invalid-request", "counter")
  }
  const long = new Uint8Array(MAX_FRAME + 1)
  await thrown(call({ ...frame, sealed: long }), "too-large", "sealed")
  await thrown(call({ ...frame, sessionId: new Uint8Array(16) }), "session-ended", "sessionId")
  await thrown(call({ ...frame, sessionId: EMPTY }), "session-ended", "sessionId")
  // The server's own answers do not open as questions.
  const echoed = sealFrame(session.channel, "to-client", frame.counter, EMPTY)
  await thrown(call({ ...frame, sealed: echoed }), "unauthenticated", "sealed")
  await first.server.call(frame)
  await thrown(call(frame), "replayed", "counter")
  // A counter far ahead moves the window, and what falls out of it is too old to tell.
  const ahead = session.seal(payload, session.counter + 5000)
  await first.server.call(ahead)
  await thrown(call(session.seal(payload, session.counter + 1)), "replayed", "counter")
  session.counter += 5001
})

test("a frame whose content is no payload is refused inside the session", async () => {
  for (const content of [EMPTY, Uint8Array.of(99), new Uint8Array(2000).fill(255)]) {
    const counter = ++session.counter
    const sealed = sealFrame(session.channel, "to-server", counter, content)
    const { sessionId } = session.channel
    const answer = session.open(counter, await first.server.call({ sessionId, counter, sealed }))
    assert.ok(answer.kind === "refused")
    assert.equal(answer.error.code, "invalid-request")
    assert.match(answer.error.field, /^payload/)
  }
})

test("a wrong KE3 ends the login, and the same session cannot try another", async () => {
  const { opened } = await owner.startLogin("correct horse", [first])
  const { session: pending, answer } = opened[0] as (typeof opened)[number]
  assert.equal(answer.kind, "login")
  const ke3 = new Uint8Array(64).fill(1)
  await refusedCall(pending, { kind: "login-finish", ke3 }, "wrong-password", "")
  await thrown(() => pending.call({ kind: "login-finish", ke3 }), "session-ended", "sessionId")
})

test("sessions end when closed, idle, or past their time", async () => {
  const [idle] = (await owner.login("correct horse")) as [TestSession]
  const [closed] = (await owner.login("correct horse")) as [TestSession]
  assert.equal((await closed.call({ kind: "close" })).kind, "close")
  await thrown(() => closed.call({ kind: "close" }), "session-ended", "sessionId")
  const { session: slow } = await owner.open(first, register("dave"))
  cluster.clock.time += 2 * 60_000 + 1
  await thrown(() => slow.call({ kind: "close" }), "session-ended", "sessionId")
  cluster.clock.time += 30 * 60_000
  await thrown(() => idle.call({ kind: "close" }), "session-ended", "sessionId")
})

/** Statements of a fresh login at every server. */
async function statements(): Promise<SignedStatement[]> {
  const said: SignedStatement[] = []
  const finish = owner.finishLogin.bind(owner)
  owner.finishLogin = async (...args) => {
    const welcome = await finish(...args)
    said.push(welcome.statement)
    return welcome
  }
  await owner.login("correct horse", owner.servers)
  owner.finishLogin = finish
  return said
}

function resume(said: readonly SignedStatement[], key: SigningKey, accountId = owner.accountId) {
  return (transcript: Bytes): OpenPayload => {
    const issuedAt = now()
    const signature = key.sign(encode(resumptionInput, { label: null, transcript, issuedAt }))
    return { kind: "resume", issuedAt, accountId, statements: said, signature }
  }
}

test("a session resumes with t statements and the account's key, and with nothing less", async () => {
  const said = await statements()
  const key = owner.key as SigningKey
  const { session: resumed, answer } = await owner.open(first, resume(said.slice(1), key))
  assert.equal(answer.kind, "resume")
  const request = owner.sign(owner.request("account.show", EMPTY))
  expectKind(await resumed.call({ kind: "act", request, step: 1, input: EMPTY }), "act")

  const one = said[1] as SignedStatement
  const few = [[], [one], [one, one, one]] as const
  for (const list of few) {
    await refusedOpen(resume(list, key), "session-ended", "payload.statements")
  }
  const forge = (changes: object): SignedStatement => ({
    ...one,
    statement: encode(loginStatement, { ...decode(loginStatement, one.statement), ...changes }),
  })
  const two = said[2] as SignedStatement
  const forged = [
    { ...one, signature: new Uint8Array(64) },
    { ...one, signature: two.signature },
    forge({ server: 1 }),
    forge({ opaqueVersion: 2 }),
    forge({ rosterEpoch: 2 }),
    forge({ accountId: new Uint8Array(32) }),
    forge({ expiresAt: now() + 999_999_999 }),
  ]
  for (const bad of forged) {
    await refusedOpen(resume([two, bad], key), "session-ended", "payload.statements")
  }
  const stranger = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(8)))
  await refusedOpen(resume(said, stranger), "unauthenticated", "payload.signature")
  const nobody = new Uint8Array(32).fill(4)
  await refusedOpen(resume(said, key, nobody), "unauthenticated", "payload.signature")
  // A signature over another handshake's keys.
  let signature = EMPTY
  owner.hello(first, (transcript) => {
    const made = resume(said, key)(transcript)
    if (made.kind === "resume") signature = made.signature
    return made
  })
  const moved = (transcript: Bytes): OpenPayload =>
    ({ ...resume(said, key)(transcript), signature }) as OpenPayload
  await refusedOpen(moved, "unauthenticated", "payload.signature")
  cluster.clock.time += 12 * 3_600_000
  await refusedOpen(resume(said, key), "session-ended", "payload.statements")
})

test("a session whose keys were wiped answers nothing", async () => {
  const [gone] = (await owner.login("correct horse")) as [TestSession]
  const frame = gone.seal({ kind: "close" })
  gone.to.server.stop()
  await thrown(() => gone.to.server.call(frame), "session-ended", "sessionId")
  wipeChannel(gone.channel)
  assert.throws(() => gone.seal({ kind: "close" }), /wiped/)
})
