import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type BulkStepOutput,
  bulkStepOutput,
  eventCodec,
  identityKeys,
  LockKeeperError,
  reportIncidentBody,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { verifyEvidence } from "@lockkeeper/protocols"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import type { Incident } from "../src/incidents/incidents.ts"
import { type RowChange, StoreUnavailable } from "../src/ports/row-store.ts"
import { MAX_UNFINISHED_CHECKS } from "../src/presigning/ot-checks.ts"
import { pairId } from "../src/presigning/pairs.ts"
import {
  actAt,
  allComplete,
  at,
  type EcdsaWorld,
  inputFor,
  type Outputs,
  prepareSet,
  presignAt,
  presignRequest,
  refusal,
  runBulk,
  setUpPairs,
  setupRequest,
  signEcdsaWith,
  startEcdsa,
  statusAt,
} from "./ecdsa-flows.ts"
import { createKey } from "./flows.ts"
import { restart } from "./memory-cluster.ts"

const DEAD = "permission-denied body.signers"

/** Offset in the encoded row: a tag, then the digest of 32 bytes; 2 048 bytes for each choice follow. */
const SEEDS = 33

/**
 * Has one server use other base transfers with a peer than it agreed on, under the same digest: what
 * it sends then is wrong and signed, as a corrupt server's would be.
 */
async function corrupt(world: EcdsaWorld, server: Identifier, peer: Identifier): Promise<void> {
  const { store } = at(world.sessions, server).to
  const id = pairId(1, peer)
  const row = await store.read("pairs", id)
  assert.ok(row)
  const { value, version: ifVersion } = row
  for (let i = SEEDS; i < SEEDS + 4096; i++) value[i] = (value[i] as number) ^ 0x55
  await store.commit([{ kind: "put", table: "pairs", id, ifVersion, value }])
}

async function stateAt(world: EcdsaWorld, server: Identifier, peer: Identifier) {
  return (await statusAt(world, server)).pairs.find((pair) => pair.peer === peer)?.state
}

type Aborted = Extract<BulkStepOutput, { kind: "aborted" }>

function abortedIn(outputs: Outputs): readonly Aborted[] {
  return [...outputs.values()].filter((output) => output.kind === "aborted")
}

async function lastEvents(world: EcdsaWorld, server: Identifier, count: number) {
  const { store } = at(world.sessions, server).to
  const end = (await store.logPosition())?.index ?? 0
  const entries = await store.entries(end - count + 1, count)
  return entries.map(({ event }) => decode(eventCodec, event))
}

test("a pair whose check failed is dead at both ends, for every key, and stays dead", async () => {
  const world = await startEcdsa()
  await corrupt(world, 2, 1)
  await presignAt(world, [1, 3])
  const aborted = await accusation(world)
  assert.ok(aborted.kind === "aborted")
  assert.equal(aborted.reason, "pairwise-fault")
  assert.deepEqual(aborted.culprits, [])
  assert.deepEqual([...(aborted.pair ?? [])].sort(), [1, 2])
  assert.equal(aborted.evidence.length, 1)
  const verdict = verifyEvidence(
    aborted.evidence[0] as Bytes,
    identityKeys(world.owner.cluster.roster),
  )
  assert.ok(verdict.valid)
  for (const [server, peer] of [
    [1, 2],
    [2, 1],
  ] as const) {
    assert.equal(await stateAt(world, server, peer), "dead")
    assert.equal(await stateAt(world, server, 3), "live")
  }
  assert.equal(await refusal(presignAt(world, [1, 2])), DEAD)
  const other = await createKey(world.owner, [...world.sessions.values()], "ecdsa-secp256k1")
  const second = { ...world, certificate: other }
  assert.equal(await refusal(presignAt(second, [1, 2])), DEAD)
  // A new setup of all leaves it dead, and restarts do not bring it back.
  await setUpPairs(world)
  assert.equal(await stateAt(world, 1, 2), "dead")
  for (const condition of ["unclean", "restored"] as const) {
    const to = await restart(world.owner.cluster, 1, { condition })
    const sessions = new Map([...world.sessions, [1, await world.owner.resume(to)]])
    const restarted: EcdsaWorld = { ...world, sessions }
    assert.equal(await stateAt(restarted, 1, 2), "dead")
    await setUpPairs(restarted)
    assert.equal(await refusal(presignAt(restarted, [1, 2])), DEAD)
    await presignAt(restarted, [1, 3])
    await presignAt(restarted, [2, 3])
    await signEcdsaWith(restarted, await prepareSet(restarted, [1, 3]))
  }
})

/** Server 1 accuses server 2, which hears of it. */
async function accusation(world: EcdsaWorld): Promise<BulkStepOutput> {
  const request = presignRequest(world, [1, 2])
  const { outputs } = await runBulk(world.sessions, [1, 2], request, { last: 2 })
  assert.equal(await stateAt(world, 1, 2), "dead")
  assert.equal(await stateAt(world, 2, 1), "live")
  const own = actAt(at(world.sessions, 1), request, 3, inputFor(1, outputs))
  assert.equal(await refusal(own), DEAD)
  const heard = await actAt(at(world.sessions, 2), request, 3, inputFor(2, outputs))
  return decode(bulkStepOutput, heard)
}

test("the log of both ends names the pair in the step that ended it", async () => {
  const world = await startEcdsa()
  await corrupt(world, 2, 1)
  const told: unknown[] = []
  for (const server of [1, 2]) {
    const event = (name: string, fields: object) => told.push({ server, name, ...fields })
    Object.assign(at(world.sessions, server).to.deps, { events: { event } })
  }
  await accusation(world)
  const dead = { name: "pair-dead", reason: "pairwise-fault" }
  assert.deepEqual(told, [
    { server: 1, ...dead, peer: 2 },
    { server: 2, ...dead, peer: 1 },
    { server: 2, name: "pair-disputed", number: 1, servers: "1,2", reason: "pairwise-fault" },
  ])
  const named: Identifier[] = []
  const recorded: unknown[] = []
  for (const server of [1, 2]) {
    for (const event of await lastEvents(world, server, 5)) {
      const { operation, outcome, reason, pair, incidents } = event
      if (operation !== "presign" || outcome === "done" || reason === "permission-denied") continue
      assert.equal(outcome, "aborted")
      assert.equal(reason, "pairwise-fault")
      assert.deepEqual([...(pair ?? [])].sort(), [1, 2])
      named.push(server)
      recorded.push(...incidents.map(({ number, evidence }) => ({ server, number, evidence })))
    }
  }
  // The accuser's own message is no proof yet; with the proof, the record is in the same commit.
  const [{ digest }] = at(world.sessions, 2).to.server.incidents.all() as [Incident]
  assert.deepEqual(recorded, [{ server: 2, number: 1, evidence: digest }])
  const rows = await at(world.sessions, 2).to.store.scan("incidents", "", "", 9)
  assert.equal(rows.length, 1)
  assert.deepEqual([...new Set(named)], [1, 2])
})

test("an end that was not told of the accusation buries its pair when evidence is reported", async () => {
  const world = await startEcdsa({ minSigners: 3 })
  await corrupt(world, 2, 1)
  const request = presignRequest(world, [1, 2, 3])
  const { outputs } = await runBulk(world.sessions, [1, 2, 3], request, { last: 2 })
  const third = await actAt(at(world.sessions, 3), request, 3, inputFor(3, outputs))
  const [aborted] = abortedIn(new Map([[3, decode(bulkStepOutput, third)]]))
  const [evidence] = aborted?.evidence ?? []
  assert.ok(evidence)
  assert.equal(await stateAt(world, 2, 1), "live")
  const body = encode(reportIncidentBody, { evidence })
  const report = world.owner.sign(world.owner.request("incidents.report", body))
  await actAt(at(world.sessions, 2), report)
  assert.equal(await stateAt(world, 2, 1), "dead")
  assert.equal(await stateAt(world, 2, 3), "live")
  // Whose pair it is not, only takes note.
  assert.equal(await stateAt(world, 3, 1), "live")
  assert.deepEqual(at(world.sessions, 2).to.server.incidents.quarantined, [])
})

test("messages that a coordinator alters or withholds kill no pair", async () => {
  const world = await startEcdsa()
  for (let step = 2; step <= 5; step++) {
    const { outputs } = await runBulk(world.sessions, [1, 2], presignRequest(world, [1, 2]), {
      tamper: (at, to, messages) => {
        if (at !== step || to !== 1) return messages
        return new Map(
          [...messages].map(([from, message]) => {
            const sealed = new Map([...message.sealed].map(([r, part]) => [r, flip(part)]))
            return [from, { ...message, sealed, broadcast: flip(message.broadcast) }]
          }),
        )
      },
    })
    for (const { culprits, pair } of abortedIn(outputs)) {
      assert.deepEqual(culprits, [])
      assert.equal(pair, null)
    }
    assert.ok(abortedIn(outputs).length > 0, `step ${step}`)
  }
  assert.equal(await stateAt(world, 1, 2), "live")
  assert.equal(await stateAt(world, 2, 1), "live")
  await presignAt(world, [1, 2])
})

function flip(bytes: Bytes): Bytes {
  const flipped = bytes.slice()
  if (flipped.length > 0) flipped[0] = (flipped[0] as number) ^ 1
  return flipped
}

test("pairs that were set up at one end only are set up again, and nobody is blamed", async () => {
  const world = await startEcdsa()
  const { store } = at(world.sessions, 2).to
  const id = pairId(1, 1)
  const row = await store.read("pairs", id)
  assert.ok(row)
  await store.commit([{ kind: "take", table: "pairs", id, version: row.version }])
  assert.equal(await stateAt(world, 2, 1), "none")
  assert.equal(await refusal(presignAt(world, [1, 2])), "out-of-order body.signers")
  // The last step reaches server 1 alone, so that both ends have one, and not the same.
  const request = setupRequest(world.owner, [1, 2])
  const { outputs } = await runBulk(world.sessions, [1, 2], request, { last: 3 })
  await actAt(at(world.sessions, 1), request, 4, inputFor(1, outputs))
  const absent = await store.read("pairs", id)
  assert.equal(absent, null)
  await store.commit([
    { kind: "put", table: "pairs", id, ifVersion: "absent", value: row.value.slice() },
  ])
  const mixed = await runBulk(world.sessions, [1, 2], presignRequest(world, [1, 2]))
  assert.deepEqual(
    abortedIn(mixed.outputs).map(({ reason, pair }) => [reason, pair]),
    [
      ["wrong-setup", null],
      ["wrong-setup", null],
    ],
  )
  // Each has given up its own, so that both ends ask for a new one.
  assert.equal(await refusal(presignAt(world, [1, 2])), "out-of-order body.signers")
  await setUpPairs(world, [1, 2])
  await presignAt(world, [1, 2])
})

test("a setup that another one overtook is not kept", async () => {
  const world = await startEcdsa()
  for (const server of [1, 2]) {
    const { store } = at(world.sessions, server).to
    const id = pairId(1, server === 1 ? 2 : 1)
    const row = await store.read("pairs", id)
    await store.commit([{ kind: "take", table: "pairs", id, version: row?.version ?? 0 }])
  }
  const [slow, fast] = [setupRequest(world.owner, [1, 2]), setupRequest(world.owner, [1, 2])]
  const late = (await runBulk(world.sessions, [1, 2], slow, { last: 3 })).outputs
  allComplete((await runBulk(world.sessions, [1, 2], fast)).outputs)
  for (const server of [1, 2]) {
    const last = actAt(at(world.sessions, server), slow, 4, inputFor(server, late))
    assert.equal(await refusal(last), "conflict body.participants")
  }
  await presignAt(world, [1, 2])
})

test("a pair that is set up again ends the batches that were begun with the old one", async () => {
  const world = await startEcdsa()
  for (const last of [1, 2]) {
    const request = presignRequest(world, [1, 2])
    const { outputs } = await runBulk(world.sessions, [1, 2], request, { last })
    const { store } = at(world.sessions, 2).to
    const id = pairId(1, 1)
    const version = (await store.read("pairs", id))?.version ?? 0
    await store.commit([{ kind: "take", table: "pairs", id, version }])
    await setUpPairs(world, [1, 2])
    for (const server of [1, 2]) {
      const next = actAt(at(world.sessions, server), request, last + 1, inputFor(server, outputs))
      assert.equal(await refusal(next), "conflict body.signers")
    }
  }
  assert.equal(await stateAt(world, 1, 2), "live")
  await presignAt(world, [1, 2])
})

/** Rows of a process that dies at the commit after the one that counts a check. */
class DyingRows extends MemoryRowStore {
  armed = false
  #dying = false

  override async commit(batch: readonly RowChange[]) {
    if (this.#dying) throw new StoreUnavailable("the process is dead")
    const counts = batch.some((change) => change.kind === "put" && change.table === "ot-checks")
    if (this.armed && counts) this.#dying = true
    return super.commit(batch)
  }

  revive(): void {
    this.#dying = false
    this.armed = false
  }
}

test("checks that were begun and never ended count against the pair, and end it", async () => {
  const rows = new DyingRows()
  let world = await startEcdsa({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  const { store } = at(world.sessions, 1).to
  for (let died = 1; died <= MAX_UNFINISHED_CHECKS; died++) {
    const request = presignRequest(world, [1, 2])
    const { outputs } = await runBulk(world.sessions, [1, 2], request, { last: 1 })
    rows.armed = true
    const checking = actAt(at(world.sessions, 1), request, 2, inputFor(1, outputs))
    assert.equal(await refusal(checking), "unavailable ")
    rows.revive()
    assert.equal((await store.scan("ot-checks", "", "", 256)).length, died)
    const to = await restart(world.owner.cluster, 1)
    const session = await world.owner.resume(to)
    world = { ...world, sessions: new Map([...world.sessions, [1, session]]) }
    const expected = died === MAX_UNFINISHED_CHECKS ? "dead" : "live"
    assert.equal(await stateAt(world, 1, 2), expected, `${died} deaths`)
    assert.equal(await stateAt(world, 1, 3), "live")
  }
  assert.equal(await refusal(presignAt(world, [1, 2])), DEAD)
  await presignAt(world, [1, 3])
})

test("a check that ended counts for nothing", async () => {
  const world = await startEcdsa()
  await presignAt(world, [1, 2])
  const request = presignRequest(world, [1, 2])
  const { outputs } = await runBulk(world.sessions, [1, 2], request, { last: 2 })
  assert.equal(outputs.size, 2)
  for (const server of [1, 2]) {
    const { store } = at(world.sessions, server).to
    assert.deepEqual(await store.scan("ot-checks", "", "", 256), [])
  }
})

test("a check that no thread was free for counts for nothing", async () => {
  const world = await startEcdsa()
  const { deps } = at(world.sessions, 1).to
  const { compute } = deps
  for (const [code, counted] of [
    ["rate-limited", 0],
    ["unavailable", 1],
  ] as const) {
    const busy = async () => {
      throw new LockKeeperError(code, "no thread")
    }
    const again = presignRequest(world, [1, 2])
    const opened = await runBulk(world.sessions, [1, 2], again, { last: 1 })
    Object.assign(deps, { compute: { work: busy } })
    const checking = actAt(at(world.sessions, 1), again, 2, inputFor(1, opened.outputs))
    assert.equal(await refusal(checking), `${code} `)
    Object.assign(deps, { compute })
    // Of a thread that died nobody can say what it had computed.
    assert.equal((await deps.store.scan("ot-checks", "", "", 9)).length, counted)
  }
  await presignAt(world, [1, 2])
})

/** Rows that lose every batch that would end a pair. */
class ForgetfulRows extends MemoryRowStore {
  losing = false

  override async commit(batch: readonly RowChange[]) {
    const ends = batch.some((change) => change.kind === "put" && change.table === "pairs")
    if (this.losing && ends) throw new StoreUnavailable("lost")
    return super.commit(batch)
  }
}

test("a database that loses the news of a dead pair does not bring it back", async () => {
  const rows = new ForgetfulRows()
  const world = await startEcdsa({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  await corrupt(world, 2, 1)
  rows.losing = true
  const request = presignRequest(world, [1, 2])
  const { outputs } = await runBulk(world.sessions, [1, 2], request, { last: 1 })
  const checking = actAt(at(world.sessions, 1), request, 2, inputFor(1, outputs))
  assert.equal(await refusal(checking), "unavailable ")
  assert.equal(await refusal(presignAt(world, [1, 2])), DEAD)
  rows.losing = false
  const { server, store } = at(world.sessions, 1).to
  await server.tidy()
  await restart(world.owner.cluster, 1)
  assert.equal((await store.scan("ot-checks", "", "", 256)).length, 0)
  const to = await restart(world.owner.cluster, 1)
  const sessions = new Map([...world.sessions, [1, await world.owner.resume(to)]])
  assert.equal(await stateAt({ ...world, sessions }, 1, 2), "dead")
})
