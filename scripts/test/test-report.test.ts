import assert from "node:assert/strict"
import { test } from "node:test"
import { createReport, summaryLines } from "../test-report.ts"

const file = "/repo/a.test.ts"
const silence = { write: () => true }

function run(events: { type: string; data: object }[]) {
  const report = createReport(silence, (name) => name)
  for (const event of events) report.add(event)
  return summaryLines(report.result(), 1, false)
}

const passed = {
  type: "test:complete",
  data: {
    name: "holds",
    file,
    entryFile: file,
    details: { type: "test", duration_ms: 1, passed: true },
  },
}
const failed = {
  type: "test:complete",
  data: {
    name: "breaks",
    file,
    entryFile: file,
    details: {
      type: "test",
      passed: false,
      duration_ms: 1,
      error: new Error("x", { cause: new Error("1 != 2") }),
    },
  },
}
const end = (passed: boolean) => ({
  type: "test:complete",
  data: { name: file, file, details: { type: "test", duration_ms: 2, passed } },
})

test("a run in which a test passed is a pass and says how many ran", () => {
  const { ok, lines } = run([passed, end(true)])
  assert.equal(ok, true)
  assert.deepEqual(lines.slice(-2), [
    "1 tests ran in 1 files, of which 0 crashed",
    "tests: 1 passed, 0 failed, 0 skipped",
  ])
})

test("a failing test fails the run and its cause is printed", () => {
  const { ok, lines } = run([passed, failed, end(false)])
  assert.equal(ok, false)
  assert.match(lines.join("\n"), /1 != 2/)
})

test("a file in which no test ran fails the run", () => {
  const { ok, lines } = run([end(true)])
  assert.equal(ok, false)
  assert.ok(lines.includes("FAILED: no test ran"))
})

test("a process that dies without a failing test fails the run", () => {
  const { ok, lines } = run([passed, end(false)])
  assert.equal(ok, false)
  assert.match(lines.at(-2) ?? "", /1 crashed/)
})

test("a file that never reported fails the run", () => {
  assert.equal(run([]).ok, false)
})

test("a skipped test is named with its reason and is not counted as run", () => {
  const skip = { ...passed, data: { ...passed.data, skip: "no Chromium" } }
  const { lines } = run([passed, skip, end(true)])
  assert.ok(lines.includes("skipped: holds: no Chromium"))
  assert.equal(lines.at(-1), "tests: 1 passed, 0 failed, 1 skipped")
})

test("a suite that is skipped as a whole is named, and its file does not count as silent", () => {
  const { data } = passed
  const details = { ...data.details, type: "suite" }
  const suite = { ...passed, data: { ...data, details, skip: "no strace" } }
  const other = {
    ...passed,
    data: { ...data, file: "/repo/b.test.ts", entryFile: "/repo/b.test.ts" },
  }
  const { ok, lines } = run([suite, other, end(true)])
  assert.ok(lines.includes("skipped: holds: no strace"))
  assert.equal(ok, true)
})
