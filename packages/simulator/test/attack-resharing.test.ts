import assert from "node:assert/strict"
import { test } from "node:test"
import { type Attack, type CaseResult, idOf, judge, type Target } from "../src/attack/harness.ts"
import { REPAIR_TARGETS } from "../src/attack/repair/targets.ts"
import { RESHARE_TARGETS } from "../src/attack/reshare/targets.ts"
import { seeded } from "../src/attack/seeded.ts"

// A sample that depends on the names of cases alone; all of them run by `npm run attack`.

const ONE_OF = 60

function isChosen(attack: Attack): boolean {
  return new DataView(seeded(`ci/${idOf(attack)}`, 4).buffer).getUint32(0) % ONE_OF === 0
}

/** Runs the chosen cases, of which none may end otherwise than it has to. */
async function sampled(target: Target): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = []
  for await (const attack of target.attacks()) {
    if (!isChosen(attack)) continue
    const result = await judge(target, attack)
    assert.notEqual(result.outcome, "failure", `${idOf(result)}: ${result.why} (${result.reason})`)
    results.push(result)
  }
  return results
}

for (const make of [...RESHARE_TARGETS, ...REPAIR_TARGETS]) {
  const target = make()
  const name = target.protocol
  test(`${name}: whoever lies is named, and what names nobody has a reason`, async () => {
    const results = await sampled(target)
    const named = results.filter(({ outcome }) => outcome === "culprit")
    assert.ok(results.length > 20 && named.length > 1, `${results.length}, ${named.length}`)
    const steps = new Set(results.map(({ step }) => step))
    for (const step of target.steps.slice(0, 3)) assert.ok(steps.has(step), step)
  })
}
