import assert from "node:assert/strict"
import { test } from "node:test"
import { type Channel, LockKeeperError, type OpenAnswer } from "@lockkeeper/api"
import { Secret, sha256 } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import {
  MAX_ACCOUNT_SESSIONS,
  MAX_SESSIONS,
  SESSION_IDLE_MS,
  Sessions,
  UNFINISHED_MS,
} from "../src/request/sessions.ts"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

const NOW = 1_700_000_000_000
const EMPTY = new Uint8Array(0)

function channel(name: string): Channel {
  const secret = (): Secret => new Secret(new Uint8Array(32))
  const keys = { "to-server": secret(), "to-client": secret() }
  return { sessionId: sha256(utf8(name)).slice(0, 16), phase: 0, root: secret(), keys }
}

function loggedIn(sessions: Sessions, accountId: Bytes, name: string): Channel {
  const opened = channel(name)
  const stage = { kind: "authenticated", accountId, opaqueVersion: 1 } as const
  sessions.open(opened, stage, NOW, NOW + 3_600_000)
  return opened
}

test("strangers who open sessions push out nobody who is logged in", () => {
  const sessions = new Sessions()
  const owner = loggedIn(sessions, new Uint8Array(32), "owner")
  for (let i = 0; i < MAX_SESSIONS + 10; i++) {
    const stage = { kind: "registering", name: "x" } as const
    sessions.open(channel(`stranger ${i}`), stage, NOW, NOW + UNFINISHED_MS)
  }
  assert.equal(sessions.size, MAX_SESSIONS)
  assert.ok(sessions.find(owner.sessionId, NOW))
})

test("an account has a bounded number of sessions, of which the oldest makes room", () => {
  const sessions = new Sessions()
  const other = loggedIn(sessions, new Uint8Array(32).fill(2), "other")
  const first = loggedIn(sessions, new Uint8Array(32), "first")
  for (let i = 0; i < MAX_ACCOUNT_SESSIONS; i++) {
    loggedIn(sessions, new Uint8Array(32), `session ${i}`)
  }
  assert.equal(sessions.size, MAX_ACCOUNT_SESSIONS + 1)
  assert.equal(sessions.find(first.sessionId, NOW), null)
  assert.ok(sessions.find(other.sessionId, NOW))
})

async function ready() {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  const session = sessions[0] as TestSession
  return { owner, session, server: session.to.server }
}

test("frames that a stranger forges do not keep an idle session alive", async () => {
  const { owner, session, server } = await ready()
  const { sessionId } = session.channel
  owner.cluster.clock.time += SESSION_IDLE_MS - 1
  const forged = { sessionId, counter: 1000, sealed: new Uint8Array(300) }
  await assert.rejects(
    server.call(forged),
    (error) => error instanceof LockKeeperError && error.code === "unauthenticated",
  )
  owner.cluster.clock.time += 2
  await assert.rejects(
    server.call(session.seal({ kind: "close" })),
    (error) => error instanceof LockKeeperError && error.code === "session-ended",
  )
})

test("sessions whose time is over are ended without another frame of theirs", async () => {
  const { owner, server } = await ready()
  const opened = owner.open(owner.servers[0] as TestServer, {
    kind: "register",
    issuedAt: owner.cluster.clock.time,
    name: "bob",
  })
  await opened
  const before = server.sessionCount
  owner.cluster.clock.time += UNFINISHED_MS
  await server.tidy()
  // Of the two that registered alice and bob nothing is left; the login is.
  assert.equal(server.sessionCount, before - 2)
})

test("a frame whose session ends while it is handled is refused, not a failure", async () => {
  const { owner, session, server } = await ready()
  const request = owner.sign(owner.request("account.show", EMPTY))
  const slow = server.call(session.seal({ kind: "act", request, step: 1, input: EMPTY }))
  const closed = server.call(session.seal({ kind: "close" }))
  await closed
  await assert.rejects(
    slow,
    (error) => error instanceof LockKeeperError && error.code === "session-ended",
  )
})

/**
 * Time of a refused resumption for each name, in turns, microseconds: that of the quickest twentieth,
 * which other work on the machine disturbs least.
 */
async function quickest(
  owner: TestOwner,
  names: readonly TestOwner[],
  rounds: number,
): Promise<number[]> {
  const [at] = owner.servers as [TestServer]
  const issuedAt = owner.cluster.clock.time
  const taken: number[][] = names.map(() => [])
  for (let i = 0; i < rounds; i++) {
    for (const [n, { accountId }] of names.entries()) {
      const signature = owner.randomness.bytes(64)
      signature[63] = 0
      const payload = { kind: "resume", issuedAt, accountId, statements: [], signature } as const
      const { hello } = owner.hello(at, payload)
      const start = process.hrtime.bigint()
      await at.server.open(hello)
      taken[n]?.push(Number(process.hrtime.bigint() - start) / 1000)
    }
  }
  return taken.map((times) => times.sort((a, b) => a - b)[times.length / 20] as number)
}

test("resuming takes as long for a name without an account as for one with", async () => {
  const { owner } = await ready()
  const nobody = new TestOwner(owner.cluster, "nobody")
  const [real, unknown] = (await quickest(owner, [owner, nobody], 300)) as [number, number]
  // Without the decoy the difference is about a fifth.
  assert.ok(Math.abs(real - unknown) < real / 10, `${real} against ${unknown} microseconds`)
})

test("a refused resumption says the same for a name without an account as for one with", async () => {
  const { owner } = await ready()
  const [at] = owner.servers as [TestServer]
  const answers: OpenAnswer[] = []
  for (const { accountId } of [owner, new TestOwner(owner.cluster, "nobody")]) {
    const issuedAt = owner.cluster.clock.time
    const fields = { issuedAt, accountId, statements: [], signature: new Uint8Array(64) }
    answers.push((await owner.open(at, { kind: "resume", ...fields })).answer)
  }
  assert.deepEqual(answers[0], answers[1])
})

/** Lets something happen while a commit is under way. */
class HookedRows extends MemoryRowStore {
  beforeCommit: (() => Promise<unknown>) | null = null

  override async commit(batch: Parameters<MemoryRowStore["commit"]>[0]) {
    const first = this.beforeCommit
    this.beforeCommit = null
    await first?.()
    return super.commit(batch)
  }
}

test("a login whose session ends half way is refused and leaves nobody logged in", async () => {
  const rows = new HookedRows()
  const cluster = await startCluster({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  const owner = new TestOwner(cluster)
  await owner.register("right")
  const { started, opened } = await owner.startLogin("right", owner.servers.slice(0, 2))
  const [first] = opened as [(typeof opened)[number]]
  const close = first.session.seal({ kind: "close" })
  rows.beforeCommit = () => first.session.to.server.call(close)
  await assert.rejects(
    owner.completeLogin(started, opened),
    (error) => error instanceof LockKeeperError && error.code === "session-ended",
  )
})
