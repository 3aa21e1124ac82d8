import assert from "node:assert/strict"
import { test } from "node:test"
import {
  eventCodec,
  keyListing,
  RESHARE_STEPS,
  reshareActivateOutput,
  reshareOpenOutput,
  showKeyBody,
} from "@lockkeeper/api"
import {
  groupByName,
  type Identifier,
  interpolate,
  type Scalar,
  sha256,
  verifySignature,
} from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import {
  frost,
  type KeyCertificate,
  keyCertificateCodec,
  verifyKeyCertificate,
} from "@lockkeeper/protocols"
import { signWith } from "./flows.ts"
import { expectKind, type TestSession } from "./owner.ts"
import {
  attemptFor,
  Coordinator,
  crash,
  drive,
  generationsAt,
  heldAt,
  type ReshareWorld,
  refresh,
  runCount,
  startReshare,
  verifyKeysOf,
} from "./reshare-flows.ts"
import { subsets } from "./subsets.ts"

const EMPTY = new Uint8Array(0)

/** What a server shows the owner of a key. */
async function certificateAt(
  { owner }: ReshareWorld,
  session: TestSession,
  keyId: Bytes,
): Promise<KeyCertificate> {
  const request = owner.sign(owner.request("keys.show", encode(showKeyBody, { keyId })))
  const payload = { kind: "act", request, step: 1, input: EMPTY } as const
  const { output } = expectKind(await session.call(payload), "act")
  return decode(keyCertificateCodec, decode(keyListing, output).certificate)
}

type Share = readonly [Identifier, Bytes]

async function sharesOf(world: ReshareWorld, keyId: Bytes): Promise<readonly Share[]> {
  return Promise.all(
    [...world.cluster.servers.keys()].map(async (id): Promise<Share> => {
      return [id, (await heldAt(world, id, keyId)).share.expose().slice()]
    }),
  )
}

for (const [minSigners, servers] of [
  [2, 3],
  [3, 5],
] as const) {
  test(`a refresh of ${minSigners} of ${servers} leaves keys as they are and gives them other shares`, async () => {
    const world = await startReshare({ minSigners, servers })
    const before = await Promise.all(
      world.certificates.map((one) => sharesOf(world, one.public.keyId)),
    )
    await refresh(world)
    for (const [i, certificate] of world.certificates.entries()) {
      const { keyId, verifyingKey, group } = certificate.public
      const [session] = world.ownerSessions
      assert.ok(session)
      const shown = await certificateAt(world, session, keyId)
      assert.ok(verifyKeyCertificate(shown, verifyKeysOf(world)).ok)
      assert.equal(shown.public.keyEpoch, 2)
      assert.deepEqual(shown.public.verifyingKey, verifyingKey)
      for (const other of world.ownerSessions) {
        assert.deepEqual(await certificateAt(world, other, keyId), shown)
      }
      const keyOf = (shares: readonly Share[]) => {
        const points = new Map(shares.map(([id, share]) => [id, share as Scalar]))
        return groupByName(group).multiplyBase(interpolate(groupByName(group), points))
      }
      const after = await sharesOf(world, keyId)
      for (const some of subsets(after, minSigners)) assert.deepEqual(keyOf(some), verifyingKey)
      // All old ones with new ones, as many as anyone corrupt may have of each.
      const old = subsets(before[i] as Share[], minSigners - 1)
      for (const some of old) {
        for (const others of subsets(after, minSigners - 1)) {
          const mixed = [...some, ...others.filter(([id]) => some.every(([one]) => one !== id))]
          for (let size = 1; size <= mixed.length; size++) {
            for (const points of subsets(mixed, size)) {
              assert.notDeepEqual(keyOf(points), verifyingKey)
            }
          }
        }
      }
    }
  })
}

test("every set of signers signs with refreshed shares, and again after another refresh", async () => {
  const world = await startReshare({}, ["ed25519", "bip340"])
  for (const round of [1, 2]) {
    if (round === 2) world.cluster.clock.time += 1000
    await refresh(world)
    for (const { public: pkg } of world.certificates) {
      const [session] = world.ownerSessions
      assert.ok(session)
      const certificate = await certificateAt(world, session, pkg.keyId)
      assert.equal(certificate.public.keyEpoch, round + 1)
      for (const some of subsets(world.ownerSessions, 2)) {
        const message = sha256(utf8(`round ${round}`))
        const signature = await signWith(world.owner, some, certificate, message)
        const publicKey = frost.publicKeyOf(certificate.public) as Bytes
        assert.equal(signature.length, 64)
        if (pkg.keyType === "ed25519") assert.ok(verifySignature(publicKey, message, signature))
      }
    }
  }
})

test("generations and the end of a run are recorded at every server, in its log too", async () => {
  const world = await startReshare()
  const [time, attempt] = [world.cluster.clock.time, await attemptFor(world)]
  await refresh(world)
  for (const [id, { store }] of world.cluster.servers) {
    for (const generation of await generationsAt(world, id)) {
      assert.ok(generation?.activeRun)
      assert.deepEqual(generation, {
        ...{ highestKeyEpoch: 2, pendingRun: null, activeRun: generation.activeRun },
        ...{
          activatedAt: time,
          lastAttempt: attempt.params.attempt,
          leftKeyEpoch: null,
          leftOn: null,
        },
      })
    }
    const entries = await store.entries(0, 256)
    const logged = entries
      .map(({ event }) => decode(eventCodec, event))
      .filter(({ operation }) => operation === "reshare")
    const dealt = id <= 2 ? [RESHARE_STEPS.deal] : []
    const steps = [RESHARE_STEPS.open, ...dealt, RESHARE_STEPS.verdict, RESHARE_STEPS.activate]
    assert.deepEqual(
      logged.map(({ step }) => step),
      steps,
    )
    assert.ok(logged.every(({ note }) => note === "operator of server 1"))
  }
})

test("whoever asks for the same run gets the same bytes, by another request and behind a restart", async () => {
  const world = await startReshare({}, ["ed25519"])
  const attempt = await attemptFor(world)
  const first = new Coordinator(world, attempt)
  const answers = new Map<string, Bytes>()
  const { task } = await drive(first, async (id, step, delivery) => {
    const message = await first.step(id, step, delivery)
    answers.set(`${id} ${step}`, message.header.bytes)
    return message
  })
  assert.equal(task.kind, "confirmed")
  for (const id of world.cluster.servers.keys()) await crash(world, id)
  const second = new Coordinator(world, attempt)
  const again = await drive(second, async (id, step, delivery) => {
    const message = await second.step(id, step, delivery)
    assert.deepEqual(message.header.bytes, answers.get(`${id} ${step}`), `${id} ${step}`)
    return message
  })
  assert.ok(again.task.kind === "confirmed" && task.kind === "confirmed")
  assert.deepEqual(again.task.certificate, task.certificate)
  // Both bring the certificate, in turns; the second time nothing changes.
  for (const coordinator of [first, second]) {
    for (const id of world.cluster.servers.keys()) {
      const output = await coordinator.activate(id, task.certificate)
      assert.deepEqual(decode(reshareActivateOutput, output), { waiting: [] })
    }
  }
  const third = new Coordinator(world, attempt)
  assert.deepEqual((await drive(third)).task, task)
})

test("a run goes on behind a crash of everyone after every single answer", async () => {
  const world = await startReshare({}, ["ed25519", "ecdsa-secp256k1"])
  const coordinator = new Coordinator(world, await attemptFor(world))
  const { task } = await drive(coordinator, async (id, step, delivery) => {
    const message = await coordinator.step(id, step, delivery)
    for (const one of world.cluster.servers.keys()) await crash(world, one)
    return message
  })
  assert.ok(task.kind === "confirmed")
  for (const id of world.cluster.servers.keys()) {
    await coordinator.activate(id, task.certificate)
    await crash(world, id)
  }
  for (const { public: pkg } of world.certificates) {
    for (const id of world.cluster.servers.keys()) {
      assert.equal((await heldAt(world, id, pkg.keyId)).public.keyEpoch, 2)
    }
  }
})

test("nobody confirms a generation twice, whatever coordinator asks and whenever", async () => {
  const world = await startReshare({}, ["ed25519"])
  const first = new Coordinator(world, await attemptFor(world))
  // Server 3 has confirmed, and the coordinator keeps that to itself.
  await drive(first, async (id, step, delivery) => {
    if (step === "verdict" && id !== 3) return null
    return first.step(id, step, delivery)
  })
  const [generation] = await generationsAt(world, 3)
  assert.equal(generation?.highestKeyEpoch, 2)
  assert.ok(generation.pendingRun)
  await crash(world, 3)
  world.cluster.clock.time += 1000
  const second = new Coordinator(world, await attemptFor(world))
  const entries = [{ index: 0, reason: "wrong-key-epoch" }]
  assert.deepEqual(decode(reshareOpenOutput, await second.open(3)), { kind: "unfit", entries })
  // The generation behind it is another matter.
  const third = new Coordinator(world, await attemptFor(world, { toKeyEpoch: 3 }))
  assert.equal((await drive(third)).task.kind, "confirmed")
  assert.equal((await generationsAt(world, 3))[0]?.highestKeyEpoch, 3)
})

test("of two runs for one generation, each opened in time, only one is confirmed", async () => {
  const world = await startReshare({}, ["ed25519"])
  const first = new Coordinator(world, await attemptFor(world))
  world.cluster.clock.time += 1000
  const second = new Coordinator(world, await attemptFor(world))
  const stop = async (coordinator: Coordinator) =>
    drive(coordinator, async (id, step, delivery) =>
      step === "verdict" ? null : coordinator.step(id, step, delivery),
    )
  await stop(first)
  await stop(second)
  assert.equal((await drive(second)).task.kind, "confirmed")
  const { task, refusals } = await drive(first)
  assert.equal(task.kind, "aborted")
  assert.deepEqual(
    [...refusals.values()].map(({ code, field }) => `${code} ${field}`),
    ["aborted keys.0", "aborted keys.0", "aborted keys.0"],
  )
  assert.equal(await runCount(world, 1), 2)
})
