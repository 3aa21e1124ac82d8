import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { parseConfig } from "../src/config/schema.ts"
import { Gate } from "../src/limits/gate.ts"
import { TokenBuckets } from "../src/limits/token-buckets.ts"

test("a bucket gives its capacity at once and then its rate", () => {
  const buckets = new TokenBuckets(10, 5)
  const burst = Array.from({ length: 8 }, () => buckets.take("a", 0))
  assert.equal(burst.filter(Boolean).length, 5)
  assert.ok(!buckets.take("a", 99))
  assert.ok(buckets.take("a", 100))
  assert.ok(!buckets.take("a", 100))
  let taken = 0
  for (let ms = 200; ms < 10_200; ms += 10) if (buckets.take("a", ms)) taken += 1
  assert.ok(taken >= 99 && taken <= 101, String(taken))
})

test("buckets are apart, and a clock that goes back gives nothing", () => {
  const buckets = new TokenBuckets(1, 1)
  assert.ok(buckets.take("a", 1000))
  assert.ok(buckets.take("b", 1000))
  assert.ok(!buckets.take("a", 0))
  assert.ok(!buckets.take("a", 500))
})

test("buckets are bounded in number", () => {
  const buckets = new TokenBuckets(1, 1, 100)
  for (let i = 0; i < 10_000; i++) buckets.take(`source ${i}`, i)
  assert.equal(buckets.size, 100)
})

function gate(limits: object): Gate {
  return new Gate(
    parseConfig({
      version: 1,
      listen: { port: 1 },
      tls: { certificate: "c", key: "k" },
      limits,
    }).limits,
  )
}

function limited(error: unknown): true {
  assert.ok(error instanceof LockKeeperError)
  assert.equal(error.code, "rate-limited")
  return true
}

test("no more requests run at once than configured, whatever becomes of them", async () => {
  const door = gate({ concurrentRequests: 3 })
  const release: ((fail: boolean) => void)[] = []
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      release.push((fail) => (fail ? reject(new Error("failed")) : resolve()))
    })
  const running = [0, 1, 2].map((i) => door.admit(`${i}`, 0, work))
  await assert.rejects(door.admit("3", 0, work), limited)
  assert.equal(door.running, 3)
  release.forEach((end, i) => {
    end(i === 1)
  })
  await Promise.allSettled(running)
  assert.equal(door.running, 0)
  assert.equal(door.refused, 1)
  const thrower = (): never => {
    throw new Error("at once")
  }
  await assert.rejects(door.admit("4", 0, thrower), /at once/)
  assert.equal(door.running, 0)
})

test("each address, each opening address and each session has its own rate", async () => {
  const door = gate({ requestsPerSecond: 2, requestBurst: 2, opensPerMinute: 1 })
  const nothing = async (): Promise<void> => undefined
  await door.admit("a", 0, nothing)
  await door.admit("a", 0, nothing)
  await assert.rejects(door.admit("a", 0, nothing), limited)
  await door.admit("b", 0, nothing)
  door.checkOpen("a", 0)
  assert.throws(() => door.checkOpen("a", 0), limited)
  door.checkOpen("b", 0)
  door.checkOpen("a", 60_000)
  const quiet = gate({ sessionRequestsPerSecond: 1 })
  quiet.checkSession("s", 0)
  quiet.checkSession("s", 0)
  assert.throws(() => quiet.checkSession("s", 0), limited)
  quiet.checkSession("t", 0)
})
