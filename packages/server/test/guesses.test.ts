import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError, type OpenAnswer } from "@lockkeeper/api"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { Guesses, mostOf, UNKNOWN_GUESSES_LENGTH } from "../src/guesses.ts"
import type { Table, Versioned } from "../src/ports/store.ts"
import { restart, startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner } from "./owner.ts"

const LIMIT = opaque.DEFAULT_GUESS_LIMIT

/** Starts one login with a wrong password: what a guess costs the server. */
async function guess(owner: TestOwner, at: TestServer, password: string): Promise<OpenAnswer> {
  const { opened } = await owner.startLogin(password, [at])
  return (opened[0] as { answer: OpenAnswer }).answer
}

async function evaluations(answers: Promise<readonly OpenAnswer[]>): Promise<number> {
  return (await answers).filter(({ kind }) => kind === "login").length
}

/** A database that gives back rows as they once were. */
class ForgetfulRows extends MemoryRowStore {
  readonly old = new Map<string, Versioned<Bytes>>()

  override async read(table: Table, id: string): Promise<Versioned<Bytes> | null> {
    const old = this.old.get(`${table}/${id}`)
    return old === undefined ? super.read(table, id) : { ...old, value: old.value.slice() }
  }
}

test("a server evaluates no more often than its limit, also when all guesses come at once", async () => {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  const [first] = owner.servers as [TestServer]
  let evaluated = 0
  for (let wave = 0; wave < 3; wave++) {
    const all = Array.from({ length: 8 }, (_, i) => guess(owner, first, `wrong ${wave} ${i}`))
    evaluated += await evaluations(Promise.all(all))
  }
  assert.equal(evaluated, LIMIT)
  const refused = await guess(owner, first, "right")
  assert.equal(refused.kind, "refused")
  if (refused.kind === "refused") {
    assert.equal(refused.error.code, "locked")
    assert.equal(refused.error.guessesRemaining, 0)
  }
})

test("logins of one account that come at once do not turn each other away", async () => {
  const cluster = await startCluster()
  const alice = new TestOwner(cluster)
  await alice.register("right")
  const logins = Array.from({ length: 4 }, () => alice.login("right"))
  const sessions = await Promise.all(logins)
  for (const { length } of sessions) assert.equal(length, cluster.roster.minSigners)
  const answer = await guess(alice, alice.servers[0] as TestServer, "wrong")
  assert.equal(answer.kind === "login" && answer.guessesRemaining, LIMIT - 1)
})

test("each answer says how many guesses remain, for unknown names alike", async () => {
  const cluster = await startCluster()
  const alice = new TestOwner(cluster)
  await alice.register("right")
  const nobody = new TestOwner(cluster, "nobody")
  const [first] = alice.servers as [TestServer]
  for (let left = LIMIT - 1; left >= 0; left--) {
    const answers = [await guess(alice, first, "wrong"), await guess(nobody, first, "wrong")]
    assert.deepEqual(
      answers.map((answer) => answer.kind === "login" && answer.guessesRemaining),
      [left, left],
    )
  }
  const kinds = [await guess(alice, first, "wrong"), await guess(nobody, first, "wrong")]
  assert.deepEqual(
    kinds.map((answer) => answer.kind === "refused" && answer.error.code),
    ["locked", "locked"],
  )
})

test("counters survive a restart", async () => {
  const cluster = await startCluster()
  const owner = new TestOwner(cluster)
  await owner.register("right")
  let evaluated = 0
  for (let i = 0; i < LIMIT * 2; i++) {
    const first = cluster.servers.get(1) as TestServer
    evaluated += await evaluations(Promise.all([guess(owner, first, `wrong ${i}`)]))
    if (i % 3 === 0) await restart(cluster, 1)
  }
  assert.equal(evaluated, LIMIT)
})

test("a counter that the database puts back gives no guess back", async () => {
  const rows = new ForgetfulRows()
  const cluster = await startCluster({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  const owner = new TestOwner(cluster)
  await owner.register("right")
  const first = cluster.servers.get(1) as TestServer
  await guess(owner, first, "wrong")
  const id = Buffer.from(owner.accountId).toString("hex")
  const early = await rows.read("guesses", id)
  assert.ok(early)
  for (let i = 1; i < LIMIT; i++) await guess(owner, first, `wrong ${i}`)
  rows.old.set(`guesses/${id}`, early)
  const answer = await guess(owner, first, "right")
  assert.equal(answer.kind, "refused")
  if (answer.kind === "refused") assert.notEqual(answer.error.code, "wrong-password")
})

test("a right password gives its own guess back and no other", async () => {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  const [first] = owner.servers as [TestServer]
  await guess(owner, first, "wrong")
  await guess(owner, first, "wrong")
  await owner.login("right")
  const answer = await guess(owner, first, "wrong")
  assert.equal(answer.kind === "login" && answer.guessesRemaining, LIMIT - 3)
})

test("an abandoned login keeps its guess, and a KE3 counts once", async () => {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  const { started, opened } = await owner.startLogin("right", owner.servers.slice(0, 2))
  const responses = new Map(
    opened.map(({ session, answer }) => [
      session.to.identifier,
      answer.kind === "login" ? answer.response : new Uint8Array(0),
    ]),
  )
  const combined = opaque.combineLogin(started.state, responses)
  assert.ok(combined.ok)
  const finished = opaque.finishLogin(combined.value.combined, combined.value.toStretch)
  assert.ok(finished.ok)
  const { session } = opened[0] as (typeof opened)[number]
  const { ke3, sessionKey } = finished.value.sessions.get(1) as opaque.LoginSession
  await assert.rejects(
    owner.finishLogin(
      session,
      ke3.map((byte) => byte ^ 1),
      sessionKey,
    ),
    (error) => error instanceof LockKeeperError && error.code === "wrong-password",
  )
  // The session is over: the right KE3 comes too late.
  await assert.rejects(
    owner.finishLogin(session, ke3, sessionKey),
    (error) => error instanceof LockKeeperError && error.code === "session-ended",
  )
  const [first] = owner.servers as [TestServer]
  const answer = await guess(owner, first, "wrong")
  assert.equal(answer.kind === "login" && answer.guessesRemaining, LIMIT - 2)
})

test("over all servers no more whole guesses are made than the bound says", async () => {
  const cluster = await startCluster({ servers: 5, minSigners: 3 })
  const owner = new TestOwner(cluster)
  await owner.register("right")
  let evaluated = 0
  for (let i = 0; i < 40; i++) {
    for (const server of owner.servers) {
      evaluated += await evaluations(Promise.all([guess(owner, server, `wrong ${i}`)]))
    }
  }
  const bound = opaque.guessBound({ servers: 5, minSigners: 3, corrupt: 0, limit: LIMIT })
  assert.equal(evaluated, 5 * LIMIT)
  assert.equal(Math.floor(evaluated / 3), bound)
})

test("what others counted for unknown names counts here, the most of each, and behind a restart", async () => {
  const cluster = await startCluster()
  const [first, second] = [...cluster.servers.values()]
  const { self, store } = first!
  const guesses = new Guesses(self, store)
  assert.equal((await guesses.ofUnknownNames()).length, 0)
  assert.deepEqual(await guesses.putTold(new Uint8Array(0)), [])
  const nobody = new TestOwner(cluster, "nobody")
  for (let i = 0; i < 3; i++) await nobody.startLogin("guess", [first!])
  const counted = await guesses.ofUnknownNames()
  assert.equal(counted.length, UNKNOWN_GUESSES_LENGTH)
  assert.deepEqual(
    [...counted].filter((byte) => byte !== 0).map((byte) => Math.max(byte >> 4, byte & 15)),
    [3],
  )
  // At a server that has counted none of them.
  const other = new Guesses(second!.self, second!.store)
  const fewer = counted.map((byte) => (byte === 0 ? 0x11 : byte & 0x10 ? 0x10 : 0x01))
  const told = mostOf([fewer, counted, new Uint8Array(0)])
  await second!.store.commit(await other.putTold(told))
  assert.deepEqual(await other.putTold(counted), [])
  for (const { value } of await second!.store.scan("guesses", "", "", 256)) {
    decode(opaque.guessCounterCodec, value)
  }
  const takenAt = async (of: Guesses, id: Bytes, exists: boolean) =>
    (await of.read(id, exists)).counter.taken
  assert.equal(await takenAt(other, nobody.accountId, false), 3)
  assert.equal(await takenAt(other, new TestOwner(cluster, "another").accountId, false), 1)
  assert.equal(await takenAt(other, nobody.accountId, true), 0)
  const again = new Guesses(second!.self, second!.store)
  assert.equal(await takenAt(again, nobody.accountId, false), 3)
  assert.deepEqual(await again.ofUnknownNames(), told)
})
