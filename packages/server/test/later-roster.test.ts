import assert from "node:assert/strict"
import { test } from "node:test"
import { reshareActivateOutput, reshareTarget } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { reshare, sharing } from "@lockkeeper/protocols"
import { generationId } from "../src/resharing/rows.ts"
import {
  driveMove,
  goOnTo,
  holdersOfKey,
  leaveAt,
  moveFor,
  rowAt,
  type Shape,
  startMoves,
} from "./move-flows.ts"
import { Coordinator, type ReshareWorld, serverOf } from "./reshare-flows.ts"

const FIVE: Shape = { holders: [1, 2, 3, 4, 5], minSigners: 2 }
const NEXT: Shape = { holders: [4, 5, 6], minSigners: 2 }

async function confirmed(coordinator: Coordinator) {
  const { task, waiting } = await driveMove(coordinator)
  assert.ok(task.kind === "confirmed" && waiting !== null, JSON.stringify(task))
  const certificates = reshare.certificatesFor(waiting, task.certificate)
  assert.ok(certificates.ok)
  return { certificate: task.certificate, certificates: certificates.value }
}

/** What a server that lies, or was put back and not found out, knows no more. */
async function forgetGeneration(world: ReshareWorld, id: Identifier, keyId: Bytes): Promise<void> {
  const { store } = serverOf(world, id)
  const place = { table: "generations", id: generationId("keys", keyId) } as const
  const row = await store.read(place.table, place.id)
  assert.ok(row)
  await store.commit([{ kind: "take", ...place, version: row.version }])
}

async function generations(world: ReshareWorld, keyId: Bytes) {
  const found = new Map<Identifier, readonly [number, number]>()
  for (const id of await holdersOfKey(world, keyId)) {
    const pkg = (await rowAt(world, id, keyId))?.keyPackage.public
    if (pkg !== undefined) found.set(id, [pkg.rosterEpoch, pkg.keyEpoch])
  }
  return [...found]
}

/**
 * A refresh that server 5 heard nothing of, and that 1 and 2 put in force; then a move by server 5 and by
 * server 4, which lies: it has confirmed the refresh as well.
 */
async function dealtTwice(refreshedTo: number) {
  const world = await startMoves(FIVE, ["ed25519"])
  const [keyId] = world.certificates.map((one) => one.public.keyId)
  assert.ok(keyId)
  const begun = await moveFor(world, {
    ...{ kind: "refresh", holders: FIVE.holders, toKeyEpoch: refreshedTo },
  })
  const first = new Coordinator(world, { ...begun, leaveOut: [5] })
  const { certificate } = await confirmed(first)
  for (const id of [1, 2]) await first.activate(id, certificate)
  await forgetGeneration(world, 4, keyId)
  await goOnTo(world, NEXT)
  world.cluster.clock.time += 1000
  const held = await rowAt(world, 5, keyId)
  assert.ok(held)
  const keys = [{ sharing: sharing.sharingOfKey(held.keyPackage.public), toKeyEpoch: 2 }]
  const { roster, clock } = world.cluster
  const params: reshare.ReshareParams = {
    ...{ kind: "reshare", ...reshareTarget(roster), dealers: [4, 5] },
    ...{ rosterEpoch: roster.rosterEpoch, attempt: Math.floor(clock.time / 1000) },
    groups: keys.map((key) => key.sharing.group),
    keys: reshare.keysRoot(keys),
  }
  const second = new Coordinator(world, { params, keys, leaveOut: [] })
  const later = await confirmed(second)
  for (const id of NEXT.holders) await second.activate(id, later.certificate)
  return { world, keyId, refreshed: { attempt: first.attempt, certificate }, later }
}

for (const [what, refreshedTo] of [
  ["the same number", 2],
  ["a lower number", 5],
] as const) {
  test(`of two generations that of the later roster counts, with ${what} too`, async () => {
    const { world, keyId, refreshed, later } = await dealtTwice(refreshedTo)
    assert.deepEqual(await generations(world, keyId), [
      [1, [1, refreshedTo]],
      [2, [1, refreshedTo]],
      [3, [1, 1]],
      ...NEXT.holders.map((id) => [id, [2, 2]]),
    ])
    for (const id of [1, 2, 3]) await leaveAt(world, id, later.certificates)
    assert.deepEqual(await holdersOfKey(world, keyId), NEXT.holders)
    // The certificate of the earlier one brings back nothing, and nothing waits for it.
    for (const id of [3, 4]) {
      const coordinator = new Coordinator(world, refreshed.attempt)
      const output = await coordinator.activate(id, refreshed.certificate)
      assert.deepEqual(decode(reshareActivateOutput, output), { waiting: [] })
    }
    assert.deepEqual(
      await generations(world, keyId),
      NEXT.holders.map((id) => [id, [2, 2]]),
    )
  })
}
