import assert from "node:assert/strict"
import { test } from "node:test"
import { type Mode, planOf } from "../src/sim/plan.ts"
import { runSeed } from "../src/sim/run.ts"

/** How many seeds all files together run; LOCKKEEPER_SEEDS raises it. */
const SEEDS = Number(process.env["LOCKKEEPER_SEEDS"] ?? 300)

/** Files that share the seeds, so that they run beside each other. */
export const PARTS = 4

/** As the command line has it: each seed is of one mode. */
function modeOf(seed: number): Mode {
  return seed % 2 === 0 ? "safety" : "liveness"
}

/** One part of the seeds, cheap and expensive ones alike. */
export function testSeeds(part: number): void {
  test(`no seed of part ${part} breaks a promise`, async () => {
    const counts = { runs: 0, ecdsa: 0, signatures: 0 }
    for (let seed = 1 + part; seed <= SEEDS; seed += PARTS) {
      const mode = modeOf(seed)
      const { violations, observed } = await runSeed(seed, mode)
      const again = `npm run sim -- --seed ${seed} --mode ${mode} --story`
      assert.deepEqual(violations, [], again)
      counts.runs += 1
      counts.ecdsa += planOf(seed, mode).ecdsa ? 1 : 0
      counts.signatures += observed.signatures.length
    }
    assert.ok(counts.runs >= Math.floor(SEEDS / PARTS))
    // Servers that refuse everything keep every promise, too.
    assert.ok(counts.signatures > counts.runs, JSON.stringify(counts))
  })
}
