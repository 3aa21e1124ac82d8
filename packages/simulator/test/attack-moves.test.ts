import assert from "node:assert/strict"
import { test } from "node:test"
import { type Attack, idOf, judge, type Target } from "../src/attack/harness.ts"
import { MOVE_TARGETS } from "../src/attack/moves/target.ts"
import { rosterTarget } from "../src/attack/roster/target.ts"
import { seeded } from "../src/attack/seeded.ts"

// A sample that depends on the names of cases alone; all of them run by `npm run attack`.

function isChosen(attack: Attack, oneOf: number): boolean {
  return new DataView(seeded(`ci/${idOf(attack)}`, 4).buffer).getUint32(0) % oneOf === 0
}

/** Runs the chosen cases, of which none may end otherwise than it has to. Counts their outcomes. */
async function sampled(target: Target, oneOf: number): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  const steps = new Set<string>()
  for await (const attack of target.attacks()) {
    // Of forks there are two cases.
    if (attack.step !== "fork" && !isChosen(attack, oneOf)) continue
    const result = await judge(target, attack)
    assert.notEqual(result.outcome, "failure", `${idOf(result)}: ${result.why} (${result.reason})`)
    counts.set(result.outcome, (counts.get(result.outcome) ?? 0) + 1)
    steps.add(result.step)
  }
  for (const step of target.steps) assert.ok(steps.has(step), step)
  return counts
}

for (const make of MOVE_TARGETS) {
  const target = make()
  test(`${target.protocol}: what is asked or told otherwise is refused, or ends as it should`, async () => {
    const counts = await sampled(target, 50)
    assert.ok((counts.get("unattributable") ?? 0) > 10 && (counts.get("harmless") ?? 0) > 3)
  })
}

test("a roster in transition that was altered, or that none may be, is not followed", async () => {
  const counts = await sampled(rosterTarget(), 40)
  assert.ok((counts.get("unattributable") ?? 0) > 30 && (counts.get("harmless") ?? 0) > 2)
})
