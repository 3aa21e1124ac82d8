import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { encode, layoutOf, list, struct, u8, u16 } from "@lockkeeper/encoding"
import { LIMITS } from "@lockkeeper/protocols"
import { coverageLines } from "../src/attack/coverage.ts"
import type { Attack, Target } from "../src/attack/harness.ts"
import { judge } from "../src/attack/harness.ts"
import { mutantsOf } from "../src/attack/mutations.ts"
import { runSuite } from "../src/attack/suite.ts"
import { TARGETS } from "../src/attack/targets.ts"

const WHOLE = { sample: null, protocol: "", id: "", list: false }

test("a sample of the suite names who cheats, blames nobody honest and accepts nothing wrong", async () => {
  const said: string[] = []
  const options = { ...WHOLE, sample: 150 }
  const { report, violated } = await runSuite(TARGETS, options, (line) => said.push(line))
  assert.deepEqual(said, [])
  assert.equal(violated, false)
  assert.equal(report.cases, 150)
  assert.ok(report.culpritNamed > 10 && report.pairNamed > 0)
  const { evidence, honestBlamed, wrongAccepted, failures } = report
  assert.deepEqual([honestBlamed, wrongAccepted, failures], [0, 0, []])
  assert.ok(evidence.altered > 1000)
  assert.equal(evidence.accepted, 0)
  assert.ok(evidence.largestFile <= LIMITS.evidence)
})

test("the page about the suite lists its protocols, and each reason for naming nobody once", () => {
  const page = readFileSync(new URL("../../../docs/attack-suite.md", import.meta.url), "utf8")
  const section = page.slice(page.indexOf("## Protocols"), page.indexOf("## Threshold ECDSA"))
  const listed = section.split("\n").filter((line) => /^(\||-|###) ?/.test(line))
  assert.deepEqual(listed, coverageLines(TARGETS))
})

test("every field of an encoding is changed, and lists in their items", () => {
  const codec = struct<{ a: number; items: readonly number[] }>({ a: u16, items: list(u8, 9) })
  const encoded = encode(codec, { a: 5, items: [1, 2, 3] })
  const mutants = mutantsOf({ name: "test", codec, encoded })
  const fields = new Set(layoutOf(codec, encoded).map(({ path }) => path))
  for (const path of fields)
    assert.ok(
      mutants.some(({ field }) => field === path),
      path,
    )
  const changed = (field: string, mutation: string) =>
    mutants.find((m) => m.field === field && m.mutation === mutation)?.encoded
  const of = (items: readonly number[]) => encode(codec, { a: 5, items })
  assert.deepEqual(changed("items.0", "missing"), of([2, 3]))
  assert.deepEqual(changed("items.2", "duplicated"), of([1, 2, 3, 3]))
  assert.deepEqual(changed("items", "reordered"), of([2, 1, 3]))
  assert.deepEqual(changed("items", "missing"), of([]))
  assert.deepEqual(changed("a", "one more"), encode(codec, { a: 6, items: [1, 2, 3] }))
  const distinct = new Set(mutants.map((m) => `${m.field} ${m.encoded}`))
  assert.equal(distinct.size, mutants.length)
})

const about: Omit<Attack, "run"> = {
  ...{ protocol: "none", step: "one", field: "field", mutation: "zero" },
  ...{ by: "sender", sender: 2, victim: "all" },
}
const nothing = { verifyKeys: new Map(), aborts: [], finished: false, accepted: [] }
const target: Target = {
  ...{ protocol: "none", steps: ["one"], attacks: () => [] },
  ...{ harmless: [], unattributable: [] },
}

test("a case that is not expected is a failure, however it ends", async () => {
  const ended = { reason: "wrong-opening", pair: null, evidence: [] } as const
  const cases: [Partial<typeof nothing> & object, RegExp][] = [
    [{ finished: true }, /no known reason/],
    [{ aborts: [{ ...ended, culprits: [] }] as never }, /nobody is named/],
    [{ aborts: [{ ...ended, culprits: [2] }] as never }, /without evidence/],
    [{ aborts: [{ ...ended, culprits: [1] }] as never }, /honest/],
    [{ aborts: [{ ...ended, culprits: [], pair: [1, 3] }] as never }, /honest/],
    [{ finished: true, accepted: ["two keys"] as never }, /two keys/],
  ]
  for (const [verdicts, why] of cases) {
    const result = await judge(target, { ...about, run: () => ({ ...nothing, ...verdicts }) })
    assert.equal(result.outcome, "failure")
    assert.match(result.why, why)
  }
  const bug = { ...about, run: () => assert.fail("a bug") as never }
  assert.match((await judge(target, bug)).why, /threw a bug/)
  const relay = { ...about, by: "relay" as const }
  const named = { ...nothing, aborts: [{ ...ended, culprits: [2] }] }
  assert.equal((await judge(target, { ...relay, run: () => named })).honestBlamed, true)
})
