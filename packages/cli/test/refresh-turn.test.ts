import assert from "node:assert/strict"
import { test } from "node:test"
import { RefreshStart } from "../src/refresh-start.ts"
import { dueBefore, othersAtWork, pauseMs } from "../src/refresh-turn.ts"
import { temporaryDirectory, writeSecret } from "./support.ts"

const HOUR_MS = 3_600_000
const turn = { refreshHours: 10, members: [5, 1, 3], intervalMs: 600_000 }

test("daemons stand in for each other, one after the other, and who is first changes", () => {
  const first: number[] = []
  for (let period = 0; period < 3; period++) {
    const now = (period * 10 + 3) * HOUR_MS
    const ages = [1, 3, 5].map((server) => now - dueBefore(now, { ...turn, server }))
    // Nobody works before the time is over; each next one two looks later.
    const inTurn = [0, 1_200_000, 2_400_000].map((later) => 10 * HOUR_MS + later)
    assert.deepEqual([...ages].sort(), inTurn)
    first.push(ages.indexOf(10 * HOUR_MS))
  }
  assert.deepEqual(first, [0, 1, 2])
})

test("another operator's work is left to them, one's own is gone on with", () => {
  const now = 50 * HOUR_MS
  const at = (lastRun: number | null, ownAt: number) =>
    othersAtWork({ lastRun }, { now, ownAt, intervalMs: 600_000 })
  assert.equal(at(null, 0), false)
  assert.equal(at(now - 599_000, 0), true)
  assert.equal(at(now - 601_000, 0), false)
  assert.equal(at(now - 1_000, now - 2_000), false)
  assert.equal(at(now - 1_000, now - 120_000), true)
})

test("pauses grow with failures up to a bound, and are never quite the same", () => {
  assert.equal(pauseMs(1000, 0, 0), 750)
  assert.equal(pauseMs(1000, 0, 0.999), 1250)
  assert.equal(pauseMs(1000, 1, 0.5), 2000)
  assert.equal(pauseMs(1000, 4, 0.5), 16_000)
  assert.equal(pauseMs(1000, 400, 0.5), 16_000)
})

test("a refresh that was stopped is gone on with for a week, and nothing else is", (t) => {
  const directory = temporaryDirectory(t)
  const start = new RefreshStart(directory)
  const now = 1_000 * HOUR_MS
  assert.equal(start.read(now), null)
  start.write(now - HOUR_MS)
  assert.equal(start.read(now), now - HOUR_MS)
  assert.equal(start.read(now + 167 * HOUR_MS), now - HOUR_MS)
  assert.equal(start.read(now + 168 * HOUR_MS), null)
  assert.equal(start.read(now - 2 * HOUR_MS), null)
  for (const text of ["", "soon\n", "12", "-5\n", "1e9\n"]) {
    writeSecret(directory, "refresh-started", text)
    assert.equal(start.read(now), null, text)
  }
  start.remove()
  start.remove()
  assert.equal(start.read(now), null)
})
