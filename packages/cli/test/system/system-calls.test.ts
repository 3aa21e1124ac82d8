import assert from "node:assert/strict"
import { basename } from "node:path"
import { after, before, describe, it, type TestContext } from "node:test"
import { sha512 } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { Bench } from "./system-calls/bench.ts"
import { isSync } from "./system-calls/calls.ts"
import {
  type Case,
  casesOf,
  type Ending,
  type Result,
  runCase,
  traced,
} from "./system-calls/cases.ts"
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
import { WORKLOADS } from "./system-calls/workloads.ts"

// How many of the cases run, of which there are some hundreds; "all" for all of them.
const CASES = process.env["LOCKKEEPER_SYSCALLS"] ?? "12"
const SEED = process.env["LOCKKEEPER_SEED"] ?? "system calls"
/** The longest of them is gone by: rows fall on other pages in each, so that no two are the same. */
const RECORDINGS = CASES === "all" ? 3 : 1

const reason = await whyNot()

/** Some of the cases of every workload, in an order that the seed decides. */
function sampled(cases: readonly Case[]): readonly Case[] {
  if (CASES === "all") return cases
  const rank = (one: Case) => {
    const name = `${SEED}/${one.workload.name}/${one.name}/${one.ordinal}/${one.fault}`
    return Buffer.from(sha512(utf8(name))).toString("hex")
  }
  const share = Math.max(1, Math.floor(Number(CASES) / WORKLOADS.length))
  const shuffled = [...cases].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
  return WORKLOADS.flatMap(({ name }) =>
    shuffled.filter(({ workload }) => workload.name === name).slice(0, share),
  )
}

describe("the durable system calls of a server", { skip: reason ?? false }, () => {
  const bench = new Bench()
  const recordings = new Map<string, Recording>()
  const answers = new Map<string, Bytes>()

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
      await goOnAfterCut(bench, recording)
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

  it("may each fail or be the last: nothing is used twice, nothing acknowledged is lost", async (t) => {
    const cases: Case[] = []
    for (const workload of WORKLOADS) {
      const most = await enumerate(workload)
      t.diagnostic(`${workload.name}: ${most.length / 3} calls`)
      cases.push(...most)
    }
    const tally = new Tally()
    for (const one of sampled(cases)) {
      const result = await runCase(bench, one, answers)
      tally.add(t, one, result)
    }
    const nonces = await checkNonces(bench, answers)
    t.diagnostic(`${cases.length / 3} calls enumerated; ${tally.line}; ${nonces} nonces used once`)
    assert.deepEqual(tally.violations, [])
    assert.ok(tally.of("death") > 0 && tally.of("refusal") > 0)
  })

  /** The longest of some recordings under the same filter as the faults. */
  async function enumerate(workload: (typeof WORKLOADS)[number]): Promise<readonly Case[]> {
    let most: readonly Case[] = []
    for (let n = 0; n < RECORDINGS; n++) {
      const client = await workload.prepare(bench)
      const run = await traced(bench, workload, client, { paths: bench.durableFiles })
      await client?.end()
      assert.equal(run.failure, null)
      if (bench.victim.pid === null) await bench.victim.start(new AbortController().signal)
      const cases = casesOf(workload, run.calls)
      if (cases.length > most.length) most = cases
    }
    return most
  }
})

class Tally {
  readonly violations: string[] = []
  readonly #endings = new Map<Ending, number>()
  #replays = 0

  of(ending: Ending): number {
    return this.#endings.get(ending) ?? 0
  }

  add(t: TestContext, { workload, name, ordinal, fault }: Case, result: Result): void {
    const { ending, path, violations, replays } = result
    this.#endings.set(ending, this.of(ending) + 1)
    this.#replays += replays
    const file = path === "" ? "" : ` of ${basename(path)}`
    const what = `${workload.name}: ${fault} at ${name} ${ordinal}${file}`
    t.diagnostic(`${what}: ${ending}${violations.length > 0 ? `, ${violations.join("; ")}` : ""}`)
    this.violations.push(...violations.map((violation) => `${what}: ${violation}`))
  }

  get line(): string {
    const cases = [...this.#endings.values()].reduce((sum, count) => sum + count, 0)
    const endings = [...this.#endings].map(([ending, count]) => `${count} ${ending}`)
    return `${cases} cases (${endings.join(", ")}), ${this.#replays} second shares refused, ${this.violations.length} violations`
  }
}
