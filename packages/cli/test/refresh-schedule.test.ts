import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import type { RefreshOptions, RefreshPlan, RefreshReport } from "@lockkeeper/client/operator"
import { type Refreshing, Schedule } from "../src/refresh-schedule.ts"
import { resolveSettings } from "../src/settings.ts"
import { testHost } from "./support.ts"

const HOUR_MS = 3_600_000
const turn = { refreshHours: 24, members: [1], server: 1, intervalMs: 10 }

function plan(due: number, changes: Partial<RefreshPlan> = {}): RefreshPlan {
  return {
    ...{ kind: "keys", total: 2000, due, generations: new Map(), batches: [], skipped: [] },
    ...{ behind: [], oldest: null, lastRun: null, failures: new Map(), ...changes },
  }
}

function outcome(done: number, missing: readonly [number, number][] = []): RefreshReport {
  return {
    ...{ done, fresh: 0, skipped: [], missing: new Map(missing), lingering: new Map() },
    ...{ finished: 0, incidents: [], unanswered: new Map() },
  }
}

/** Answers each look in turn, and ends the daemon after the last one. */
function daemon(looks: readonly (RefreshPlan | LockKeeperError)[], done: readonly RefreshReport[]) {
  const stop = new AbortController()
  const asked: RefreshOptions[] = []
  const [left, outcomes] = [[...looks], [...done]]
  const session: Refreshing = {
    async planRefresh() {
      const look = left.shift()
      if (left.length === 0) queueMicrotask(() => stop.abort())
      if (look instanceof LockKeeperError) throw look
      if (look === undefined) throw new Error("looked at too often")
      return look
    },
    async refresh(options) {
      asked.push(options)
      const report = outcomes.shift()
      if (report === undefined) throw new Error("refreshed too often")
      return report
    },
  }
  const host = { ...testHost({}), signal: stop.signal }
  const settings = resolveSettings({ json: true }, { LK_HOME: "/nonexistent" })
  const schedule = new Schedule({ ...host, settings }, session, turn)
  const told = () =>
    host.out.text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  return { schedule, asked, told }
}

test("what is due is refreshed a portion at a time, and nothing else is touched", async () => {
  const { schedule, asked, told } = daemon(
    [plan(1030), plan(6), plan(0)],
    [outcome(1024), outcome(6)],
  )
  const began = Date.now()
  assert.equal(await schedule.run(true), 1030)
  assert.equal(asked.length, 2)
  for (const { kind, before, most } of asked) {
    assert.deepEqual([kind, most], ["keys", 1024])
    const late = (before ?? 0) - (began - 24 * HOUR_MS)
    assert.ok(late >= 0 && late < 60_000, String(late))
  }
  assert.deepEqual(
    told().map(({ event, due, done }) => [event, due ?? done]),
    [
      ["due", 1030],
      ["refreshed", 1024],
      ["due", 6],
      ["refreshed", 6],
    ],
  )
})

test("who is behind is brought up though nothing is due", async () => {
  const { schedule, asked } = daemon([plan(0, { behind: [2] })], [outcome(0)])
  assert.equal(await schedule.run(true), 0)
  assert.equal(asked.length, 1)
})

test("what another operator is at is left to them", async () => {
  // Later than any look of this daemon.
  const { schedule, asked, told } = daemon([plan(9, { lastRun: Date.now() + HOUR_MS })], [])
  assert.equal(await schedule.run(true), 0)
  assert.deepEqual([asked, told()], [[], []])
})

test("what time may mend is told and tried again, and the rest ends the daemon", async () => {
  const away = new LockKeeperError("not-enough-servers", "Too few answered.", { remedy: "Wait." })
  const { schedule, told } = daemon([away, plan(1), plan(0)], [outcome(1, [[3, 1]])])
  assert.equal(await schedule.run(false), 1)
  assert.deepEqual(
    told().map(({ event, error, missing }) => [event, error?.code ?? missing ?? null]),
    [
      ["failed", "not-enough-servers"],
      ["due", null],
      ["refreshed", { 3: 1 }],
    ],
  )
  const wrong = new LockKeeperError("misconfigured", "No server runs.", { field: "directory" })
  await assert.rejects(daemon([wrong, plan(0)], []).schedule.run(false), wrong)
  await assert.rejects(daemon([away, plan(0)], []).schedule.run(true), away)
})
