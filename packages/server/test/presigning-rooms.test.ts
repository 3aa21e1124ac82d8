import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError, MAX_PRESIGNATURES, NONCE_LIFETIME_MS } from "@lockkeeper/api"
import { type Bytes, encode, u32 } from "@lockkeeper/encoding"
import { DeltaNonces } from "../src/presigning/nonces.ts"
import { isPoolOf, LEASE_MS, Pool, type Pooled } from "../src/presigning/pool.ts"
import { BulkRuns, MAX_RUNS, RUN_LIFETIME_MS } from "../src/presigning/runs.ts"
import { RecentAnswers } from "../src/request/recent-answers.ts"

function bytes32(n: number): Bytes {
  const bytes = new Uint8Array(32)
  bytes.set(encode(u32, n))
  return bytes
}

const KEY = bytes32(7)
const OTHER = bytes32(8)

function pooled(n: number, changes: Partial<Pooled> = {}): Pooled {
  const epochs = { keyEpoch: 1, rosterEpoch: 1 }
  const signers = [1, 2]
  return {
    ...{ id: `row ${n}`, presignatureId: bytes32(n), keyId: KEY, signers, madeAt: n },
    ...{ ...epochs, ...changes },
  }
}

test("a pool gives each presignature away once", () => {
  const pool = new Pool()
  pool.add(pooled(1))
  assert.throws(() => pool.add(pooled(1)))
  assert.deepEqual(pool.find("row 1")?.presignatureId, bytes32(1))
  assert.ok(pool.spend("row 1"))
  assert.ok(!pool.spend("row 1"))
  assert.equal(pool.find("row 1"), null)
  assert.deepEqual(pool.ofKey(KEY), [])
})

test("a pool's room counts what is being made, for each key alone", () => {
  const pool = new Pool()
  const room = pool.reserve(KEY, 60)
  assert.ok(room)
  assert.equal(pool.reserve(KEY, 5), null)
  assert.ok(pool.reserve(OTHER, 64))
  for (let n = 0; n < 4; n++) pool.add(pooled(n))
  assert.equal(pool.room(KEY), 0)
  room.release()
  room.release()
  assert.equal(pool.room(KEY), MAX_PRESIGNATURES - 4)
})

test("a pool offers the oldest of a set first, and nobody else the same for a minute", () => {
  const pool = new Pool()
  for (let n = 1; n <= 3; n++) pool.add(pooled(n))
  pool.add(pooled(4, { signers: [1, 3] }))
  assert.deepEqual(pool.offer(KEY, [1, 2], 2, 0), [bytes32(1), bytes32(2)])
  assert.deepEqual(pool.offer(KEY, [1, 2], 2, LEASE_MS - 1), [bytes32(3)])
  assert.deepEqual(pool.offer(KEY, [1, 2], 16, LEASE_MS), [bytes32(1), bytes32(2)])
  assert.deepEqual(pool.offer(KEY, [2, 3], 16, LEASE_MS), [])
  assert.deepEqual(pool.offer(OTHER, [1, 2], 16, LEASE_MS), [])
})

test("a pool drops what is of another epoch, too old, or in the way of who waits", () => {
  const pool = new Pool()
  pool.add(pooled(1, { keyEpoch: 2 }))
  pool.add(pooled(2, { rosterEpoch: 2 }))
  pool.add(pooled(3))
  pool.add(pooled(4, { signers: [1, 3] }))
  const ids = (struck: readonly Pooled[]) => struck.map(({ id }) => id)
  assert.deepEqual(ids(pool.dropOutdated(KEY, 1, 1)), ["row 1", "row 2"])
  assert.deepEqual(ids(pool.makeRoom(KEY, MAX_PRESIGNATURES, [1, 2])), ["row 4"])
  assert.deepEqual(ids(pool.makeRoom(KEY, MAX_PRESIGNATURES, [1, 2])), [])
  assert.deepEqual(ids(pool.expire(3, 256)), [])
  assert.deepEqual(ids(pool.expire(4, 256)), ["row 3"])
  assert.equal(pool.size, 0)
})

test("a pool's digest is of exactly its rows, in any order", () => {
  const pool = new Pool()
  for (const n of [2, 1]) pool.add(pooled(n))
  const digest = pool.digest()
  assert.ok(isPoolOf(digest, ["row 1", "row 2"]))
  for (const ids of [["row 1"], ["row 1", "row 2", "row 3"], ["row 1", "row 1"], []]) {
    assert.ok(!isPoolOf(digest, ids))
  }
})

test("a nonce is spent once, for its key, within its minute", () => {
  const nonces = new DeltaNonces()
  for (const n of [1, 2, 3]) nonces.issue(KEY, bytes32(n), 0)
  assert.ok(!nonces.spend(OTHER, bytes32(1), 0))
  assert.ok(nonces.has(KEY, bytes32(1), NONCE_LIFETIME_MS))
  assert.ok(nonces.spend(KEY, bytes32(1), NONCE_LIFETIME_MS))
  assert.ok(!nonces.spend(KEY, bytes32(1), 0))
  assert.ok(!nonces.spend(KEY, bytes32(2), NONCE_LIFETIME_MS + 1))
  assert.equal(nonces.size, 1)
  nonces.expire(NONCE_LIFETIME_MS)
  assert.equal(nonces.size, 1)
  nonces.expire(NONCE_LIFETIME_MS + 1)
  assert.equal(nonces.size, 0)
})

test("nonces are bounded for each key and in all, and the oldest make room", () => {
  const nonces = new DeltaNonces()
  for (let n = 0; n <= 1024; n++) nonces.issue(KEY, bytes32(n), 0)
  assert.equal(nonces.size, 1024)
  assert.ok(!nonces.has(KEY, bytes32(0), 0))
  assert.ok(nonces.has(KEY, bytes32(1), 0))
  for (let key = 100; key < 164; key++) {
    for (let n = 0; n < 1024; n++) nonces.issue(bytes32(key), bytes32(n), 0)
  }
  assert.equal(nonces.size, 65_536)
  assert.ok(!nonces.has(KEY, bytes32(1024), 0))
})

function start(n: number, release: () => void = () => undefined) {
  const accountId = bytes32(Math.floor(n / 8))
  const operation = "pairs.setup" as const
  return { digest: bytes32(n), operation, accountId, now: 0, pairs: new Map(), release }
}

function code(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof LockKeeperError) return error.code
    throw error
  }
  return "done"
}

test("runs are bounded in all, end once, and leave no state behind", () => {
  const runs = new BulkRuns()
  let released = 0
  const state = new Uint8Array(8).fill(1)
  const first = runs.open(
    start(0, () => {
      released += 1
    }),
  )
  first.advance(state)
  for (let n = 1; n < MAX_RUNS; n++) runs.open(start(n)).advance(new Uint8Array(1))
  assert.equal(
    code(() => runs.open(start(MAX_RUNS))),
    "rate-limited",
  )
  first.settle()
  assert.equal(
    code(() => runs.resume(bytes32(0), 3, 0)),
    "out-of-order",
  )
  const second = runs.resume(bytes32(0), 2, 0)
  assert.equal(
    code(() => runs.resume(bytes32(0), 2, 0)),
    "conflict",
  )
  assert.equal(
    code(() => runs.open(start(0))),
    "conflict",
  )
  // A step that came to nothing ends the run.
  second.settle()
  assert.equal(released, 1)
  assert.deepEqual(state, new Uint8Array(8))
  assert.equal(
    code(() => runs.resume(bytes32(0), 2, 0)),
    "out-of-order",
  )
  runs.endAll()
  assert.equal(runs.size, 0)
  assert.equal(released, 1)
})

test("a run that a step is at work on is not cut off, and one that waits too long is", () => {
  const runs = new BulkRuns()
  const busy = runs.open(start(1))
  const idle = runs.open(start(2))
  idle.advance(new Uint8Array(1))
  idle.settle()
  runs.expire(RUN_LIFETIME_MS)
  assert.equal(runs.size, 2)
  runs.expire(RUN_LIFETIME_MS + 1)
  assert.equal(runs.size, 1)
  const state = new Uint8Array(4).fill(9)
  runs.endAll()
  busy.advance(state)
  busy.settle()
  assert.deepEqual(state, new Uint8Array(4))
})

test("answers kept in memory are copies, bounded in bytes and time, and wiped", () => {
  const answers = new RecentAnswers(10)
  const output = new Uint8Array(4).fill(1)
  answers.keep("a", output, 0)
  output.fill(2)
  assert.deepEqual(answers.find("a"), new Uint8Array(4).fill(1))
  answers.keep("b", output, 1)
  answers.keep("c", output, 2)
  assert.equal(answers.find("a"), null)
  assert.deepEqual(answers.find("b"), output)
  answers.expire(60_001)
  assert.deepEqual(answers.find("b"), output)
  answers.expire(60_002)
  assert.equal(answers.find("b"), null)
  assert.deepEqual(answers.find("c"), output)
  answers.clear()
  assert.equal(answers.find("c"), null)
})
