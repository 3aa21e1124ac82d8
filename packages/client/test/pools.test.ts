import assert from "node:assert/strict"
import { before, beforeEach, describe, it } from "node:test"
import type { PoolEvent } from "@lockkeeper/client"
import { equalBytes } from "@lockkeeper/encoding"
import { breakPair } from "./cheats.ts"
import { TestCluster } from "./cluster.ts"
import { type EcdsaOwner, ecdsaOwner, signText } from "./owners.ts"
import { refused } from "./refusals.ts"

describe("the pools of a key", () => {
  let cluster: TestCluster
  let owner: EcdsaOwner
  let events: PoolEvent[]
  const onEvent = (event: PoolEvent) => events.push(event)
  const kinds = () => events.map(({ kind }) => kind)

  before(async () => {
    cluster = await TestCluster.start()
  })

  beforeEach(async () => {
    for (const wire of cluster.wires.values()) Object.assign(wire, { down: false, hangs: false })
    owner = await ecdsaOwner(cluster)
    events = []
  })

  const fill = (floor: number, cap: number) =>
    owner.session.pools.fill({ keyId: owner.key.keyId, floor, cap, onEvent })
  const status = () => owner.session.pools.status(owner.key.keyId)
  const counts = async () => (await status()).sets.map(({ ready }) => ready)

  it("are empty at first: the preferred set, and one in place of each server of it", async () => {
    const { sets, cap, held, busy, maxAgeMs } = await status()
    assert.equal(sets.length, 3)
    const [preferred] = sets
    for (const away of preferred?.signers ?? []) {
      assert.ok(sets.some(({ signers }) => !signers.includes(away)))
    }
    assert.deepEqual([...new Set(sets.map(({ ready }) => ready))], [0])
    assert.deepEqual([cap, held, busy, maxAgeMs], [64, 0, 0, 86_400_000])
  })

  it("are filled to the cap when below the floor, and left alone above it", async () => {
    const { made, sets, incidents } = await fill(4, 6)
    assert.deepEqual([made, sets.map(({ ready }) => ready), incidents], [18, [6, 6, 6], []])
    assert.deepEqual(await counts(), [6, 6, 6])
    assert.deepEqual(kinds(), ["batch", "batch", "batch", "full"])
    for (let i = 0; i < 2; i++) await signText(owner, `text ${i}`)
    assert.equal((await fill(4, 6)).made, 0)
    await signText(owner, "one more")
    assert.equal((await fill(4, 6)).made, 3)
    const { oldestAt } = (await status()).sets[0]!
    assert.ok(Math.abs(Date.now() - oldestAt) < 60_000)
  })

  it("never ask for more than a server keeps of one key", async () => {
    const { sets } = await fill(64, 64)
    const { held } = await status()
    assert.ok(held <= 64)
    assert.ok(sets.every(({ ready }) => ready >= 20))
    assert.equal((await fill(64, 64)).made, 0)
  })

  it("are filled for the sets that are named, if they may sign", async () => {
    const { keyId } = owner.key
    const sets = [[2, 3]]
    const { made } = await owner.session.pools.fill({ keyId, floor: 2, cap: 2, sets })
    assert.equal(made, 2)
    for (const bad of [[3, 2], [1], [1, 2, 3], [1, 9], [2, 2]]) {
      const act = () => owner.session.pools.fill({ keyId, floor: 1, cap: 1, sets: [bad] })
      assert.equal((await refused(act, "invalid-request")).field, "sets")
    }
  })

  it("are filled without a server that is down, and the others' incident says so", async () => {
    const { sets } = await status()
    const away = sets[0]?.signers[0] as number
    cluster.wire(away).down = true
    const { made, incidents } = await fill(3, 3)
    assert.equal(made, 3)
    assert.deepEqual([...new Set(incidents.map(({ server }) => server))], [away])
    for (const id of [1, 2, 3]) cluster.wire(id).down = true
    await refused(() => fill(3, 3), "not-enough-servers")
  })

  it("are filled without a pair that is at odds", async () => {
    const broken = await TestCluster.start()
    owner = await ecdsaOwner(broken)
    await breakPair(broken.server(1), 2)
    const { incidents } = await fill(2, 2)
    assert.deepEqual(
      incidents.map(({ kind, pair }) => [kind, pair?.toSorted()]),
      [["disputed", [1, 2]]],
    )
    const { sets, pairs } = await status()
    assert.ok(pairs.some(({ state, servers }) => state === "dead" && servers.join() === "1,2"))
    assert.deepEqual(sets.map(({ signers, ready }) => [signers.join(), ready]).sort(), [
      ["1,3", 2],
      ["2,3", 2],
    ])
    const { keyId } = owner.key
    const named = () => owner.session.pools.fill({ keyId, floor: 1, cap: 1, sets: [[1, 2]] })
    assert.equal((await refused(named, "not-enough-servers")).field, "sets")
  })

  it("are filled again where one server has lost its part and the other's fills the room", async () => {
    const pair = await TestCluster.start()
    owner = await ecdsaOwner(pair)
    const { keyId } = owner.key
    const sets = [[1, 2]]
    const fillPair = () => owner.session.pools.fill({ keyId, floor: 60, cap: 60, sets })
    assert.equal((await fillPair()).made, 60)
    await pair.restart(1)
    assert.equal((await fillPair()).made, 60)
    const { held, sets: after } = await status()
    assert.deepEqual([held, after.find(({ signers }) => signers.join() === "1,2")?.ready], [64, 60])
    await signText(owner, "a text")
  })

  it("are filled by one batch at a time, whoever asks", async () => {
    const results = await Promise.all([fill(4, 4), fill(4, 4), fill(4, 4)])
    assert.deepEqual(results.map(({ made }) => made).sort(), [0, 0, 12])
    assert.deepEqual(await counts(), [4, 4, 4])
  })

  it("give way to signatures of this session while they have something left", async () => {
    await fill(1, 1)
    const controller = new AbortController()
    const loop = async () => {
      for (let i = 0; !controller.signal.aborted; i++) {
        await signText(owner, `text ${i}`)
        // Nothing here waits for a network, so that timers would never get their turn.
        await new Promise((done) => setImmediate(done))
      }
    }
    const signing = loop()
    events.length = 0
    const { made } = await fill(8, 8)
    controller.abort()
    await signing
    assert.ok(made >= 8)
    assert.ok(kinds().includes("yielding"))
  })

  it("rest between batches, the longer the fuller the set is", async () => {
    const waits: number[] = []
    const start = Date.now()
    const clock = {
      // Slow, so that no batch of a busy machine takes so long that the longest rest is reached.
      now: () => start + Math.floor((Date.now() - start) / 20),
      wait: (ms: number, signal: AbortSignal) => {
        waits.push(ms)
        return new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          signal.addEventListener("abort", () => {
            clearTimeout(timer)
            resolve()
          })
        })
      },
    }
    const { session, key } = await ecdsaOwner(cluster, { clock })
    const { keyId } = key
    waits.length = 0
    await session.pools.fill({ keyId, floor: 40, cap: 40, sets: [[1, 2]], onEvent })
    const batches = events.flatMap((event) => (event.kind === "batch" ? event : []))
    assert.equal(batches.length, 3)
    for (const { ready, elapsedMs } of batches.slice(0, -1)) {
      const rest = (3 * elapsedMs * ready) / 40
      assert.ok(rest > 0 && rest < 500, `a batch of ${elapsedMs} ms shows nothing`)
      assert.ok(waits.includes(rest), "did not rest")
    }
  })

  it("are kept filled until the maintenance is stopped", async () => {
    const controller = new AbortController()
    const { signal } = controller
    const keeping = owner.session.pools.maintain({
      floor: 3,
      cap: 4,
      intervalMs: 20,
      signal,
      onEvent,
    })
    const heard = async (kind: "full" | "batch") => {
      const isHeard = () =>
        events.some((event) => event.kind === kind && equalBytes(event.keyId, owner.key.keyId))
      for (let i = 0; i < 2_000 && !isHeard(); i++)
        await new Promise((done) => setTimeout(done, 10))
      assert.ok(isHeard(), `no ${kind} of the key`)
    }
    try {
      await heard("full")
      assert.deepEqual(await counts(), [4, 4, 4])
      events.length = 0
      for (let i = 0; i < 2; i++) await signText(owner, `text ${i}`)
      await heard("batch")
    } finally {
      controller.abort()
      await keeping
    }
    const seen = events.length
    await new Promise((done) => setTimeout(done, 60))
    assert.equal(events.length, seen)
  })

  it("survive servers that come and go while they are kept filled", async () => {
    const controller = new AbortController()
    const { signal } = controller
    const { pools } = owner.session
    const keeping = pools.maintain({ floor: 2, cap: 2, intervalMs: 10, signal, onEvent })
    for (const wire of cluster.wires.values()) wire.down = true
    const deadline = Date.now() + 3_000
    while (!kinds().includes("failed") && Date.now() < deadline) {
      await new Promise((done) => setTimeout(done, 10))
    }
    for (const wire of cluster.wires.values()) wire.down = false
    const failure = events.find((event) => event.kind === "failed")
    assert.ok(failure !== undefined && failure.retryMs >= 1_000)
    while (!kinds().includes("full") && Date.now() < deadline) {
      await new Promise((done) => setTimeout(done, 10))
    }
    controller.abort()
    await keeping
    assert.ok(kinds().includes("full"))
  })

  it("refuse keys that have none, and bounds that make no sense", async () => {
    const { key } = await owner.session.keys.create({ type: "ed25519" })
    const { pools } = owner.session
    await refused(() => pools.status(key.keyId), "invalid-request")
    const { keyId } = owner.key
    for (const [field, floor, cap] of [
      ["cap", 1, 65],
      ["cap", 1, 0],
      ["cap", 1, 1.5],
      ["floor", 0, 4],
      ["floor", 5, 4],
    ] as const) {
      const error = await refused(() => pools.fill({ keyId, floor, cap }), "invalid-request")
      assert.equal(error.field, field)
    }
  })

  it("end with the session", async () => {
    await owner.session.logout()
    await refused(() => status(), "session-ended")
    const { signal } = new AbortController()
    const keeping = owner.session.pools.maintain({ floor: 1, cap: 1, intervalMs: 1, signal })
    await refused(() => keeping, "session-ended")
  })
})
