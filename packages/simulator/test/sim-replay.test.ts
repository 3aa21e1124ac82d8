import assert from "node:assert/strict"
import { test } from "node:test"
import { planOf } from "../src/sim/plan.ts"
import { runSeed } from "../src/sim/run.ts"

test("one seed gives one trace, with whatever faults and cheaters it stands for", async () => {
  // The last one makes ECDSA keys.
  const ecdsa = Array.from({ length: 200 }, (_, i) => i + 1).find((seed) => {
    return planOf(seed, "liveness").ecdsa
  })
  const hashes = new Set<string>()
  for (const seed of [1, 2, ecdsa ?? 0]) {
    const [one, again] = [await runSeed(seed, "liveness"), await runSeed(seed, "liveness")]
    assert.equal(again.traceHash, one.traceHash)
    assert.deepEqual(again.counts, one.counts)
    hashes.add(one.traceHash)
  }
  assert.equal(hashes.size, 3)
  assert.notEqual((await runSeed(1, "safety")).traceHash, (await runSeed(1, "liveness")).traceHash)
})
