import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type BulkStepOutput,
  bulkStepOutput,
  LockKeeperError,
  MAX_PRESIGNATURES,
  type SignedRequest,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import type { Compute } from "../src/ports/dependencies.ts"
import { MAX_UNFINISHED_CHECKS } from "../src/presigning/ot-checks.ts"
import { pairId } from "../src/presigning/pairs.ts"
import { Pool } from "../src/presigning/pool.ts"
import { BulkRuns, MAX_ACCOUNT_RUNS, MAX_RUNS } from "../src/presigning/runs.ts"
import {
  actAt,
  at,
  type EcdsaWorld,
  inputFor,
  presignRequest,
  refusal,
  runBulk,
  startEcdsa,
  statusAt,
} from "./ecdsa-flows.ts"
import { restart } from "./memory-cluster.ts"

const DEAD = "permission-denied body.signers"

/** Offset in the encoded row: a tag, then the digest of 32 bytes; the seeds follow. */
const SEEDS = 33

/** Has one server extend other base transfers than those it agreed on, or the right ones again. */
async function corrupt({ sessions }: EcdsaWorld, server: Identifier, peer: Identifier) {
  const { store } = at(sessions, server).to
  const id = pairId(1, peer)
  const row = await store.read("pairs", id)
  assert.ok(row)
  const { value, version: ifVersion } = row
  for (let i = SEEDS; i < SEEDS + 4096; i++) value[i] = (value[i] as number) ^ 0x55
  await store.commit([{ kind: "put", table: "pairs", id, ifVersion, value }])
}

/** Keeps what is to be computed until so many tasks have come, then does one after the other. */
function gated(compute: Compute, many: number): Compute {
  const gate = Promise.withResolvers<void>()
  let last: Promise<unknown> = gate.promise
  let waiting = 0
  return {
    work(task, urgency) {
      const done = last.then(() => compute.work(task, urgency))
      last = done.then(() => new Promise((resolve) => setTimeout(resolve, 20)))
      waiting += 1
      if (waiting === many) gate.resolve()
      return done
    },
  }
}

/** The input of step 2 at server 1 of a batch with server 2. */
async function opened(world: EcdsaWorld): Promise<{ request: SignedRequest; input: Bytes }> {
  const request = presignRequest(world, [1, 2], 1)
  const { outputs } = await runBulk(world.sessions, [1, 2], request, { last: 1 })
  return { request, input: inputFor(1, outputs) }
}

// Each check says whether the peer has guessed bits of Delta, which serves all keys: with as many checks
// at once as Delta has bits, one corrupt server would have all of it before the pair is dead.
test("of checks made at once none answers after one has failed, whether it passed or not", async () => {
  const world = await startEcdsa()
  const good = await opened(world)
  await corrupt(world, 2, 1)
  const bad = [await opened(world), await opened(world)] as const
  const session = at(world.sessions, 1)
  const { deps } = session.to
  Object.assign(deps, { compute: gated(deps.compute, 3) })
  const check = ({ request, input }: typeof good) => actAt(session, request, 2, input)
  const [first, passed, failed] = [check(bad[0]), check(good), check(bad[1])]
  const accusation: BulkStepOutput = decode(bulkStepOutput, await first)
  assert.equal(accusation.kind, "message")
  assert.deepEqual([await refusal(passed), await refusal(failed)], [DEAD, DEAD])
})

async function stateAt(world: EcdsaWorld, server: Identifier, peer: Identifier) {
  return (await statusAt(world, server)).pairs.find((pair) => pair.peer === peer)?.state
}

/** The cluster after one server was killed and started again. */
async function killed(world: EcdsaWorld, server: Identifier): Promise<EcdsaWorld> {
  const session = await world.owner.resume(await restart(world.owner.cluster, server))
  return { ...world, sessions: new Map([...world.sessions, [server, session]]) }
}

test("one crash of a busy server ends no pair, however many checks were under way", async () => {
  const world = await startEcdsa()
  const session = at(world.sessions, 1)
  const { deps } = session.to
  const { compute } = deps
  const never = new Promise<Bytes>(() => undefined)
  const begun: Awaited<ReturnType<typeof opened>>[] = []
  for (let i = 0; i <= MAX_UNFINISHED_CHECKS; i++) begun.push(await opened(world))
  Object.assign(deps, { compute: { work: () => never } })
  for (const { request, input } of begun) void actAt(session, request, 2, input)
  const counted = async () => (await deps.store.scan("ot-checks", "", "", 256)).length
  while ((await counted()) < begun.length) await new Promise((resolve) => setImmediate(resolve))
  Object.assign(deps, { compute })
  assert.equal(await stateAt(await killed(world, 1), 1, 2), "live")
})

test("threads that die within checks end the pair in the process that sees it, too", async () => {
  const world = await startEcdsa()
  const session = at(world.sessions, 1)
  const { deps } = session.to
  const { compute } = deps
  const work = async () => {
    throw new LockKeeperError("unavailable", "the thread died")
  }
  for (let died = 1; died <= MAX_UNFINISHED_CHECKS; died++) {
    const { request, input } = await opened(world)
    Object.assign(deps, { compute: { work } })
    assert.equal(await refusal(actAt(session, request, 2, input)), "unavailable ")
    Object.assign(deps, { compute })
    const expected = died === MAX_UNFINISHED_CHECKS ? "dead" : "live"
    assert.equal(await stateAt(world, 1, 2), expected, `${died} deaths`)
  }
  assert.equal(await stateAt(world, 1, 3), "live")
  assert.equal(await stateAt(await killed(world, 1), 1, 2), "dead")
})

function bytes32(n: number): Bytes {
  const id = new Uint8Array(32)
  new DataView(id.buffer).setUint32(0, n)
  return id
}

test("accounts that begin runs and leave them keep no other account out", () => {
  const runs = new BulkRuns()
  let ended = 0
  const open = (n: number, account: number) =>
    runs.open({
      ...{ digest: bytes32(n), operation: "presign", accountId: bytes32(account), now: 0 },
      ...{ pairs: new Map(), release: () => (ended += 1) },
    })
  for (let n = 0; n < MAX_RUNS; n++) {
    const run = open(n, Math.floor(n / MAX_ACCOUNT_RUNS))
    run.advance(new Uint8Array(1))
    run.settle()
  }
  // Whoever comes has its part, up to where nobody has much more than anyone else.
  for (let n = 0; n < 8; n++) {
    const run = open(MAX_RUNS + n, 1000)
    run.advance(new Uint8Array(1))
    run.settle()
  }
  assert.equal(runs.size, MAX_RUNS)
  assert.equal(ended, 8)
  for (let n = 0; n < 8; n++) runs.resume(bytes32(MAX_RUNS + n), 2, 0)
  assert.throws(() => open(0, 0).settle(), { code: "rate-limited" })
})

test("keys that fill the pool for everyone make room for who waits, and lose what they had most of", () => {
  const pool = new Pool()
  const add = (key: number, n: number) =>
    pool.add({
      ...{ id: `${key}/${n}`, presignatureId: bytes32(n), keyId: bytes32(key), signers: [1, 2] },
      ...{ keyEpoch: 1, rosterEpoch: 1, madeAt: n },
    })
  const victim = 0
  add(victim, 0)
  let key = 0
  for (let n = 0; pool.room(bytes32(9999)) > 0; n++) {
    if (n % MAX_PRESIGNATURES === 0) key += 1
    add(key, n)
  }
  assert.equal(pool.room(bytes32(victim)), 0)
  const struck = pool.makeRoom(bytes32(victim), 16, [1, 2])
  assert.equal(struck.length, 16)
  assert.ok(struck.every(({ keyId }) => keyId.join() === bytes32(1).join()))
  assert.ok(pool.reserve(bytes32(victim), 16))
  assert.equal(pool.ofKey(bytes32(victim)).length, 1)
})
