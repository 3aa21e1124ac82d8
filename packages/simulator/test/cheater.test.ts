import assert from "node:assert/strict"
import { test } from "node:test"
import { cheater } from "../src/scenario/cheater.ts"

const operations = Number(process.env["LOCKKEEPER_OPERATIONS"] ?? 105)

test("with one server cheating from the start in every way, everything finishes with one retry at most", async (t) => {
  const outcome = await cheater({ seed: "cheater", operations })
  t.diagnostic(JSON.stringify(outcome))
  assert.deepEqual(outcome.failures, [])
  assert.equal(outcome.finished, outcome.operations)
  assert.equal(outcome.mostRetries, 1)
  assert.equal(outcome.honestBlamed, 0)
  assert.ok(outcome.addedP95Ms <= 2_000)
  // Each way to cheat was tried in earnest, and seen.
  assert.deepEqual(outcome.provenFor, [
    "invalid-partial-signature",
    "invalid-signature-share",
    "wrong-evaluation",
    "wrong-opening",
  ])
})
