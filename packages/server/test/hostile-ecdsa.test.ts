import assert from "node:assert/strict"
import { test } from "node:test"
import { type BulkStepOutput, bulkStepOutput, type SignedRequest } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import type { Compute } from "../src/ports/dependencies.ts"
import { pairId } from "../src/presigning/pairs.ts"
import {
  actAt,
  at,
  type EcdsaWorld,
  inputFor,
  presignRequest,
  refusal,
  runBulk,
  startEcdsa,
} from "./ecdsa-flows.ts"

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
