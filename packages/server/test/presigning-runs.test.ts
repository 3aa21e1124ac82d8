import assert from "node:assert/strict"
import { before, test } from "node:test"
import { bulkStepOutput, eventCodec, MAX_PRESIGNATURES, type SignedRequest } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { type RowChange, StoreUnavailable } from "../src/ports/row-store.ts"
import { MAX_ACCOUNT_RUNS, RUN_LIFETIME_MS } from "../src/presigning/runs.ts"
import {
  actAt,
  allComplete,
  at,
  type EcdsaWorld,
  inputFor,
  NO_MESSAGES,
  type Outputs,
  presignAt,
  presignRequest,
  readyAt,
  refusal,
  runBulk,
  setupRequest,
  startEcdsa,
} from "./ecdsa-flows.ts"
import { restart } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

let world: EcdsaWorld

before(async () => {
  world = await startEcdsa()
})

async function messageAt(
  server: Identifier,
  request: SignedRequest,
  step: number,
  input: Bytes,
): Promise<Outputs> {
  const output = await actAt(at(world.sessions, server), request, step, input)
  return new Map([[server, decode(bulkStepOutput, output)]])
}

/** Both signers' answers to the steps up to `last`. */
async function upTo(request: SignedRequest, last: number): Promise<Outputs> {
  return (await runBulk(world.sessions, [1, 2], request, { last })).outputs
}

test("a repeated step gets the same bytes, and the same step with another input is refused", async () => {
  for (const request of [presignRequest(world, [1, 2]), setupRequest(world.owner, [1, 2])]) {
    const opened = await actAt(at(world.sessions, 1), request, 1, NO_MESSAGES)
    assert.deepEqual(await actAt(at(world.sessions, 1), request, 1, NO_MESSAGES), opened)
    const others = await messageAt(2, request, 1, NO_MESSAGES)
    const input = inputFor(1, others)
    assert.equal(await refusal(actAt(at(world.sessions, 1), request, 1, input)), "replayed input")
    const second = await actAt(at(world.sessions, 1), request, 2, input)
    assert.deepEqual(await actAt(at(world.sessions, 1), request, 2, input), second)
    const again = actAt(at(world.sessions, 1), request, 2, NO_MESSAGES)
    assert.equal(await refusal(again), "replayed input")
  }
})

test("of two copies of one step at once one is worked on, and the other told to wait", async () => {
  const request = presignRequest(world, [1, 2])
  const both = await Promise.all(
    [1, 2].map(() => refusal(actAt(at(world.sessions, 1), request, 1, NO_MESSAGES))),
  )
  assert.deepEqual(both.sort(), ["conflict step", "no refusal"])
})

test("steps out of order are refused, and do not end the run", async () => {
  const request = presignRequest(world, [1, 2])
  for (const step of [2, 3, 4, 5]) {
    const early = actAt(at(world.sessions, 1), request, step, NO_MESSAGES)
    assert.equal(await refusal(early), "out-of-order step")
  }
  const outputs = await upTo(request, 1)
  const skipped = actAt(at(world.sessions, 1), request, 3, inputFor(1, outputs))
  assert.equal(await refusal(skipped), "out-of-order step")
  const second = await actAt(at(world.sessions, 1), request, 2, inputFor(1, outputs))
  assert.equal(decode(bulkStepOutput, second).kind, "message")
})

test("a run is nobody's but its request's: another account cannot go on with it", async () => {
  const mallory = new TestOwner(world.owner.cluster, "mallory")
  await mallory.register("another password")
  const [theirs] = await mallory.login("another password")
  const request = presignRequest(world, [1, 2])
  const outputs = await upTo(request, 1)
  const stolen = actAt(theirs as TestSession, request, 2, inputFor(1, outputs))
  assert.equal(await refusal(stolen), "permission-denied request.accountId")
  const setup = setupRequest(world.owner, [1, 2])
  const opened = await upTo(setup, 1)
  const taken = actAt(theirs as TestSession, setupRequest(mallory, [1, 2]), 2, inputFor(1, opened))
  assert.equal(await refusal(taken), "out-of-order step")
})

test("a run that takes longer than a minute is over, and gives its room back", async () => {
  const { clock } = world.owner.cluster
  const request = presignRequest(world, [1, 2])
  const outputs = await upTo(request, 1)
  clock.time += RUN_LIFETIME_MS + 1
  const late = actAt(at(world.sessions, 1), request, 2, inputFor(1, outputs))
  assert.equal(await refusal(late), "out-of-order step")
  const { server } = at(world.sessions, 1).to
  await server.tidy()
  // The whole cap is there again.
  for (let i = 0; i < MAX_PRESIGNATURES / 16; i++) await presignAt(world, [1, 2], 16)
  assert.equal(await readyAt(world, 1, [1, 2]), MAX_PRESIGNATURES)
})

test("a key has a bounded pool: refills are refused, and who waits takes the room of other sets", async () => {
  const { sessions } = world
  const full = actAt(
    at(sessions, 1),
    presignRequest(world, [1, 3], 1, "background"),
    1,
    NO_MESSAGES,
  )
  assert.equal(await refusal(full), "rate-limited body.count")
  const own = actAt(at(sessions, 1), presignRequest(world, [1, 2], 1, "now"), 1, NO_MESSAGES)
  assert.equal(await refusal(own), "rate-limited body.count")
  await presignAt(world, [1, 3], 2)
  assert.equal(await readyAt(world, 1, [1, 3]), 2)
  assert.equal(await readyAt(world, 1, [1, 2]), MAX_PRESIGNATURES - 2)
  const { store } = at(sessions, 1).to
  assert.equal((await store.scan("presignatures", "", "", 256)).length, MAX_PRESIGNATURES)
})

test("one account has a bounded number of runs, and others are not kept from theirs", async () => {
  const other = await startEcdsa()
  const [first] = [at(other.sessions, 1)]
  const setup = () => setupRequest(other.owner, [1, 2])
  for (let i = 0; i < MAX_ACCOUNT_RUNS; i++) await actAt(first, setup(), 1, NO_MESSAGES)
  assert.equal(await refusal(actAt(first, setup(), 1, NO_MESSAGES)), "rate-limited ")
  const bob = new TestOwner(other.owner.cluster, "bob")
  await bob.register("another password")
  const [theirs] = await bob.login("another password")
  await actAt(theirs as TestSession, setupRequest(bob, [1, 2]), 1, NO_MESSAGES)
  other.owner.cluster.clock.time += RUN_LIFETIME_MS + 1
  await actAt(first, setup(), 1, NO_MESSAGES)
})

test("a run ends with the process, and its request opens no second one", async () => {
  const other = await startEcdsa()
  const { cluster } = other.owner
  const request = setupRequest(other.owner, [1, 2])
  await actAt(at(other.sessions, 1), request, 1, NO_MESSAGES)
  const session = await other.owner.resume(await restart(cluster, 1))
  // Opened again it would sign two openings of one run, which is what equivocation is.
  assert.equal(await refusal(actAt(session, request, 1, NO_MESSAGES)), "out-of-order step")
  const next = actAt(session, request, 2, NO_MESSAGES)
  assert.equal(await refusal(next), "out-of-order step")
})

test("each step has one log entry, also one that stops the run", async () => {
  const { store } = at(world.sessions, 2).to
  const from = ((await store.logPosition())?.index ?? -1) + 1
  const setup = setupRequest(world.owner, [1, 2])
  allComplete((await runBulk(world.sessions, [1, 2], setup)).outputs)
  const stopped = setupRequest(world.owner, [1, 2])
  await upTo(stopped, 1)
  // Without the other's message.
  const output = await actAt(at(world.sessions, 2), stopped, 2, NO_MESSAGES)
  assert.equal(decode(bulkStepOutput, output).kind, "aborted")
  const entries = await store.entries(from, 256)
  const events = entries.map(({ event }) => decode(eventCodec, event))
  assert.deepEqual(
    events.map(({ operation, step, outcome, reason }) => [operation, step, outcome, reason]),
    [
      ["pairs.setup", 1, "done", ""],
      ["pairs.setup", 2, "done", ""],
      ["pairs.setup", 3, "done", ""],
      ["pairs.setup", 4, "done", ""],
      ["pairs.setup", 1, "done", ""],
      ["pairs.setup", 2, "aborted", "missing-messages"],
    ],
  )
  const over = actAt(at(world.sessions, 2), stopped, 3, NO_MESSAGES)
  assert.equal(await refusal(over), "out-of-order step")
})

/** Rows whose next commits fail. */
class FailingRows extends MemoryRowStore {
  failing = false

  override async commit(batch: readonly RowChange[]) {
    if (this.failing) throw new StoreUnavailable("the disk is gone")
    return super.commit(batch)
  }
}

test("a step that cannot be logged is not answered, and its run is over", async () => {
  const rows = new FailingRows()
  const other = await startEcdsa({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  const first = at(other.sessions, 1)
  for (const step of [1, 2, 3, 4, 5]) {
    const request = presignRequest(other, [1, 2], 1)
    const last = step - 1
    const { outputs } =
      last === 0 ? { outputs: new Map() } : await runBulk(other.sessions, [1, 2], request, { last })
    const input = last === 0 ? NO_MESSAGES : inputFor(1, outputs)
    rows.failing = true
    assert.equal(await refusal(actAt(first, request, step, input)), "unavailable ")
    rows.failing = false
    if (step === 1) continue
    assert.equal(await refusal(actAt(first, request, step, input)), "out-of-order step")
  }
  assert.equal(await readyAt(other, 1, [1, 2]), 0)
  assert.deepEqual(await first.to.store.scan("presignatures", "", "", 256), [])
  await presignAt(other, [1, 2], 16)
})
