import assert from "node:assert/strict"
import { test } from "node:test"
import { type Figure, judge } from "../../bench/bench.ts"

const figure: Figure = {
  name: "sign-cpu",
  value: 1,
  unit: "ms",
  baseline: { name: "other", value: 10 },
  target: { of: "ratio", is: "at most", bound: 0.1 },
}

test("a figure carries its ratio to the baseline and whether its target is met", () => {
  const { ratio, target, met } = judge(figure)
  assert.deepEqual({ ratio, target, met }, { ratio: 0.1, target: "ratio <= 0.1", met: true })
  assert.equal(judge({ ...figure, value: 1.001 }).met, false)
  const rate: Figure = { ...figure, target: { of: "value", is: "at least", bound: 100 } }
  assert.equal(judge({ ...rate, value: 99 }).met, false)
  assert.equal(judge({ ...rate, value: 100 }).met, true)
})

test("a target on a ratio without a baseline, or on no number, is not met", () => {
  assert.equal(judge({ ...figure, baseline: null }).met, false)
  const value: Figure = { ...figure, target: { of: "value", is: "at most", bound: 5 } }
  assert.equal(judge({ ...value, value: Number.NaN }).met, false)
})
