import assert from "node:assert/strict"
import { beforeEach, describe, it } from "node:test"
import { type ErrorCode, LockKeeperError, type PoolEvent } from "@lockkeeper/client"
import { MAX_BACKOFF_MS } from "../src/limits.ts"
import { maintain } from "../src/maintain.ts"
import { refused } from "./refusals.ts"
import { VirtualClock } from "./virtual-time.ts"

const [A, B] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]

describe("keeping pools filled", () => {
  let clock: VirtualClock
  let controller: AbortController
  let events: PoolEvent[]
  let filled: number[]
  /** Why a key, by its first byte, or the listing, as 0, fails. */
  let failing: Map<number, ErrorCode>

  beforeEach(() => {
    clock = new VirtualClock()
    controller = new AbortController()
    events = []
    filled = []
    failing = new Map()
  })

  function failIf(name: number): void {
    const code = failing.get(name)
    if (code !== undefined) throw new LockKeeperError(code, "no")
  }

  function start(intervalMs: number) {
    const { signal } = controller
    const onEvent = (event: PoolEvent) => events.push(event)
    return maintain(
      clock,
      { floor: 1, cap: 1, intervalMs, signal, onEvent },
      {
        keys: async () => {
          failIf(0)
          return [A, B]
        },
        fill: async ([first]) => {
          filled.push(first as number)
          failIf(first as number)
          return { incidents: [] }
        },
      },
    )
  }

  const retries = () =>
    events.map((event) => (event.kind === "failed" ? [event.keyId?.[0] ?? 0, event.retryMs] : null))

  it("fills every key in each round, and ends when it is told to", async () => {
    const keeping = start(100)
    await clock.pass(100)
    await clock.pass(99)
    assert.deepEqual(filled, [1, 2, 1, 2])
    controller.abort()
    await keeping
    await clock.pass(1_000)
    assert.equal(filled.length, 4)
    assert.equal(clock.waiting, 0)
  })

  it("leaves a key that fails alone, longer each time, and goes on with the others", async () => {
    failing.set(1, "not-enough-servers")
    const keeping = start(500)
    for (let i = 0; i < 8; i++) await clock.pass(500)
    assert.deepEqual(retries(), [
      [1, 1_000],
      [1, 2_000],
      [1, 4_000],
    ])
    assert.equal(filled.filter((first) => first === 2).length, 9)
    failing.clear()
    for (let i = 0; i < 10; i++) await clock.pass(500)
    failing.set(1, "aborted")
    for (let i = 0; i < 2; i++) await clock.pass(500)
    assert.deepEqual(retries().at(-1), [1, 1_000])
    controller.abort()
    await keeping
  })

  it("never leaves a key alone for longer than a minute, nor for less than a round", async () => {
    failing.set(1, "unavailable")
    const keeping = start(MAX_BACKOFF_MS + 1)
    for (let i = 0; i < 9; i++) await clock.pass(MAX_BACKOFF_MS + 1)
    assert.ok(retries().every((retry) => retry?.[1] === MAX_BACKOFF_MS + 1))
    controller.abort()
    await keeping
  })

  it("tries again when the keys cannot be listed", async () => {
    failing.set(0, "unavailable")
    const keeping = start(600)
    await clock.pass(600)
    assert.deepEqual([filled, retries()], [[], [[0, 1_000]]])
    failing.clear()
    await clock.pass(600)
    assert.deepEqual(filled, [1, 2])
    controller.abort()
    await keeping
  })

  it("ends with the session, and with a bug", async () => {
    failing.set(2, "session-ended")
    await refused(() => start(100), "session-ended")
    failing.clear()
    const bug = maintain(
      clock,
      { floor: 1, cap: 1, intervalMs: 1, signal: controller.signal },
      { keys: () => Promise.reject(new TypeError("bug")), fill: async () => ({ incidents: [] }) },
    )
    await assert.rejects(bug, TypeError)
  })
})
