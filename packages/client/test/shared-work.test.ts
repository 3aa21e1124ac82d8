import assert from "node:assert/strict"
import { beforeEach, describe, it } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { Servers } from "../src/servers.ts"
import { SharedWork } from "../src/shared-work.ts"
import { trustRoster } from "../src/trust.ts"
import { TestCluster } from "./cluster.ts"
import { settle, VirtualClock, virtualDependencies } from "./virtual-time.ts"

const PATIENCE = { callMs: 1, hedgeMs: 1, keyGenerationStepMs: 1, presigningStepMs: 1 }
const ignore = () => undefined

describe("work that several wait for", () => {
  let shared: SharedWork<number>
  let ends: PromiseWithResolvers<number>[]
  let wanted: number[]

  beforeEach(async () => {
    const cluster = await TestCluster.start()
    const trust = trustRoster(cluster.signedRoster, cluster.pin)
    const deps = virtualDependencies(new VirtualClock())
    shared = new SharedWork(new Servers(trust, deps, PATIENCE, ignore))
    ends = []
    wanted = []
  })

  const work = (count: number) => {
    wanted.push(count)
    const end = Promise.withResolvers<number>()
    ends.push(end)
    return end.promise
  }

  it("is done once for all who come before it begins, and knows how many they are", async () => {
    const all = [1, 2, 3].map(() => shared.join("a", ignore, work))
    await settle()
    assert.deepEqual(wanted, [3])
    ends[0]?.resolve(7)
    assert.deepEqual(
      (await Promise.all(all)).map(({ value }) => value),
      [7, 7, 7],
    )
  })

  it("is waited for by who comes later, and done again for who asks after that", async () => {
    const first = shared.join("a", ignore, work)
    await settle()
    const second = shared.join("a", ignore, work)
    ends[0]?.resolve(1)
    assert.deepEqual([(await first).value, (await second).value], [1, 1])
    void shared.join("a", ignore, work)
    await settle()
    assert.deepEqual(wanted, [1, 1])
  })

  it("is another piece under another name", async () => {
    void shared.join("a", ignore, work)
    void shared.join("b", ignore, work)
    await settle()
    assert.deepEqual(wanted, [1, 1])
  })

  it("fails for all who wait, and can be begun again", async () => {
    const all = [1, 2].map(() => shared.join("a", ignore, work))
    await settle()
    ends[0]?.reject(new LockKeeperError("unavailable", "down"))
    for (const one of all) await assert.rejects(one, /down/)
    void shared.join("a", ignore, work)
    await settle()
    assert.equal(wanted.length, 2)
  })

  it("tells everyone who is slow, also those who come later, and nobody after the end", async () => {
    const heard: string[] = []
    let tell = (_: number): void => undefined
    const slowWork = (_: number, __: unknown, onSlow: (server: number) => void) => {
      tell = onSlow
      return work(1)
    }
    const first = shared.join("a", (id) => heard.push(`first ${id}`), slowWork)
    await settle()
    tell(2)
    const second = shared.join("a", (id) => heard.push(`second ${id}`), slowWork)
    assert.deepEqual(heard, ["first 2", "second 2"])
    ends[0]?.resolve(1)
    await Promise.all([first, second])
    tell(3)
    assert.equal(heard.length, 2)
  })

  it("tells incidents to whoever waited", async () => {
    const done = await shared.join("a", ignore, async (_, incidents) => {
      incidents.silent(3)
      return 1
    })
    assert.deepEqual(
      done.incidents.map(({ server }) => server),
      [3],
    )
  })
})
