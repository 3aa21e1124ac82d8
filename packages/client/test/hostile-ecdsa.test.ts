import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import { type PoolOfSet, type PoolStatus, poolStatus } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { IncidentLog } from "../src/incidents.ts"
import { askPool } from "../src/pool-news.ts"
import { DeadPairs } from "../src/signer-sets.ts"
import { TestCluster } from "./cluster.ts"
import { scriptedPrincipal } from "./scripted-principal.ts"

describe("a server that lies about pools", () => {
  let cluster: TestCluster

  before(async () => {
    cluster = await TestCluster.start()
  })

  const plain: PoolStatus = { sets: [], cap: 64, maxAgeMs: 100, busy: 0, pairs: [] }
  const set = (signers: number[], ready = 255, oldestAt = 0): PoolOfSet => ({
    ...{ signers, ready, oldestAt },
  })

  async function ask(liar: Partial<PoolStatus>, honest: Partial<PoolStatus> = {}) {
    const principal = scriptedPrincipal(cluster, (server) =>
      encode(poolStatus, { ...plain, ...(server === 1 ? liar : honest) }),
    )
    const dead = new DeadPairs()
    const incidents = new IncidentLog(principal.servers)
    const context = { dead, incidents, signal: new AbortController().signal }
    return { dead, news: await askPool(principal, new Uint8Array(32), [1, 2, 3], context) }
  }

  it("invents no sets: of nobody, out of order, doubled, or of others", async () => {
    const { news } = await ask({ sets: [set([]), set([2, 1]), set([1, 1]), set([2, 3])] })
    assert.deepEqual(news.sets, [])
  })

  it("gives no number that is none", async () => {
    const { news } = await ask({ sets: [set([1, 2])] }, { sets: [set([1, 2], 3)] })
    assert.deepEqual(news.sets, [{ signers: [1, 2], ready: 3, oldestAt: 0, complete: true }])
    assert.ok(news.sets.every(({ oldestAt }) => Number.isSafeInteger(oldestAt)))
  })

  it("ends its own pairs and no others", async () => {
    const { dead } = await ask({ pairs: [1, 2, 3, 9].map((peer) => ({ peer, state: "dead" })) })
    assert.ok(dead.has(1, 2) && dead.has(1, 3))
    assert.ok(!dead.within([2, 3]))
  })
})
