import assert from "node:assert/strict"
import { test } from "node:test"
import { type CallPayload, changePasswordBody, type Event, eventCodec } from "@lockkeeper/api"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)

async function ready() {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  const [session] = (await owner.login("right", owner.servers)) as [TestSession]
  return { owner, session, server: session.to }
}

async function events({ store }: TestServer, from: number): Promise<readonly Event[]> {
  return (await store.entries(from, 256)).map(({ event }) => decode(eventCodec, event))
}

async function logged(server: TestServer, run: () => Promise<unknown>): Promise<readonly Event[]> {
  const from = ((await server.store.logPosition())?.index ?? -1) + 1
  await run()
  return events(server, from)
}

async function refusedOnce(
  session: TestSession,
  payload: CallPayload,
  expected: Partial<Event>,
): Promise<void> {
  const entries = await logged(session.to, async () => {
    assert.equal((await session.call(payload)).kind, "refused")
  })
  assert.equal(entries.length, 1, JSON.stringify(entries))
  assert.deepEqual({ ...entries[0], ...expected }, entries[0])
}

test("a request that is not authorised gets one log entry, about the session's account", async () => {
  const { owner, session } = await ready()
  const { accountId } = owner
  const { time } = owner.cluster.clock
  const expired = owner.request("account.show", EMPTY, { issuedAt: time - 10, expiresAt: time - 5 })
  const elsewhere = owner.request("account.show", EMPTY, { servers: [2, 3] })
  const sound = owner.sign(owner.request("account.show", EMPTY))
  const forged = { ...sound, signature: new Uint8Array(64) }
  for (const [request, reason] of [
    [owner.sign(expired), "expired"],
    [owner.sign(elsewhere), "wrong-server"],
    [forged, "unauthenticated"],
    [{ ...sound, request: EMPTY }, "invalid-request"],
  ] as const) {
    const payload = { kind: "act", request, step: 1, input: EMPTY } as const
    const refused = { operation: "request", outcome: "refused", reason, accountId } as const
    await refusedOnce(session, payload, refused)
  }
})

test("a frame that asks a logged-in session for something else gets one log entry", async () => {
  const { session } = await ready()
  const refused = { operation: "request", outcome: "refused", reason: "out-of-order" } as const
  await refusedOnce(session, { kind: "register-deal", dealing: EMPTY }, refused)
  await refusedOnce(session, { kind: "login-finish", ke3: EMPTY }, refused)
})

test("a refused password change gets one log entry with the protocol's reason", async () => {
  const { owner, session } = await ready()
  assert.ok(owner.keys !== null)
  const { registration, dealings } = owner.deal("new", 2, owner.keys)
  const body = encode(changePasswordBody, {
    opaqueVersion: 2,
    registrationDigest: opaque.registrationDigest(registration),
  })
  const request = owner.sign(owner.request("account.change-password", body))
  const act = (step: number, input: Bytes) => ({ kind: "act", request, step, input }) as const
  const of = (server: number) =>
    encode(opaque.accountDealingCodec, dealings.get(server) as opaque.AccountDealing)
  const aborted = { operation: "account.change-password", outcome: "aborted" } as const
  const nobody = encode(opaque.confirmationsCodec, new Map())
  await refusedOnce(session, act(2, nobody), { reason: "not-found", outcome: "refused", step: 2 })
  await refusedOnce(session, act(1, of(2)), { ...aborted, step: 1 })
  assert.equal((await session.call(act(1, of(1)))).kind, "act")
  await refusedOnce(session, act(2, nobody), { ...aborted, step: 2 })
  await refusedOnce(session, act(3, EMPTY), { reason: "conflict", outcome: "refused", step: 3 })
})

test("a stranger who is refused writes nothing", async () => {
  const { owner, server } = await ready()
  const { time } = owner.cluster.clock
  const stranger = new TestOwner(owner.cluster, "stranger")
  const { session } = await stranger.open(server, {
    kind: "register",
    issuedAt: time,
    name: "stranger",
  })
  const request = owner.sign(owner.request("account.show", EMPTY))
  const entries = await logged(server, async () => {
    for (const payload of [
      { kind: "act", request, step: 1, input: EMPTY },
      { kind: "login-finish", ke3: EMPTY },
      { kind: "register-deal", dealing: EMPTY },
      { kind: "register-activate", confirmations: EMPTY },
    ] as const) {
      assert.equal((await session.call(payload)).kind, "refused")
    }
    await assert.rejects(session.to.server.call({ ...session.seal({ kind: "close" }), counter: 9 }))
    await stranger.open(server, { kind: "register", issuedAt: time - 10 * 60_000, name: "x" })
  })
  assert.deepEqual(entries, [])
})

test("a lockout is logged once, by the guess that begins it", async () => {
  const { owner, server } = await ready()
  for (const name of ["alice", "nobody"]) {
    const guesser = new TestOwner(owner.cluster, name)
    const entries = await logged(server, async () => {
      for (let i = 0; i < opaque.DEFAULT_GUESS_LIMIT + 5; i++) {
        await guesser.startLogin(`wrong ${i}`, [server])
      }
    })
    assert.equal(entries.length, opaque.DEFAULT_GUESS_LIMIT)
    const reasons = entries.map(({ reason }) => reason).filter((reason) => reason !== "")
    assert.deepEqual(reasons, ["last-guess"], name)
    assert.equal(entries.at(-1)?.reason, "last-guess")
  }
})

test("an entry about a refusal says which account asked, and nothing that was sent", async () => {
  const { owner, session, server } = await ready()
  const request = owner.sign(owner.request("account.show", EMPTY))
  const entries = await logged(server, () =>
    session.call({ kind: "act", request: { ...request, request: EMPTY }, step: 1, input: EMPTY }),
  )
  assert.equal(toHex(entries[0]?.accountId ?? EMPTY), toHex(owner.accountId))
  assert.equal(entries[0]?.requestDigest, null)
})
