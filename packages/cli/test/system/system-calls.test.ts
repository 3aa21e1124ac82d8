import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { sha512 } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { Bench } from "./system-calls/bench.ts"
import { isSync } from "./system-calls/calls.ts"
import { type Case, casesOf, FAULTS, runCase, traced } from "./system-calls/cases.ts"
import { checkBlame, checkNonces, checkService, examineStore } from "./system-calls/examination.ts"
import {
  atSyncs,
  cutPower,
  goOnAfterCut,
  type Recording,
  record,
  unknownFiles,
} from "./system-calls/power-cuts.ts"
import { whyNot } from "./system-calls/strace.ts"
import { Tally } from "./system-calls/tally.ts"
import { WORKLOADS } from "./system-calls/workloads.ts"

// How many of the cases run, of which there are some hundreds; "all" for each of them.
const CASES = process.env["LOCKKEEPER_SYSCALLS"] ?? "14"
const SEED = process.env["LOCKKEEPER_SEED"] ?? "system calls"
/** The longest of them is gone by: rows fall on other pages in each, so that no two are the same. */
const RECORDINGS = CASES === "all" ? 3 : 1

const reason = await whyNot()

/** How many of each workload's cases are to end with their call failed. */
const WANTED = CASES === "all" ? Number.POSITIVE_INFINITY : Number(CASES) / WORKLOADS.length

/** A workload's cases in an order that the seed decides. */
function shuffled(cases: readonly Case[]): readonly Case[] {
  const rank = ({ workload, name, ordinal, fault }: Case) => {
    const digest = sha512(utf8(`${SEED}/${workload.name}/${name}/${ordinal}/${fault}`))
    return Buffer.from(digest).toString("hex")
  }
  return [...cases].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
}

describe("the durable system calls of a server", { skip: reason ?? false }, () => {
  const bench = new Bench()
  const recordings = new Map<string, Recording>()
  const answers = new Map<string, Bytes>()
  const tally = new Tally()

  before(() => bench.start())
  after(() => bench.stop())

  for (const workload of WORKLOADS) {
    it(`outlast a power cut: ${workload.name}`, async (t) => {
      const recording = await record(bench, workload)
      recordings.set(workload.name, recording)
      assert.deepEqual(unknownFiles(bench.victim, bench.durableFiles, recording.calls), [])
      const others = CASES === "all" ? 1 : 0.1
      const chosen = atSyncs(`${SEED}/${workload.name}`, others)
      const { images, found, violations } = await cutPower(bench, recording, chosen, SEED)
      assert.deepEqual(violations, [])
      if (CASES === "all" || workload.carriesOver) await goOnAfterCut(bench, recording)
      await bench.running()
      await examineStore(bench, answers)
      await checkService(bench)
      checkBlame(bench)
      t.diagnostic(`${images} power cuts, ${found} acknowledged entries found after them`)
    })
  }

  it("are missed where one is left out: the check of power cuts can fail", async () => {
    const recording = recordings.get("signing") as Recording
    const unsynced = recording.calls.filter((call) => !isSync(call))
    const without = await cutPower(bench, { ...recording, calls: unsynced }, () => false, SEED)
    assert.match(without.violations.join(), /something left the server while .* was not synced/)
    const [first] = recording.calls.filter(({ path }) => bench.durableFiles.includes(path))
    const early = recording.exchanges.map((exchange) => ({
      ...exchange,
      answeredAt: first?.start ?? 0,
    }))
    const hasty = await cutPower(bench, { ...recording, exchanges: early }, isSync, SEED)
    assert.match(hasty.violations.join(), /acknowledged act at/)
  })

  for (const workload of WORKLOADS) {
    it(`may each fail or be the last, and nothing is used twice or lost: ${workload.name}`, async (t) => {
      const cases = await enumerate(workload)
      t.diagnostic(`${cases.length / FAULTS.length} calls`)
      tally.enumerated += cases.length / FAULTS.length
      const before = tally.violations.length
      let failed = 0
      for (const one of shuffled(cases)) {
        if (failed >= WANTED) break
        const result = await runCase(bench, one, answers)
        if (result.ending !== "not reached") failed++
        tally.add(t, one, result)
      }
      assert.deepEqual(tally.violations.slice(before), [])
    })
  }

  it("have all been counted, and each nonce and presignature was used once", async (t) => {
    const nonces = await checkNonces(bench, answers)
    t.diagnostic(`${tally.line}; ${nonces} nonces and presignatures used once`)
    assert.ok(nonces > 0 && tally.of("death") > 0 && tally.of("refusal") > 0)
  })

  /** The longest of some recordings under the same filter as the faults. */
  async function enumerate(workload: (typeof WORKLOADS)[number]): Promise<readonly Case[]> {
    let most: readonly Case[] = []
    for (let n = 0; n < RECORDINGS; n++) {
      const client = await workload.prepare(bench)
      const run = await traced(bench, workload, client, { paths: bench.durableFiles })
      await client?.end()
      assert.equal(run.failure, null)
      await bench.running()
      const cases = casesOf(workload, run.calls)
      if (cases.length > most.length) most = cases
    }
    return most
  }
})
