import assert from "node:assert/strict"
import { test } from "node:test"
import {
  deriveBody,
  eventCodec,
  latestKeyEpoch,
  REPAIR_STEPS,
  reshareOpenOutput,
} from "@lockkeeper/api"
import { groupByName, type Identifier, interpolate, type Scalar, sha256 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { keyCertificateCodec, messageCodec, verifyKeyCertificate } from "@lockkeeper/protocols"
import { TABLES } from "../src/ports/store.ts"
import { REPAIR_LIFETIME_MS } from "../src/resharing/repair-runs.ts"
import { signWith } from "./flows.ts"
import { expectKind } from "./owner.ts"
import {
  driveRepair,
  empty,
  listingAt,
  loseDatabase,
  Repairer,
  refreshWithout,
  repairAll,
  repairAttempt,
  stageAt,
} from "./repair-flows.ts"
import {
  attemptFor,
  Coordinator,
  crash,
  heldAt,
  type ReshareWorld,
  refresh,
  serverOf,
  startReshare,
  verifyKeysOf,
} from "./reshare-flows.ts"

const EMPTY = new Uint8Array(0)

function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) =>
    subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]),
  )
}

/** Every t of the servers hold shares of each key, of one generation. */
async function assertWhole(world: ReshareWorld): Promise<void> {
  const { minSigners } = world.cluster.roster
  for (const { public: pkg } of world.certificates) {
    const group = groupByName(pkg.group)
    const held = await Promise.all(
      [...world.cluster.servers.keys()].map(async (id) => {
        return [id, await heldAt(world, id, pkg.keyId)] as const
      }),
    )
    const [[, first]] = held as [(typeof held)[number]]
    for (const [, { public: one }] of held) assert.deepEqual(one, first.public)
    for (const some of subsets(held, minSigners)) {
      const points = new Map(some.map(([id, { share }]) => [id, share.expose() as Scalar]))
      assert.deepEqual(group.multiplyBase(interpolate(group, points)), pkg.verifyingKey)
    }
  }
}

async function derive(
  { owner, ownerSessions }: ReshareWorld,
  keyId: Bytes,
  path: readonly number[],
): Promise<void> {
  const body = encode(deriveBody, { keyId, path })
  const servers = ownerSessions.map(({ to }) => to.identifier)
  const request = owner.sign(owner.request("keys.derive", body, { servers }))
  for (const session of ownerSessions) {
    expectKind(await session.call({ kind: "act", request, step: 1, input: EMPTY }), "act")
  }
}

async function childrenAt(world: ReshareWorld, id: Identifier): Promise<readonly string[]> {
  return (await serverOf(world, id).store.scan("children", "", "", 256)).map((row) => row.id)
}

for (const [minSigners, servers, helpers] of [
  [2, 3, [1, 2]],
  [2, 5, [2, 5]],
  [3, 5, [2, 4, 5]],
] as const) {
  test(`${minSigners} of ${servers}: a member that missed a refresh has the shares in force again`, async () => {
    const world = await startReshare({ minSigners, servers })
    await refreshWithout(world, 3)
    const keyIds = world.certificates.map(({ public: pkg }) => pkg.keyId)
    const before = await Promise.all(keyIds.map((id) => heldAt(world, 3, id)))
    for (const { public: pkg } of before) assert.equal(pkg.keyEpoch, 1)
    await repairAll(world, 3, helpers)
    await assertWhole(world)
    for (const [i, keyId] of keyIds.entries()) {
      const { generation } = await heldAt(world, 3, keyId)
      const lastAttempt = before[i]?.generation?.lastAttempt ?? 0
      const ended = { pendingRun: null, activeRun: null, activatedAt: 0, lastAttempt }
      assert.deepEqual(generation, {
        ...ended,
        highestKeyEpoch: 2,
        leftKeyEpoch: null,
        leftOn: null,
      })
      const [own, other] = await Promise.all([3, 1].map((id) => listingAt(world, id, keyId)))
      assert.deepEqual(own?.certificate, other?.certificate)
    }
    // A refresh of everybody goes on from there.
    world.cluster.clock.time += 1000
    await refresh(world)
    await assertWhole(world)
  })

  test(`${minSigners} of ${servers}: a member over an empty database holds everything of its keys again`, async () => {
    const world = await startReshare({ minSigners, servers })
    const keyIds = world.certificates.map(({ public: pkg }) => pkg.keyId)
    for (const path of [[0], [0, 5], [7]]) await derive(world, keyIds[0] as Bytes, path)
    const before = await Promise.all(keyIds.map((id) => listingAt(world, 3, id)))
    const children = await childrenAt(world, 3)
    assert.equal(children.length, 4)
    await loseDatabase(world, 3)
    await repairAll(world, 3, helpers)
    await assertWhole(world)
    for (const [i, keyId] of keyIds.entries()) {
      assert.deepEqual(await listingAt(world, 3, keyId), before[i])
      const certificate = decode(keyCertificateCodec, before[i]?.certificate as Bytes)
      assert.ok(verifyKeyCertificate(certificate, verifyKeysOf(world)).ok)
      const { generation } = await heldAt(world, 3, keyId)
      assert.equal(generation?.highestKeyEpoch, latestKeyEpoch(world.cluster.clock.time))
    }
    assert.deepEqual(await childrenAt(world, 3), children)
    // What it may have confirmed and forgotten is confirmed by nobody a second time.
    world.cluster.clock.time += 1000
    const toKeyEpoch = latestKeyEpoch(world.cluster.clock.time)
    const early = new Coordinator(world, await attemptFor(world, { toKeyEpoch: toKeyEpoch - 1 }))
    const unfit = decode(reshareOpenOutput, await early.open(3))
    assert.ok(unfit.kind === "unfit")
    assert.ok(unfit.entries.every(({ reason }) => reason === "wrong-key-epoch"))
    await refresh(world, { toKeyEpoch })
    await assertWhole(world)
  })
}

test("a member whose table of keys is empty signs again in every set", async () => {
  const world = await startReshare({}, ["ed25519", "bip340"])
  await empty(world, 2, "keys")
  await repairAll(world, 2, [1, 3])
  for (const certificate of world.certificates) {
    for (const some of subsets(world.ownerSessions, 2)) {
      const signature = await signWith(world.owner, some, certificate, sha256(utf8("again")))
      assert.equal(signature.length, 64)
    }
  }
  const [generation] = await Promise.all(
    world.certificates.map(
      async ({ public: pkg }) => (await heldAt(world, 2, pkg.keyId)).generation,
    ),
  )
  assert.equal(generation?.highestKeyEpoch, latestKeyEpoch(world.cluster.clock.time))
})

test("everyone is erased at the end, and each step stands in the log", async () => {
  const world = await startReshare({}, ["ed25519"])
  await empty(world, 2, "keys")
  const repairer = new Repairer(world, await repairAttempt(world, 2, [1, 3]))
  const { task } = await driveRepair(repairer)
  assert.ok(task.kind === "repaired")
  assert.deepEqual(await Promise.all([1, 2, 3].map((id) => stageAt(world, id, repairer))), [
    "summed",
    "over",
    "summed",
  ])
  for (const id of [1, 3]) {
    assert.deepEqual(await repairer.finish(id, task.verdict), EMPTY)
    assert.equal(await stageAt(world, id, repairer), "over")
    // By whoever asks, and once more.
    const again = new Repairer(world, repairer.attempt)
    assert.deepEqual(await again.finish(id, task.verdict), EMPTY)
  }
  for (const [id, { store }] of world.cluster.servers) {
    const entries = (await store.entries(0, 256)).map(({ event }) => decode(eventCodec, event))
    const logged = entries.filter(({ operation }) => operation === "repair")
    const { open, split, sum, verdict, describe, finish } = REPAIR_STEPS
    const steps = id === 2 ? [open, verdict] : [open, split, sum, describe, finish, finish]
    assert.deepEqual(
      logged.map(({ step }) => step),
      steps,
    )
    assert.ok(logged.every(({ note }) => note === "operator of server 1"))
  }
})

test("whoever asks for the same run gets the same bytes, behind a crash of everyone after every answer", async () => {
  const world = await startReshare({}, ["ed25519", "ecdsa-secp256k1"])
  await loseDatabase(world, 3)
  const first = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const answers = new Map<string, Bytes>()
  const { task } = await driveRepair(first, async (id, step, ...rest) => {
    const message = await first.step(id, step, ...rest)
    answers.set(`${id} ${step}`, encode(messageCodec, message))
    for (const one of world.cluster.servers.keys()) await crash(world, one)
    return message
  })
  assert.equal(task.kind, "repaired")
  await assertWhole(world)
  const second = new Repairer(world, first.attempt)
  const again = await driveRepair(second, async (id, step, ...rest) => {
    const message = await second.step(id, step, ...rest)
    assert.deepEqual(encode(messageCodec, message), answers.get(`${id} ${step}`), `${id} ${step}`)
    return message
  })
  assert.equal(answers.size, 8)
  assert.deepEqual(again.task, task)
})

test("a coordinator that stops after any answer is followed by another with the same run", async () => {
  for (let stopAt = 0; stopAt < 8; stopAt++) {
    const world = await startReshare({}, ["ed25519"])
    await empty(world, 1, "keys", "account-keys")
    const first = new Repairer(world, await repairAttempt(world, 1, [2, 3]))
    let asked = 0
    await driveRepair(first, async (...args) => {
      return asked++ < stopAt ? first.step(...args) : null
    })
    assert.ok(asked > stopAt || stopAt === 7)
    const second = new Repairer(world, first.attempt)
    assert.equal((await driveRepair(second)).task.kind, "repaired", `stopped at ${stopAt}`)
    await assertWhole(world)
  }
})

/** Everything that a server keeps, unsealed. */
async function rowsOf(world: ReshareWorld, id: Identifier): Promise<readonly string[]> {
  const { store } = serverOf(world, id)
  const all: string[] = []
  for (const table of TABLES) {
    for (const { id: row, value } of await store.scan(table, "", "", 256)) {
      all.push(`${table} ${row} ${toHex(value)}`)
    }
  }
  return all
}

test("no helper learns the member's share, nor does who carries the messages", async () => {
  const world = await startReshare({}, ["ed25519", "ecdsa-secp256k1"])
  const shares = await Promise.all(
    world.certificates.map(async ({ public: pkg }) => {
      return toHex((await heldAt(world, 3, pkg.keyId)).share.expose())
    }),
  )
  const label = toHex(world.owner.accountId)
  await loseDatabase(world, 3)
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const seen: string[] = []
  const { task } = await driveRepair(repairer, async (id, step, ...rest) => {
    const message = await repairer.step(id, step, ...rest)
    seen.push(toHex(encode(messageCodec, message)))
    for (const helper of [1, 2]) seen.push(...(await rowsOf(world, helper)))
    return message
  })
  assert.equal(task.kind, "repaired")
  for (const share of shares) assert.ok(!seen.some((text) => text.includes(share)))
  const member = await rowsOf(world, 3)
  for (const share of shares) assert.ok(member.some((text) => text.includes(share)))
  // What a holder tells of an owner's keys is for the member alone.
  const told = await repairer.tell(1)
  assert.ok(!toHex(told.ciphertext).includes(label))
  assert.ok(member.some((text) => text.includes(label)))
})

test("runs that nobody ends are erased within an hour, and their number is bounded", async () => {
  const world = await startReshare({}, ["ed25519"])
  await empty(world, 3, "keys")
  const [one, other] = await Promise.all(
    [1, 2].map(async (n) => new Repairer(world, await repairAttempt(world, 3, [1, 2], n))),
  )
  assert.ok(one && other)
  await driveRepair(one, async (id, step, ...rest) => {
    return step === "verdict" ? null : one.step(id, step, ...rest)
  })
  await other.open(1)
  const count = async (id: Identifier) =>
    (await serverOf(world, id).store.scan("repair-runs", "", "", 256)).length
  assert.deepEqual(await Promise.all([1, 2, 3].map(count)), [2, 1, 1])
  world.cluster.clock.time += REPAIR_LIFETIME_MS + 1
  await crash(world, 1)
  for (const { server } of world.cluster.servers.values()) await server.tidy()
  assert.deepEqual(await Promise.all([1, 2, 3].map(count)), [0, 0, 0])
})
