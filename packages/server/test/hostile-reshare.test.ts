import assert from "node:assert/strict"
import { test } from "node:test"
import {
  LAST_ACCOUNT_ID,
  RESHARE_STEPS,
  type Roster,
  reportIncidentBody,
  reshareOpenOutput,
  reshareStepInput,
  settledRoster,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { deliver, headerCodec, type Message, reshare, signMessage } from "@lockkeeper/protocols"
import { putRun, readRun } from "../src/resharing/runs.ts"
import { equivocationBy } from "./evidence.ts"
import { changeRoster } from "./memory-cluster.ts"
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
  refusalOf,
  runCount,
  serverOf,
  startReshare,
} from "./reshare-flows.ts"
import { snapshot } from "./row-store-conformance.ts"

const EMPTY = new Uint8Array(0)

/** A request refused with this, and no row changed by it but in the log. */
async function refused(
  world: ReshareWorld,
  id: Identifier,
  call: () => Promise<unknown>,
  what: string,
) {
  const records = async () => (await snapshot(serverOf(world, id).rows)).replace(/\nlog .*$/, "")
  const before = await records()
  assert.equal(await refusalOf(call()), what)
  assert.equal(await records(), before, what)
}

function altered(
  attempt: reshare.ReshareAttempt,
  params: Partial<reshare.ReshareParams>,
): reshare.ReshareAttempt {
  return { ...attempt, params: { ...attempt.params, ...params } }
}

test("parameters that no run under this roster may have are refused by name", async () => {
  const world = await startReshare({}, ["ed25519"])
  const attempt = await attemptFor(world)
  const now = attempt.params.attempt
  const cases: readonly (readonly [Partial<reshare.ReshareParams>, string])[] = [
    [{ kind: "reshare", holders: [1, 2] }, "invalid-request body.params.holders"],
    [{ rosterEpoch: 2 }, "wrong-roster body.params.rosterEpoch"],
    [{ minSigners: 3 }, "invalid-request body.params.minSigners"],
    [{ dealers: [1, 2, 3], minSigners: 3 }, "invalid-request body.params.minSigners"],
    [{ holders: [1, 2, 9] }, "invalid-request body.params.holders"],
    [{ dealers: [2, 3], holders: [2, 3] }, "invalid-request body.params.holders"],
    [{ dealers: [1] }, "invalid-request body.params.dealers"],
    [{ groups: [] }, "invalid-request body.params.groups"],
    [{ keys: new Uint8Array(32) }, "invalid-request input.keys"],
    [{ attempt: now + 121 }, "clock-skew body.params.attempt"],
  ]
  for (const [params, what] of cases) {
    const coordinator = new Coordinator(world, altered(attempt, params), { servers: [1, 2, 3] })
    await refused(world, 1, () => coordinator.open(1), what)
  }
  const everyone = { after: null, to: LAST_ACCOUNT_ID, generation: now }
  for (const of of [
    { kind: "accounts", range: null },
    { kind: "keys", range: everyone },
  ] as const) {
    const coordinator = new Coordinator(world, attempt, {}, of)
    await refused(world, 1, () => coordinator.open(1), "invalid-request body.range")
  }
})

test("a batch's entries that do not fit are told, and nothing is begun with them", async () => {
  const world = await startReshare({}, ["ed25519", "ecdsa-secp256k1"])
  const { params, keys } = await attemptFor(world)
  const [first, second] = keys
  assert.ok(first && second)
  const stranger = { ...second.sharing, id: new Uint8Array(32).fill(7) }
  const elsewhere = { ...second.sharing, context: new Uint8Array(32) }
  const older = { ...second.sharing, keyEpoch: 2 }
  const cases: readonly (readonly [reshare.ReshareKey, string])[] = [
    [{ ...second, sharing: stranger }, "wrong-key"],
    [{ ...second, sharing: elsewhere }, "wrong-key"],
    [{ sharing: older, toKeyEpoch: 3 }, "wrong-key-epoch"],
    [{ ...second, toKeyEpoch: params.attempt + 1 }, "wrong-key-epoch"],
  ]
  for (const [changed, reason] of cases) {
    const batch: readonly reshare.ReshareKey[] = [first, changed]
    const attempt = {
      params: { ...params, keys: reshare.keysRoot(batch) },
      keys: batch,
      leaveOut: [],
    }
    const output = await new Coordinator(world, attempt).open(1)
    const entries = [{ index: 1, reason }]
    assert.deepEqual(decode(reshareOpenOutput, output), { kind: "unfit", entries })
    assert.equal(await runCount(world, 1), 0)
    assert.deepEqual(await generationsAt(world, 1), [null, null])
  }
})

test("who has servers confirm what nobody activates keeps them from no later generation", async () => {
  const world = await startReshare({}, ["ed25519"])
  // As far ahead as can be, each server alone, so that no certificate comes of it.
  for (const victim of [1, 2, 3] as const) {
    world.cluster.clock.time += 1000
    const toKeyEpoch = Math.floor(world.cluster.clock.time / 1000)
    const far = new Coordinator(world, await attemptFor(world, { toKeyEpoch }))
    await drive(far, async (id, step, delivery) =>
      step === "verdict" && id !== victim ? null : far.step(id, step, delivery),
    )
    assert.equal((await generationsAt(world, victim))[0]?.highestKeyEpoch, toKeyEpoch)
  }
  world.cluster.clock.time += 1000
  await refresh(world, { toKeyEpoch: Math.floor(world.cluster.clock.time / 1000) })
})

test("an attempt that is not later than one that was opened is not opened, run or no run", async () => {
  const world = await startReshare({}, ["ed25519"])
  const opened = new Coordinator(world, await attemptFor(world, { dealers: [1, 2] }))
  await opened.open(1)
  const other = new Coordinator(world, await attemptFor(world, { dealers: [1, 3] }))
  await refused(world, 1, () => other.open(1), "conflict body.params.attempt")
  world.cluster.clock.time += 3_600_001
  await serverOf(world, 1).server.tidy()
  assert.equal(await runCount(world, 1), 0)
  const again = new Coordinator(world, opened.attempt)
  await crash(world, 1)
  await refused(world, 1, () => again.open(1), "conflict body.params.attempt")
})

test("steps out of turn are refused, and messages of another run name nobody", async () => {
  const world = await startReshare({}, ["ed25519"])
  const coordinator = new Coordinator(world, await attemptFor(world))
  const nothing = encode(reshareStepInput, { messages: [], opens: [], records: [] })
  for (const step of [RESHARE_STEPS.deal, RESHARE_STEPS.verdict, RESHARE_STEPS.answer]) {
    await refused(world, 1, () => coordinator.ask(1, step, nothing), "out-of-order step")
  }
  await refused(world, 1, () => coordinator.ask(1, 7, nothing), "invalid-request step")
  await coordinator.open(1)
  await coordinator.open(3)
  assert.equal(await refusalOf(coordinator.ask(1, RESHARE_STEPS.deal, nothing)), "aborted")
  // It holds nothing to deal with, and then waits for the dealings.
  assert.equal(await refusalOf(coordinator.ask(3, RESHARE_STEPS.deal, nothing)), "aborted")
  assert.deepEqual(serverOf(world, 1).server.incidents.all(), [])
})

test("old shares are erased by a quorum's certificate of these very shares and by nothing else", async () => {
  const world = await startReshare({}, ["ed25519"])
  const [certificate] = world.certificates
  const keyId = certificate?.public.keyId
  assert.ok(keyId)
  const coordinator = new Coordinator(world, await attemptFor(world))
  const { task } = await drive(coordinator)
  assert.ok(task.kind === "confirmed")
  const good = task.certificate
  const [, two] = [...good.confirmations]
  assert.ok(two)
  const flipped = two[1].map((byte, i) => (i === 40 ? byte ^ 1 : byte))
  const cases: readonly (readonly [Partial<reshare.BatchCertificate>, string])[] = [
    [{ confirmations: new Map([...good.confirmations].slice(0, 2)) }, "aborted"],
    [{ confirmations: new Map() }, "aborted"],
    [{ root: new Uint8Array(32) }, "aborted root"],
    [{ size: 2 }, "aborted root"],
    [{ rosterEpoch: 2 }, "aborted"],
    [{ confirmations: new Map([...good.confirmations, [2, flipped]]) }, "aborted confirmations.2"],
    [{ confirmations: new Map([...good.confirmations, [9, two[1]]]) }, "aborted confirmations.9"],
  ]
  const share = (await heldAt(world, 1, keyId)).share.expose().slice()
  for (const [changes, what] of cases) {
    const fresh = new Coordinator(world, coordinator.attempt)
    await refused(world, 1, () => fresh.activate(1, { ...good, ...changes }), what)
    assert.deepEqual((await heldAt(world, 1, keyId)).share.expose(), share)
  }
  // Housekeeping leaves confirmed shares alone for as long as nothing later is in force.
  world.cluster.clock.time += 100 * 24 * 3_600_000
  await serverOf(world, 1).server.tidy()
  await crash(world, 1)
  await serverOf(world, 1).server.tidy()
  assert.equal(await runCount(world, 1), 1)
  for (const id of [2, 3]) world.sessions.set(id, await world.operator.open(serverOf(world, id)))
  await new Coordinator(world, coordinator.attempt).activate(1, good)
  assert.notDeepEqual((await heldAt(world, 1, keyId)).share.expose(), share)
})

test("shares that were confirmed and never activated end with those of a later generation", async () => {
  const world = await startReshare({}, ["ed25519", "bip340"])
  const kept = new Coordinator(world, await attemptFor(world))
  const confirmed = await drive(kept)
  assert.ok(confirmed.task.kind === "confirmed")
  world.cluster.clock.time += 3_700_000
  await serverOf(world, 1).server.tidy()
  assert.equal(await runCount(world, 1), 1)
  for (const id of [1, 2, 3]) world.sessions.set(id, await world.operator.open(serverOf(world, id)))
  await refresh(world, { toKeyEpoch: 3 })
  const [share, other] = await Promise.all(
    world.certificates.map(async (one) => (await heldAt(world, 1, one.public.keyId)).share),
  )
  // A certificate of what came before changes nothing any more.
  await new Coordinator(world, kept.attempt).activate(1, confirmed.task.certificate)
  for (const [i, before] of [share, other].entries()) {
    const { public: pkg } = world.certificates[i] as (typeof world.certificates)[number]
    const now = await heldAt(world, 1, pkg.keyId)
    assert.equal(now.public.keyEpoch, 3)
    assert.deepEqual(now.share.expose(), before?.expose())
    assert.equal(now.generation?.highestKeyEpoch, 3)
  }
  world.cluster.clock.time += 3_700_000
  for (const id of [1, 2, 3]) {
    await serverOf(world, id).server.tidy()
    assert.equal(await runCount(world, id), 0)
  }
})

test("nobody quarantined is dealt to or dealt with; others are, without it", async () => {
  const world = await startReshare({ servers: 5, minSigners: 2 }, ["ed25519"])
  const { operator, sessions } = world
  const evidence = equivocationBy(world.cluster, 5)
  const request = operator.sign(
    operator.request("incidents.report", encode(reportIncidentBody, { evidence })),
  )
  const report = async (id: Identifier) =>
    expectKind(
      await (sessions.get(id) as TestSession).call({ kind: "act", request, step: 1, input: EMPTY }),
      "act",
    )
  const begun = new Coordinator(world, await attemptFor(world))
  await drive(begun, async (id, step, delivery) => {
    // After all have opened, and after the first has dealt.
    if (step === "deal" && id === 2) await report(2)
    if (step !== "deal" || id === 1) return begun.step(id, step, delivery)
    await refused(world, 2, () => begun.step(id, step, delivery), "quarantined quarantined.5")
    return null
  })
  world.cluster.clock.time += 1000
  const all = new Coordinator(world, await attemptFor(world))
  await refused(world, 2, () => all.open(2), "quarantined quarantined.5")
  for (const id of [1, 3, 4]) await report(id)
  const without = new Coordinator(world, await attemptFor(world, { leaveOut: [5] }))
  const { task } = await drive(without)
  assert.ok(task.kind === "confirmed")
  assert.deepEqual(task.missing, [5])
})

test("a server whose store was put back confirms and deals nothing in this roster, also later", async () => {
  const world = await startReshare({}, ["ed25519"])
  const waiting = new Coordinator(world, await attemptFor(world))
  await waiting.open(2)
  world.cluster.clock.time += 1000
  const confirmed = new Coordinator(world, await attemptFor(world))
  const { task } = await drive(confirmed)
  assert.ok(task.kind === "confirmed")
  await crash(world, 2, { condition: "restored" })
  // The run that was open is gone, the confirmed shares are not.
  assert.equal(await runCount(world, 2), 1)
  world.cluster.clock.time += 1000
  for (const condition of [null, "orderly", "unclean"] as const) {
    if (condition !== null) await crash(world, 2, { condition })
    const fresh = new Coordinator(world, await attemptFor(world, { toKeyEpoch: 3 }))
    await refused(world, 2, () => fresh.open(2), "permission-denied")
  }
  await confirmed.activate(1, task.certificate)
  await new Coordinator(world, confirmed.attempt).activate(2, task.certificate)
  const keyId = world.certificates[0]?.public.keyId
  assert.ok(keyId)
  assert.equal((await heldAt(world, 2, keyId)).public.keyEpoch, 2)
})

for (const [name, next, refusal] of [
  ["the roster that settles its own", settledRoster, "permission-denied"],
  [
    "another roster",
    (roster: Roster) => ({ ...settledRoster(roster), refreshHours: 1 }),
    "nothing",
  ],
] as const) {
  test(`a store that was put back in transition is under ${name}: ${refusal}`, async () => {
    const world = await startReshare({}, ["ed25519"])
    const transition = { leaving: [], minSignersBefore: 2 }
    await changeRoster(world.cluster, { transition })
    await crash(world, 2, { condition: "restored" })
    await changeRoster(world.cluster, next(world.cluster.roster))
    for (const id of [1, 2, 3]) await crash(world, id)
    const fresh = new Coordinator(world, await attemptFor(world))
    assert.equal(await refusalOf(fresh.open(2)), refusal)
    assert.equal(await refusalOf(fresh.open(1)), "nothing")
  })
}

/** A message as its sender would sign it had it said something else. */
function resigned(
  { cluster }: ReshareWorld,
  message: Message,
  changed: Partial<Pick<Message, "broadcast" | "sealed">>,
): Message {
  const { parts: _, previousDigest, ...slot } = decode(headerCodec, message.header.bytes)
  const { identity } = cluster.secrets[slot.sender - 1] as (typeof cluster.secrets)[number]
  const { broadcast, sealed } = message
  return signMessage(identity, slot, { previousDigest, broadcast, sealed, ...changed })
}

const senderOf = ({ header }: Message) => decode(headerCodec, header.bytes).sender

function flipped(bytes: Uint8Array, at: number) {
  const copy = new Uint8Array(bytes)
  copy[at] = (copy[at] as number) ^ 1
  return copy
}

test("who deals what it did not commit to is named by whoever sees it, and quarantined for it", async () => {
  const world = await startReshare({}, ["ed25519"])
  const coordinator = new Coordinator(world, await attemptFor(world))
  let dealt: Message | null = null
  const { refusals } = await drive(coordinator, async (id, step, delivery) => {
    if (step !== "verdict" || id !== 3) {
      const message = await coordinator.step(id, step, delivery)
      if (step === "deal" && id === 2) dealt = message
      return message
    }
    assert.ok(dealt)
    const lie = resigned(world, dealt, { broadcast: flipped(dealt.broadcast, 0) })
    const honest = delivery.messages.filter((message) => senderOf(message) !== 2)
    return coordinator.step(id, step, { ...delivery, messages: [...honest, deliver(lie, 3)] })
  })
  assert.match(refusals.get(3)?.message ?? "", /wrong-opening; server 2 is to blame/)
  const [incident] = serverOf(world, 3).server.incidents.all()
  assert.deepEqual([incident?.servers, incident?.reason], [[2], "wrong-opening"])
  assert.deepEqual(serverOf(world, 3).server.incidents.quarantined, [2])
  assert.deepEqual(serverOf(world, 1).server.incidents.all(), [])
  assert.equal((await generationsAt(world, 3))[0]?.highestKeyEpoch, 1)
  // It goes on with the others, behind a crash too.
  await crash(world, 3)
  world.cluster.clock.time += 1000
  const fresh = new Coordinator(world, await attemptFor(world))
  await refused(world, 3, () => fresh.open(3), "quarantined quarantined.2")
})

test("a dealer whose share is wrong answers the complaint once, and is named by its answer", async () => {
  const world = await startReshare({}, ["ed25519"])
  const coordinator = new Coordinator(world, await attemptFor(world))
  const { task } = await drive(coordinator, async (id, step, delivery) => {
    const message = await coordinator.step(id, step, delivery)
    if (step !== "deal" || id !== 2) return message
    const part = message.sealed.get(3)
    assert.ok(part)
    const sealed = new Map([...message.sealed, [3, flipped(part, part.length - 1)] as const])
    const lie = resigned(world, message, { sealed })
    await standBy(world, coordinator, lie)
    return lie
  })
  assert.ok(task.kind === "aborted" && task.spent)
  assert.deepEqual([task.abort.reason, task.abort.culprits], ["bad-dealing", [2]])
  const [run] = await Promise.all([readRun(serverOf(world, 3).store, runIdOf(coordinator))])
  assert.ok(run?.value.stage.kind === "judged" && run.value.stage.state.pending === null)
  // Others have confirmed and keep what they have; the complainer confirmed nothing.
  assert.equal((await generationsAt(world, 1))[0]?.highestKeyEpoch, 2)
  assert.equal((await generationsAt(world, 3))[0]?.highestKeyEpoch, 1)
  const again = new Coordinator(world, coordinator.attempt)
  const nothing = encode(reshareStepInput, { messages: [], opens: [], records: [] })
  const first = await again.ask(2, RESHARE_STEPS.answer, nothing)
  assert.deepEqual(
    run && (await readRun(serverOf(world, 2).store, runIdOf(again)))?.value.answers.answer,
    first,
  )
})

function runIdOf({ attempt }: Coordinator) {
  return reshare.openingDigest(attempt.params)
}

/** Has server 2 go on as if the lie were what it said. */
async function standBy(world: ReshareWorld, coordinator: Coordinator, lie: Message) {
  const { store } = serverOf(world, 2)
  const runId = runIdOf(coordinator)
  const run = await readRun(store, runId)
  assert.ok(run?.value.stage.kind === "dealt")
  const deal = { header: lie.header, broadcast: lie.broadcast }
  const stage = { kind: "dealt", state: { ...run.value.stage.state, deal } } as const
  await store.commit([putRun(runId, { ...run.value, stage }, run.version)])
}
