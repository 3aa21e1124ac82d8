import assert from "node:assert/strict"
import { test } from "node:test"
import {
  eventCodec,
  incidentListings,
  incidentReceipt,
  LockKeeperError,
  listIncidentsBody,
  reportIncidentBody,
} from "@lockkeeper/api"
import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { MAX_REASONS } from "../src/incidents/incidents.ts"
import { judgeEvidence } from "../src/incidents/judge.ts"
import { equivocationBy } from "./evidence.ts"
import { restart, startCluster, type TestCluster, type TestServer } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"
import { snapshot } from "./row-store-conformance.ts"

const EMPTY = new Uint8Array(0)

interface World {
  readonly cluster: TestCluster
  readonly owner: TestOwner
  readonly session: TestSession
}

async function start(options: Parameters<typeof startCluster>[0] = {}): Promise<World> {
  const cluster = await startCluster(options)
  const owner = new TestOwner(cluster)
  await owner.register("correct horse")
  const [session] = await owner.login("correct horse")
  return { cluster, owner, session: session as TestSession }
}

const serverOf = ({ session }: World): TestServer => session.to

async function ask({ owner, session }: World, evidence: Bytes) {
  const request = owner.sign(
    owner.request("incidents.report", encode(reportIncidentBody, { evidence })),
  )
  return session.call({ kind: "act", request, step: 1, input: EMPTY })
}

async function report(world: World, evidence: Bytes) {
  return decode(incidentReceipt, expectKind(await ask(world, evidence), "act").output)
}

async function list({ owner, session }: World, after = 0) {
  const body = encode(listIncidentsBody, { after, limit: 64 })
  const request = owner.sign(owner.request("incidents.list", body))
  const answer = await session.call({ kind: "act", request, step: 1, input: EMPTY })
  return decode(incidentListings, expectKind(answer, "act").output)
}

/** The rows, without the log and what is kept of answers. */
async function records(world: World): Promise<string> {
  const lines = (await snapshot(serverOf(world).rows)).split("\n")
  return lines.filter((line) => !/^(log|answers|nonces\b.*answers)/.test(line)).join("\n")
}

async function lastEvent(world: World) {
  const { store } = serverOf(world)
  const end = (await store.logPosition())?.index ?? 0
  const [entry] = await store.entries(end, 1)
  return decode(eventCodec, entry!.event)
}

async function incidentRows(world: World): Promise<number> {
  return (await serverOf(world).store.scan("incidents", "", "", 256)).length
}

async function refusal(world: World, evidence: Bytes): Promise<string> {
  const answer = await ask(world, evidence)
  return answer.kind === "refused" ? `${answer.error.code} ${answer.error.field}` : answer.kind
}

test("valid evidence is recorded once, logged, counted, and quarantines who it proves at fault", async () => {
  const world = await start()
  const told: unknown[] = []
  const event = (name: string, fields: object) => told.push({ name, ...fields })
  Object.assign(serverOf(world).deps, { events: { event } })
  const evidence = equivocationBy(world.cluster, 3)
  const { time } = world.cluster.clock
  assert.deepEqual(await report(world, evidence), { number: 1, isNew: true, quarantined: [3] })
  const { operation, outcome, reason, culprits, pair, incidents } = await lastEvent(world)
  assert.deepEqual([operation, outcome, reason], ["incidents.report", "done", "equivocation"])
  assert.deepEqual([culprits, pair], [[3], null])
  assert.deepEqual(incidents, [{ number: 1, evidence: sha256(evidence) }])
  const { server } = serverOf(world)
  assert.deepEqual(server.incidents.quarantined, [3])
  assert.equal(server.counters.quarantined, 1)
  assert.deepEqual([...server.counters.incidents()], [["proven", 1]])
  const facts = { number: 1, servers: "3", reason: "equivocation" }
  assert.deepEqual(told, [{ name: "server-quarantined", ...facts }])
  const [listed, ...more] = await list(world)
  assert.deepEqual(more, [])
  assert.deepEqual(listed, {
    ...{ number: 1, servers: [3], reason: "equivocation", recordedAt: time },
    ...{ source: "reported", state: "quarantined", evidence: sha256(evidence) },
  })
})

test("the first evidence of a culprit and reason wins; repeats change nothing", async () => {
  const world = await start()
  await report(world, equivocationBy(world.cluster, 3))
  assert.equal(await incidentRows(world), 1)
  const row = await serverOf(world).store.scan("incidents", "", "", 1)
  for (const session of [1, 2, 2, 1]) {
    const receipt = await report(world, equivocationBy(world.cluster, 3, { session }))
    assert.deepEqual(receipt, { number: 1, isNew: false, quarantined: [3] })
  }
  assert.deepEqual(await serverOf(world).store.scan("incidents", "", "", 9), row)
  assert.deepEqual([...serverOf(world).server.counters.incidents()], [["proven", 1]])
})

test("evidence that does not hold changes nothing, whatever is wrong with it", async () => {
  const world = await start()
  const good = equivocationBy(world.cluster, 3)
  const strangers = await startCluster({ servers: 4 })
  const shifted = { ...strangers, secrets: [...strangers.secrets.slice(1), strangers.secrets[0]!] }
  const bad: Bytes[] = [
    EMPTY,
    good.slice(1),
    good.slice(0, -1),
    new Uint8Array([...good, 0]),
    new Uint8Array(65_536).fill(7),
    equivocationBy(shifted, 3),
    equivocationBy(world.cluster, 3, { rosterEpoch: 2 }),
    equivocationBy({ ...strangers, roster: world.cluster.roster }, 4),
  ]
  for (let at = 0; at < good.length; at += 97) {
    const altered = good.slice()
    altered[at] = (altered[at] as number) ^ 1
    bad.push(altered)
  }
  const before = await records(world)
  for (const [i, evidence] of bad.entries()) {
    world.cluster.clock.time += 10_000
    assert.equal(await refusal(world, evidence), "invalid-request body.evidence", `case ${i}`)
  }
  assert.equal(await records(world), before)
  assert.deepEqual(serverOf(world).server.incidents.quarantined, [])
})

test("an account may have little unknown evidence verified, and known evidence costs nothing", async () => {
  const world = await start()
  const known = equivocationBy(world.cluster, 3)
  await report(world, known)
  const junk = (n: number) => equivocationBy(world.cluster, 3, { rosterEpoch: 2, session: n })
  for (let n = 1; n <= 15; n++) {
    assert.equal(await refusal(world, junk(n)), "invalid-request body.evidence")
  }
  const before = await records(world)
  assert.equal(await refusal(world, junk(99)), "rate-limited body.evidence")
  assert.equal(await records(world), before)
  assert.equal((await report(world, known)).isNew, false)
  world.cluster.clock.time += 4_000
  assert.equal(await refusal(world, junk(16)), "invalid-request body.evidence")
  assert.equal(await refusal(world, junk(17)), "rate-limited body.evidence")
})

test("racing reports of one incident commit once and all get the same answer", async () => {
  const world = await start()
  const reports = [1, 2, 1, 3, 1].map((session) =>
    report(world, equivocationBy(world.cluster, 2, { session })),
  )
  const receipts = await Promise.all(reports)
  assert.equal(receipts.filter(({ isNew }) => isNew).length, 1)
  for (const { number, quarantined } of receipts) assert.deepEqual([number, quarantined], [1, [2]])
  assert.equal(await incidentRows(world), 1)
  assert.deepEqual([...serverOf(world).server.counters.incidents()], [["proven", 1]])
})

test("a report whose commit fails records nothing, and the next one does", async () => {
  const world = await start()
  const { rows } = serverOf(world)
  const commit = rows.commit.bind(rows)
  rows.commit = () => Promise.reject(new Error("no disk"))
  const evidence = equivocationBy(world.cluster, 3)
  assert.notEqual((await ask(world, evidence)).kind, "act")
  assert.deepEqual(serverOf(world).server.incidents.quarantined, [])
  rows.commit = commit
  assert.equal((await report(world, evidence)).isNew, true)
})

test("a quarantine survives a restart, and not the loss of its row", async () => {
  const world = await start()
  await report(world, equivocationBy(world.cluster, 3))
  const [row] = await serverOf(world).store.scan("incidents", "", "", 9)
  const again = await restart(world.cluster, 1)
  assert.deepEqual(again.server.incidents.quarantined, [3])
  assert.equal(again.server.counters.quarantined, 1)
  const { id, version } = row!
  await again.store.commit([{ kind: "take", table: "incidents", id, version }])
  const restored = await restart(world.cluster, 1, { condition: "restored" })
  assert.deepEqual(restored.server.incidents.quarantined, [])
})

test("evidence against a server itself is noted and told, and it goes on serving", async () => {
  const world = await start()
  const told: string[] = []
  const event = (name: string) => told.push(name)
  Object.assign(serverOf(world).deps, { events: { event } })
  const receipt = await report(world, equivocationBy(world.cluster, 1))
  assert.deepEqual(receipt, { number: 1, isNew: true, quarantined: [] })
  assert.deepEqual(told, ["evidence-against-this-server"])
  const { server } = serverOf(world)
  assert.deepEqual(server.incidents.quarantined, [])
  server.incidents.checkNone([1, 2, 3])
  assert.deepEqual([...server.counters.incidents()], [["against-self", 1]])
  assert.equal((await list(world))[0]?.state, "noted")
})

test("pairs are noted, and with as many others as it takes to sign they prove a culprit", async () => {
  const world = await start({ servers: 5, minSigners: 3 })
  const { incidents, counters } = serverOf(world).server
  const { store } = serverOf(world)
  const edge = (a: number, b: number) => {
    const evidence = new Uint8Array([a, b])
    const reason = "pairwise-fault"
    return { evidence, digest: sha256(evidence), servers: [a, b], reason }
  }
  const record = async (a: number, b: number) => {
    const recording = incidents.record([edge(a, b)], "reported")
    await store.commit(recording.changes)
    recording.committed()
    recording.release()
    return recording.incidents.map(({ number, servers }) => [number, ...servers])
  }
  assert.deepEqual(await record(4, 2), [[1, 4, 2]])
  assert.deepEqual(incidents.record([edge(2, 4)], "own").incidents, [], "either way round")
  assert.deepEqual(await record(5, 4), [[2, 5, 4]])
  assert.deepEqual(incidents.quarantined, [])
  incidents.checkNone([2, 4, 5])
  assert.deepEqual(await record(4, 3), [
    [3, 4, 3],
    [4, 4],
  ])
  assert.deepEqual(incidents.quarantined, [4])
  assert.deepEqual(incidents.byNumber(4)?.pairs, [1, 2, 3])
  assert.deepEqual(
    [...counters.incidents()],
    [
      ["disputed", 3],
      ["proven", 1],
    ],
  )
  const again = await restart(world.cluster, 1)
  assert.deepEqual(again.server.incidents.quarantined, [4])
  // Cleared, the pairs it rested on count no more.
  const cleared = await again.server.incidents.clear(4, "new hardware")
  assert.ok(cleared)
  assert.equal(cleared.incidents.length, 4)
  await again.store.commit(cleared.changes)
  cleared.committed()
  cleared.release()
  assert.deepEqual(again.server.incidents.quarantined, [])
  const next = again.server.incidents.record([edge(4, 1)], "own")
  assert.deepEqual(
    next.incidents.map(({ servers }) => servers),
    [[4, 1]],
  )
})

test("records are bounded: one for each pair, a few for each culprit", async () => {
  const world = await start()
  const { incidents } = serverOf(world).server
  const proofs = Array.from({ length: MAX_REASONS + 5 }, (_, i) => {
    const evidence = new Uint8Array([i])
    return { evidence, digest: sha256(evidence), servers: [2], reason: `reason-${i}` }
  })
  for (const proof of proofs) {
    const recording = incidents.record([proof], "reported")
    recording.committed()
    recording.release()
  }
  assert.equal(incidents.all().length, MAX_REASONS)
})

test("what is cleared works again, and only evidence that was not known then changes that", async () => {
  const world = await start()
  const { server, store } = serverOf(world)
  const first = equivocationBy(world.cluster, 3, { session: 1 })
  const second = equivocationBy(world.cluster, 3, { session: 2 })
  const clear = async (incidents = server.incidents) => {
    const recording = await incidents.clear(1, "repaired")
    assert.ok(recording)
    await store.commit(recording.changes)
    recording.committed()
    recording.release()
  }
  await report(world, first)
  await report(world, second)
  await clear()
  assert.deepEqual(server.incidents.quarantined, [])
  server.incidents.checkNone([3])
  assert.equal((await list(world))[0]?.state, "cleared")
  assert.equal(await server.incidents.clear(1, "again"), null)
  const judged = judgeEvidence(serverOf(world).self, second)
  assert.ok(judged.valid)
  assert.deepEqual(server.incidents.record([judged.proof], "own").incidents, [])
  assert.equal(await server.incidents.clear(7, "unknown"), null)
  const restarted = await restart(world.cluster, 1)
  assert.deepEqual(restarted.server.incidents.quarantined, [])
  const after = { ...world, session: await world.owner.resume(restarted) }
  for (const evidence of [first, second]) {
    const receipt = await report(after, evidence)
    assert.deepEqual(receipt, { number: 1, isNew: false, quarantined: [] })
  }
  const third = equivocationBy(world.cluster, 3, { session: 3 })
  assert.deepEqual(await report(after, third), { number: 1, isNew: true, quarantined: [3] })
  assert.deepEqual(restarted.server.incidents.quarantined, [3])
})

test("a listing is paged by number and shows no evidence", async () => {
  const world = await start({ servers: 4 })
  await report(world, equivocationBy(world.cluster, 3))
  await report(world, equivocationBy(world.cluster, 4))
  assert.deepEqual(
    (await list(world, 1)).map(({ number, servers }) => [number, ...servers]),
    [[2, 4]],
  )
  for (const limit of [0, 65]) {
    const body = encode(listIncidentsBody, { after: 0, limit })
    const request = world.owner.sign(world.owner.request("incidents.list", body))
    const answer = await world.session.call({ kind: "act", request, step: 1, input: EMPTY })
    assert.ok(answer.kind === "refused")
    const { code, field } = LockKeeperError.fromBody(answer.error)
    assert.equal(`${code} ${field}`, "invalid-request body.limit")
  }
  const shown = JSON.stringify((await list(world)).map((one) => toHex(one.evidence)))
  assert.ok(shown.length < 200)
})
