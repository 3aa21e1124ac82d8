import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { ReplayWindow } from "@lockkeeper/api"
import fc from "fast-check"

const WIDTH = 1024

/** The specification: every counter once, none that lies 1024 or more below the highest. */
function model() {
  const seen = new Set<number>()
  let highest = -1
  return (counter: number): boolean => {
    if (counter <= highest - WIDTH || seen.has(counter)) return false
    seen.add(counter)
    highest = Math.max(highest, counter)
    return true
  }
}

describe("the replay window", () => {
  it("accepts exactly what the specification accepts, in any order", () => {
    const step = fc.oneof(
      fc.integer({ min: 0, max: 3000 }),
      fc.integer({ min: 0, max: 50 }),
      fc.constantFrom(0, 1, 1023, 1024, 1025, 2047, 2048, 2049),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (counters) => {
        const window = new ReplayWindow()
        const expected = model()
        for (const counter of counters) assert.equal(window.accept(counter), expected(counter))
      }),
      { numRuns: 500 },
    )
  })

  it("accepts each counter of a long session once, wherever it jumps", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 200 }),
        (jumps) => {
          const window = new ReplayWindow()
          let counter = 0
          for (const jump of jumps) {
            counter += jump
            assert.equal(window.accept(counter), true)
            assert.equal(window.accept(counter), false)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it("accepts the oldest counter inside the window and not the next older", () => {
    const window = new ReplayWindow()
    assert.equal(window.accept(5000), true)
    assert.equal(window.accept(5000 - WIDTH), false)
    assert.equal(window.accept(5000 - WIDTH + 1), true)
    assert.equal(window.accept(5000 - WIDTH + 1), false)
  })

  it("refuses what is no counter, and is unchanged by it", () => {
    const window = new ReplayWindow()
    for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      assert.equal(window.accept(bad), false)
    }
    assert.equal(window.accept(0), true)
  })
})
