import assert from "node:assert/strict"
import { beforeEach, describe, it } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { askAll, gather, notEnough, tellable } from "../src/gather.ts"
import { within } from "../src/patience.ts"
import { Servers } from "../src/servers.ts"
import { type Trust, trustRoster } from "../src/trust.ts"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"
import { settle, VirtualClock, virtualDependencies } from "./virtual-time.ts"

const PATIENCE = { callMs: 1_000, hedgeMs: 100, keyGenerationStepMs: 500, presigningStepMs: 2_000 }
const down = () => new LockKeeperError("unavailable", "down")

describe("gathering answers", () => {
  let trust: Trust
  let clock: VirtualClock
  let servers: Servers
  let asked: number[]
  let replies: Map<number, PromiseWithResolvers<string>>

  beforeEach(async () => {
    const cluster = await TestCluster.start({ servers: 4 })
    trust = trustRoster(cluster.signedRoster, cluster.pin)
    clock = new VirtualClock()
    servers = new Servers(trust, virtualDependencies(clock), PATIENCE, () => undefined)
    asked = []
    replies = new Map([1, 2, 3, 4].map((id) => [id, Promise.withResolvers<string>()]))
    for (const { promise } of replies.values()) promise.catch(() => undefined)
  })

  const reply = (id: number) => replies.get(id) as PromiseWithResolvers<string>
  const start = (need: number, signal = new AbortController().signal) =>
    gather(servers, {
      order: [1, 2, 3, 4],
      need,
      signal,
      ask: (id) => {
        asked.push(id)
        return reply(id).promise
      },
    })

  it("asks as many as needed, and is done when they have answered", async () => {
    const result = start(2)
    await settle()
    assert.deepEqual(asked, [1, 2])
    reply(2).resolve("b")
    reply(1).resolve("a")
    const { answers, failures, pending } = await result
    assert.deepEqual([...answers.keys()].sort(), [1, 2])
    assert.deepEqual([failures.size, pending], [0, []])
    assert.equal(clock.waiting, 0)
  })

  it("asks the next one at once when one fails, and later ones never", async () => {
    const result = start(2)
    reply(1).reject(down())
    await settle()
    assert.deepEqual(asked, [1, 2, 3])
    reply(2).resolve("b")
    reply(3).resolve("c")
    const { answers, failures } = await result
    assert.deepEqual([...answers.keys()].sort(), [2, 3])
    assert.deepEqual([...failures.keys()], [1])
    assert.deepEqual(asked, [1, 2, 3])
  })

  it("asks the next one beside one that is slow, after the patience and not before", async () => {
    const result = start(2)
    reply(1).resolve("a")
    await clock.pass(99)
    assert.deepEqual(asked, [1, 2])
    await clock.pass(1)
    assert.deepEqual(asked, [1, 2, 3])
    reply(3).resolve("c")
    const { answers, pending } = await result
    assert.deepEqual([...answers.keys()], [1, 3])
    assert.deepEqual(pending, [2])
    assert.equal(clock.waiting, 0)
    // The slow one stands last in line from now on.
    assert.equal(servers.inOrder([1, 2, 3, 4], 2).at(-1), 2)
  })

  it("resolves with what there is when everyone has failed", async () => {
    const result = start(2)
    for (const id of [1, 2, 3, 4]) reply(id).reject(down())
    const { answers, failures } = await result
    assert.deepEqual([answers.size, failures.size], [0, 4])
  })

  it("hears others while the answers are not enough", async () => {
    const result = gather(servers, {
      order: [1, 2, 3, 4],
      need: 2,
      isEnough: (answers) => new Set(answers.values()).size < answers.size,
      signal: new AbortController().signal,
      ask: async (id) => (id === 1 ? "lie" : "truth"),
    })
    const { answers } = await result
    assert.deepEqual(
      [...answers],
      [
        [1, "lie"],
        [2, "truth"],
        [3, "truth"],
      ],
    )
  })

  it("stops at once when the caller aborts, and aborts the open calls", async () => {
    const controller = new AbortController()
    let stopped = false
    const result = gather(servers, {
      order: [1],
      need: 1,
      signal: controller.signal,
      ask: (_, signal) => {
        signal.addEventListener("abort", () => {
          stopped = true
        })
        return new Promise<string>(() => undefined)
      },
    })
    controller.abort()
    await refused(() => result, "cancelled")
    assert.equal(stopped, true)
    assert.equal(clock.waiting, 0)
  })

  it("passes a bug on instead of taking it for a failure of the server", async () => {
    const result = start(1)
    reply(1).reject(new TypeError("bug"))
    await assert.rejects(result, TypeError)
  })

  it("asking all waits for everyone and keeps answers and failures apart", async () => {
    const result = askAll(servers, [1, 2, 3], (id) => reply(id).promise)
    reply(1).resolve("a")
    reply(2).reject(down())
    reply(3).resolve("c")
    const { answers, failures } = await result
    assert.deepEqual([...answers.keys()], [1, 3])
    assert.deepEqual([...failures.keys()], [2])
  })

  it("says with the servers' own words why there were not enough, if they agree", () => {
    const locked = new LockKeeperError("locked", "locked")
    assert.equal(
      notEnough(
        2,
        0,
        new Map([
          [1, locked],
          [2, locked],
        ]),
      ),
      locked,
    )
    assert.equal(notEnough(2, 1, new Map([[1, down()]])).code, "not-enough-servers")
    assert.equal(notEnough(2, 0, new Map()).code, "not-enough-servers")
  })

  it("does not tell an owner who is logged in at enough servers that fewer know no login", () => {
    const stranger = new LockKeeperError("unauthenticated", "no such key")
    const of = (...failed: LockKeeperError[]) => new Map(failed.map((error, i) => [i + 1, error]))
    const one = notEnough(2, 1, of(down(), stranger))
    assert.deepEqual(
      [one.code, one.message.includes("2: no such key")],
      ["not-enough-servers", true],
    )
    assert.equal(notEnough(2, 0, of(stranger, stranger, down())), stranger)
    assert.deepEqual(tellable(2, of(stranger, down())), [])
    assert.deepEqual(tellable(1, of(stranger, down())), [stranger])
  })

  it("a deadline ends a call that ignores its signal, and leaves no timer", async () => {
    const never = () => new Promise<string>(() => undefined)
    const result = within(clock, 50, new AbortController().signal, never)
    const error = refused(() => result, "unavailable")
    await clock.pass(50)
    assert.match((await error).message, /50 milliseconds/)
    assert.equal(clock.waiting, 0)
    assert.equal(await within(clock, 50, new AbortController().signal, async () => "x"), "x")
    assert.equal(clock.waiting, 0)
  })
})

describe("the order of servers", () => {
  async function serversOf(placement: Partial<Trust["roster"]["placement"]>, same: string[]) {
    const cluster = await TestCluster.start({ servers: 4 })
    const { roster, ...trust } = trustRoster(cluster.signedRoster, cluster.pin)
    const members = roster.members.map((m, i) => ({ ...m, operator: same[i] ?? m.operator }))
    const changed = { ...roster, members, placement: { ...roster.placement, ...placement } }
    const deps = virtualDependencies(new VirtualClock())
    return new Servers({ ...trust, roster: changed }, deps, PATIENCE, () => undefined)
  }

  it("rotates, so that every server comes first in turn", async () => {
    const servers = await serversOf({}, [])
    const firsts = [1, 2, 3, 4].map(() => servers.inOrder([1, 2, 3, 4], 2)[0])
    assert.deepEqual(firsts.sort(), [1, 2, 3, 4])
  })

  it("begins with a signer set that the placement rules allow", async () => {
    const servers = await serversOf({ distinctOperators: true }, ["a", "a", "a", "b"])
    for (let i = 0; i < 8; i++) {
      const order = servers.inOrder([1, 2, 3, 4], 2)
      assert.equal(order.slice(0, 2).includes(4), true)
      assert.equal(new Set(order).size, 4)
    }
  })

  it("puts servers that failed last, for a while", async () => {
    const servers = await serversOf({}, [])
    servers.report(1, down())
    for (let i = 0; i < 4; i++) assert.equal(servers.inOrder([1, 2, 3, 4], 2).at(-1), 1)
    servers.report(1, null)
    const firsts = [1, 2, 3, 4].map(() => servers.inOrder([1, 2, 3, 4], 2)[0])
    assert.ok(firsts.includes(1))
  })
})
