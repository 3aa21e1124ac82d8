import assert from "node:assert/strict"
import { test } from "node:test"
import { reshareOpenOutput } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, toHex } from "@lockkeeper/encoding"
import { reshare } from "@lockkeeper/protocols"
import { generationId, generationRow, reshareRunRow } from "../src/resharing/rows.ts"
import { readRun } from "../src/resharing/runs.ts"
import { changeRoster } from "./memory-cluster.ts"
import {
  driveMove,
  goOnTo,
  holdersOfKey,
  leaveAt,
  move,
  moveFor,
  rowAt,
  type Shape,
  settle,
  startMoves,
} from "./move-flows.ts"
import {
  Coordinator,
  crash,
  type ReshareWorld,
  refusalOf,
  runCount,
  serverOf,
} from "./reshare-flows.ts"

const LEAVING = "invalid-request input.certificates.0"
const A: Shape = { holders: [1, 2, 3], minSigners: 2 }
const B: Shape = { holders: [4, 5, 6], minSigners: 2 }
const CHANGES: readonly (readonly [string, Shape, Shape])[] = [
  ["2 of 3 to three others", A, B],
  ["2 of 3 to 3 of 5", A, { holders: [1, 2, 3, 4, 5], minSigners: 3 }],
  [
    "3 of 5 to 2 of 3",
    { holders: [1, 2, 3, 4, 5], minSigners: 3 },
    { holders: [1, 2, 6], minSigners: 2 },
  ],
]

/** Of each generation that is held, whether as many hold it as it takes. */
async function usable(world: ReshareWorld, keyId: Bytes): Promise<readonly number[]> {
  const held = new Map<number, { count: number; need: number }>()
  for (const id of world.cluster.servers.keys()) {
    const pkg = (await rowAt(world, id, keyId))?.keyPackage.public
    if (pkg === undefined) continue
    const before = held.get(pkg.keyEpoch)?.count ?? 0
    held.set(pkg.keyEpoch, { count: before + 1, need: pkg.minSigners })
  }
  return [...held].filter(([, { count, need }]) => count >= need).map(([epoch]) => epoch)
}

async function generationAt(world: ReshareWorld, id: Identifier, keyId: Bytes) {
  const row = await serverOf(world, id).store.read("generations", generationId("keys", keyId))
  return row === null ? null : decode(generationRow, row.value)
}

async function confirmed(world: ReshareWorld, coordinator: Coordinator) {
  const { task, waiting } = await driveMove(coordinator)
  assert.ok(task.kind === "confirmed" && waiting !== null)
  const certificates = reshare.certificatesFor(waiting, task.certificate)
  assert.ok(certificates.ok)
  return { certificate: task.certificate, certificates: certificates.value, world }
}

for (const [name, from, to] of CHANGES) {
  test(`a move from ${name} goes on behind a crash of everyone after every answer`, async () => {
    const world = await startMoves(from, ["ed25519", "ecdsa-secp256k1"])
    await goOnTo(world, to)
    const keyIds = world.certificates.map(({ public: { keyId } }) => keyId)
    const attempt = await moveFor(world)
    const coordinator = new Coordinator(world, attempt)
    const crashAll = async () => {
      for (const { identifier } of world.cluster.roster.members) await crash(world, identifier)
      for (const keyId of keyIds) assert.notDeepEqual(await usable(world, keyId), [])
    }
    const { task, waiting } = await driveMove(coordinator, async (_id, _step, go) => {
      const message = await go()
      await crashAll()
      return message
    })
    assert.ok(task.kind === "confirmed" && waiting !== null)
    // As coordinators do: those first that have none yet, and last those that only erase theirs.
    const joining = to.holders.filter((id) => !from.holders.includes(id))
    const rest = to.holders.filter((id) => from.holders.includes(id))
    for (const id of [...joining, ...rest]) {
      await coordinator.activate(id, task.certificate)
      await crashAll()
    }
    const certificates = reshare.certificatesFor(waiting, task.certificate)
    assert.ok(certificates.ok)
    for (const id of from.holders.filter((one) => !to.holders.includes(one))) {
      await leaveAt(world, id, certificates.value, reshare.openingDigest(attempt.params))
      await crashAll()
    }
    for (const keyId of keyIds) {
      assert.deepEqual(await holdersOfKey(world, keyId), to.holders)
      assert.deepEqual(await usable(world, keyId), [2])
    }
  })
}

test("whoever asks for the same move gets the same bytes, also who joins and who only deals", async () => {
  const world = await startMoves(A, ["ed25519"])
  await goOnTo(world, B)
  const attempt = await moveFor(world)
  const answers = new Map<string, Bytes>()
  const first = new Coordinator(world, attempt)
  const before = await driveMove(first, async (id, step, go) => {
    const message = await go()
    answers.set(`${id} ${step}`, message.header.bytes)
    return message
  })
  for (const { identifier } of world.cluster.roster.members) await crash(world, identifier)
  const second = new Coordinator(world, attempt)
  const again = await driveMove(second, async (id, step, go) => {
    const message = await go()
    assert.deepEqual(message.header.bytes, answers.get(`${id} ${step}`), `${id} ${step}`)
    return message
  })
  assert.deepEqual(
    [...answers.keys()].sort(),
    ["1 deal", "1 open", "2 deal", "2 open"].concat(
      [4, 5, 6].flatMap((id) => [`${id} open`, `${id} verdict`]),
    ),
  )
  assert.ok(before.task.kind === "confirmed" && again.task.kind === "confirmed")
  assert.deepEqual(again.task.certificate, before.task.certificate)
})

test("no share is erased on less than a certificate: until then the old holders sign", async () => {
  const world = await startMoves(A, ["ed25519"])
  await goOnTo(world, B)
  const [keyId] = world.certificates.map((one) => one.public.keyId)
  assert.ok(keyId)
  const first = new Coordinator(world, await moveFor(world))
  await confirmed(world, first)
  // Its coordinator keeps the certificate to itself.
  world.cluster.clock.time += 100 * 24 * 3_600_000
  for (const { identifier: id } of world.cluster.roster.members) {
    await serverOf(world, id).server.tidy()
    await crash(world, id)
    await serverOf(world, id).server.tidy()
    // Who only dealt keeps nothing for it; who confirmed keeps its share, with what goes with it.
    assert.equal(await runCount(world, id), B.holders.includes(id) ? 1 : 0)
  }
  assert.deepEqual(await holdersOfKey(world, keyId), [1, 2, 3])
  assert.deepEqual(await usable(world, keyId), [1])
})

test("a share that was confirmed comes into force under the next roster too", async () => {
  const world = await startMoves(A, ["ed25519", "bip340"])
  await goOnTo(world, B)
  const attempt = await moveFor(world)
  const { certificate } = await confirmed(world, new Coordinator(world, attempt))
  for (const id of [4, 5]) await new Coordinator(world, attempt).activate(id, certificate)
  await settle(world)
  await new Coordinator(world, attempt).activate(6, certificate)
  for (const { public: pkg } of world.certificates) {
    const held = await rowAt(world, 6, pkg.keyId)
    assert.equal(held?.keyPackage.public.keyEpoch, 2)
    assert.deepEqual(held?.accountId, world.owner.accountId)
  }
})

test("who leaves erases what it dealt with, what waited there, and nothing later", async () => {
  const world = await startMoves(A, ["ed25519"])
  const [keyId] = world.certificates.map((one) => one.public.keyId)
  assert.ok(keyId)
  await goOnTo(world, B)
  const attempt = await moveFor(world)
  const run = reshare.openingDigest(attempt.params)
  const { certificate, certificates } = await confirmed(world, new Coordinator(world, attempt))
  for (const id of B.holders) await new Coordinator(world, attempt).activate(id, certificate)
  // Server 3 took no part in the run.
  for (const id of A.holders) await leaveAt(world, id, certificates, run)
  assert.deepEqual(await holdersOfKey(world, keyId), B.holders)
  for (const id of A.holders) {
    const rows = await serverOf(world, id).store.scan("reshare-runs", "", "", 9)
    const stages = rows.map(({ value }) => decode(reshareRunRow, value).stage.kind)
    assert.deepEqual(stages, id === 3 ? [] : ["active"])
    const generation = await generationAt(world, id, keyId)
    assert.deepEqual(
      [generation?.highestKeyEpoch, generation?.pendingRun, generation?.activeRun],
      [2, null, null],
    )
  }
  // Back again, it is not sent away by what sent it away before.
  await settle(world)
  world.cluster.clock.time += 1000
  await goOnTo(world, A)
  await move(world)
  await settle(world)
  world.cluster.clock.time += 1000
  await goOnTo(world, B)
  for (const id of A.holders) await leaveAt(world, id, certificates)
  assert.deepEqual(await holdersOfKey(world, keyId), A.holders)
})

test("shares of a refresh that waited where a key has left are dropped", async () => {
  const world = await startMoves(A, ["ed25519"])
  const [keyId] = world.certificates.map((one) => one.public.keyId)
  assert.ok(keyId)
  // A refresh that everyone confirms and nobody hears the end of.
  const refreshed = await moveFor(world, { kind: "refresh", holders: A.holders })
  await confirmed(world, new Coordinator(world, refreshed))
  await goOnTo(world, B)
  world.cluster.clock.time += 3_700_000
  for (const { identifier } of world.cluster.roster.members) await crash(world, identifier)
  // Who confirmed that generation deals it to nobody else.
  const entries = [{ index: 0, reason: "wrong-key-epoch" }]
  const low = await new Coordinator(world, await moveFor(world)).open(1)
  assert.deepEqual(decode(reshareOpenOutput, low), { kind: "unfit", entries })
  await move(world, { toKeyEpoch: 3 })
  assert.equal(await runCount(world, 1), 2)
  world.cluster.clock.time += 3_700_000
  for (const id of A.holders) {
    await serverOf(world, id).server.tidy()
    assert.equal(await runCount(world, id), 0)
  }
})

test("who confirmed and never held drops what waits there when the key goes on without it", async () => {
  const world = await startMoves(A, ["ed25519"])
  const [keyId] = world.certificates.map((one) => one.public.keyId)
  assert.ok(keyId)
  await goOnTo(world, B)
  const attempt = await moveFor(world)
  const first = await confirmed(world, new Coordinator(world, attempt))
  for (const id of [4, 5]) await new Coordinator(world, attempt).activate(id, first.certificate)
  for (const id of A.holders) await leaveAt(world, id, first.certificates)
  await settle(world)
  world.cluster.clock.time += 1000
  await goOnTo(world, A)
  // What moved it to server 6 sends nobody away from there.
  assert.equal(await refusalOf(leaveAt(world, 6, first.certificates)), LEAVING)
  assert.ok((await generationAt(world, 6, keyId))?.pendingRun)
  await move(world)
  assert.deepEqual(await holdersOfKey(world, keyId), A.holders)
  const generation = await generationAt(world, 6, keyId)
  assert.deepEqual([generation?.pendingRun, generation?.highestKeyEpoch], [null, 3])
  world.cluster.clock.time += 3_700_000
  await serverOf(world, 6).server.tidy()
  assert.equal(await runCount(world, 6), 0)
})

test("a certificate puts shares in force where later runs were confirmed by some alone", async () => {
  const world = await startMoves(A, ["ed25519"])
  const [keyId] = world.certificates.map((one) => one.public.keyId)
  assert.ok(keyId)
  await goOnTo(world, B)
  const attempt = await moveFor(world)
  const first = await confirmed(world, new Coordinator(world, attempt))
  for (const [only, toKeyEpoch] of [
    [4, 3],
    [5, 4],
  ] as const) {
    world.cluster.clock.time += 1000
    const later = new Coordinator(world, await moveFor(world, { toKeyEpoch }))
    const { task } = await driveMove(later, async (id, step, go) => {
      return step === "verdict" && id !== only ? null : go()
    })
    assert.notEqual(task.kind, "confirmed")
    assert.equal((await generationAt(world, only, keyId))?.highestKeyEpoch, toKeyEpoch)
  }
  for (const id of B.holders) await new Coordinator(world, attempt).activate(id, first.certificate)
  const run = reshare.openingDigest(attempt.params)
  for (const id of A.holders) await leaveAt(world, id, first.certificates, run)
  assert.deepEqual(await holdersOfKey(world, keyId), B.holders)
  assert.deepEqual(await usable(world, keyId), [2])
  // Nobody confirms what it has confirmed a second time: what was confirmed last counts on.
  for (const [id, highest] of [
    [4, 3],
    [5, 4],
    [6, 2],
  ] as const) {
    assert.equal((await generationAt(world, id, keyId))?.highestKeyEpoch, highest)
  }
})

test("what has left is not put back by a certificate of before", async () => {
  const world = await startMoves(A, ["ed25519"])
  const [keyId] = world.certificates.map((one) => one.public.keyId)
  assert.ok(keyId)
  await goOnTo(world, B)
  const attempt = await moveFor(world)
  const first = await confirmed(world, new Coordinator(world, attempt))
  for (const id of [4, 5]) await new Coordinator(world, attempt).activate(id, first.certificate)
  await settle(world)
  world.cluster.clock.time += 1000
  await goOnTo(world, A)
  await move(world)
  assert.equal((await generationAt(world, 6, keyId))?.leftKeyEpoch, 3)
  await new Coordinator(world, attempt).activate(6, first.certificate)
  assert.equal(await rowAt(world, 6, keyId), null)
  const run = await readRun(serverOf(world, 6).store, reshare.openingDigest(attempt.params))
  assert.equal(run?.value.stage.kind, "active")
})

test("a share that has no place where it is confirmed goes on waiting, and keeps its run", async () => {
  const world = await startMoves(A, ["ed25519"])
  const [keyId] = world.certificates.map((one) => one.public.keyId)
  assert.ok(keyId)
  const attempt = await moveFor(world, { kind: "refresh", holders: A.holders })
  const { certificate } = await confirmed(world, new Coordinator(world, attempt))
  // The share before is lost: nothing that goes with it was told, so that none can be put.
  const { store } = serverOf(world, 3)
  const row = await store.read("keys", toHex(keyId))
  assert.ok(row)
  await store.commit([{ kind: "take", table: "keys", id: toHex(keyId), version: row.version }])
  await new Coordinator(world, attempt).activate(3, certificate)
  const runId = reshare.openingDigest(attempt.params)
  assert.deepEqual((await generationAt(world, 3, keyId))?.pendingRun, runId)
  world.cluster.clock.time += 3_700_000
  await crash(world, 3)
  await serverOf(world, 3).server.tidy()
  const run = await readRun(store, runId)
  assert.ok(run?.value.stage.kind === "judged" && run.value.stage.state.pending !== null)
  // Where it is back it comes into force.
  const put = { kind: "put", table: "keys", id: toHex(keyId), ifVersion: "absent" } as const
  await store.commit([{ ...put, value: row.value }])
  await new Coordinator(world, attempt).activate(3, certificate)
  assert.equal((await rowAt(world, 3, keyId))?.keyPackage.public.keyEpoch, 2)
  assert.equal((await readRun(store, runId))?.value.stage.kind, "active")
})

test("a roster that nothing was moved under leaves keys where they are", async () => {
  const world = await startMoves(A, ["ed25519"])
  await goOnTo(world, B)
  await changeRoster(world.cluster, { refreshHours: 1 })
  const [keyId] = world.certificates.map((one) => one.public.keyId)
  assert.deepEqual(await holdersOfKey(world, keyId as Bytes), A.holders)
})
