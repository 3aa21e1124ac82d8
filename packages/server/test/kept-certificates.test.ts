import assert from "node:assert/strict"
import { test } from "node:test"
import {
  listWaitingBody,
  MAX_WAITING_NAMED,
  MAX_WAITING_PAGE,
  type SharingKind,
  type ShownReshare,
  shownReshare,
  showReshareBody,
  type WaitingPage,
  waitingPage,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, compareBytes, decode, encode } from "@lockkeeper/encoding"
import { type KeyCertificate, reshare } from "@lockkeeper/protocols"
import { readGeneration } from "../src/resharing/held.ts"
import {
  driveMove,
  goOnTo,
  holdersOfKey,
  leaveAt,
  move,
  moveFor,
  type Shape,
  settle,
  startMoves,
} from "./move-flows.ts"
import { expectKind, type TestSession } from "./owner.ts"
import {
  attemptFor,
  Coordinator,
  crash,
  drive,
  type ReshareWorld,
  refresh,
  serverOf,
  startReshare,
} from "./reshare-flows.ts"

const A: Shape = { holders: [1, 2, 3], minSigners: 2 }
const B: Shape = { holders: [4, 5, 6], minSigners: 2 }
const EMPTY = new Uint8Array(0)

async function ask(
  { operator, sessions }: ReshareWorld,
  id: Identifier,
  operation: "reshare.show" | "reshare.waiting",
  body: Bytes,
): Promise<Bytes> {
  const request = operator.sign(operator.request(operation, body, { servers: [id] }))
  const session = sessions.get(id) as TestSession
  return expectKind(await session.call({ kind: "act", request, step: 1, input: EMPTY }), "act")
    .output
}

async function shownBy(world: ReshareWorld, id: Identifier, key: Bytes): Promise<ShownReshare> {
  const body = encode(showReshareBody, { kind: "keys", id: key, run: new Uint8Array(32) })
  return decode(shownReshare, await ask(world, id, "reshare.show", body))
}

async function waitingAt(
  world: ReshareWorld,
  id: Identifier,
  kind: SharingKind = "keys",
  after: Bytes | null = null,
): Promise<WaitingPage> {
  const body = encode(listWaitingBody, { kind, after })
  return decode(waitingPage, await ask(world, id, "reshare.waiting", body))
}

/** A move that all who join have confirmed. */
async function confirmed(coordinator: Coordinator) {
  const { task, waiting } = await driveMove(coordinator)
  assert.ok(task.kind === "confirmed" && waiting !== null)
  const certificates = reshare.certificatesFor(waiting, task.certificate)
  assert.ok(certificates.ok)
  return { certificate: task.certificate, certificates: certificates.value }
}

test("who leaves keeps what it erased its share on, and who waits for it says so without a share", async () => {
  const world = await startMoves(A, ["ed25519", "bip340"])
  const ids = world.certificates.map((one) => one.public.keyId)
  await goOnTo(world, B)
  const attempt = await moveFor(world)
  const run = reshare.openingDigest(attempt.params)
  const { certificate, certificates } = await confirmed(new Coordinator(world, attempt))
  for (const id of A.holders) await leaveAt(world, id, certificates, run)
  for (const id of [1, 4]) await crash(world, id)
  const [first] = ids as [Bytes]
  assert.deepEqual(await holdersOfKey(world, first), [])
  for (const [i, id] of ids.entries()) {
    const shown = await shownBy(world, 1, id)
    const none = { former: null, params: null, range: null }
    assert.deepEqual(shown, { certificate: certificates[i], ...none })
    assert.equal((await shownBy(world, 4, id)).certificate, null)
  }
  const { root } = certificate
  assert.deepEqual(await waitingAt(world, 4), { runs: [{ run, root, ids }], next: null })
  assert.deepEqual(await waitingAt(world, 4, "accounts"), { runs: [], next: null })
  assert.deepEqual(await waitingAt(world, 1), { runs: [], next: null })
  // All that a coordinator knows who has nothing but what servers show.
  const { certificate: kept } = await shownBy(world, 1, first)
  const batch = kept === null ? null : reshare.batchOf(kept)
  assert.ok(batch)
  for (const id of B.holders) await new Coordinator(world, attempt).activate(id, batch)
  assert.deepEqual(await holdersOfKey(world, first), B.holders)
  assert.deepEqual(await waitingAt(world, 4), { runs: [], next: null })
})

test("a certificate that a share was erased on is kept until one is held there again", async () => {
  const world = await startMoves(A, ["ed25519"])
  const { keyId } = (world.certificates[0] as KeyCertificate).public
  const leftOn = async (id: Identifier) => {
    const row = await readGeneration(serverOf(world, id).store, "keys", keyId)
    return row?.value.leftOn?.sharing.keyEpoch ?? null
  }
  await goOnTo(world, B)
  await move(world)
  assert.deepEqual([await leftOn(1), await leftOn(4)], [2, null])
  await settle(world)
  await goOnTo(world, A)
  world.cluster.clock.time += 1000
  await move(world)
  assert.deepEqual([await leftOn(1), await leftOn(4)], [null, 3])
  assert.equal((await shownBy(world, 1, keyId)).certificate?.sharing.keyEpoch, 3)
})

test("runs are listed by their names, page by page, and what is superseded is not", async () => {
  const world = await startReshare({}, Array(MAX_WAITING_NAMED + 1).fill("ed25519"))
  const runs: Bytes[] = []
  for (let i = 0; i < MAX_WAITING_PAGE + 1; i++) {
    world.cluster.clock.time += 1000
    const attempt = await attemptFor(world, { toKeyEpoch: 2 + i })
    assert.equal((await drive(new Coordinator(world, attempt))).task.kind, "confirmed")
    runs.push(reshare.openingDigest(attempt.params))
  }
  runs.sort(compareBytes)
  const first = await waitingAt(world, 1)
  assert.deepEqual(
    first.runs.map(({ run }) => run),
    runs.slice(0, MAX_WAITING_PAGE),
  )
  const named = world.certificates.slice(0, MAX_WAITING_NAMED).map((one) => one.public.keyId)
  for (const { ids } of first.runs) assert.deepEqual(ids, named)
  assert.deepEqual(first.next, runs[MAX_WAITING_PAGE - 1])
  const second = await waitingAt(world, 1, "keys", first.next)
  assert.deepEqual([second.runs.map(({ run }) => run), second.next], [runs.slice(-1), null])
  world.cluster.clock.time += 1000
  await refresh(world, { toKeyEpoch: 20 })
  assert.deepEqual((await waitingAt(world, 1)).runs, [])
})
