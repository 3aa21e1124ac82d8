import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import { type PoolOfSet, type PoolStatus, poolStatus } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { IncidentLog } from "../src/incidents.ts"
import { askPool } from "../src/pool-news.ts"
import { DeadPairs } from "../src/signer-sets.ts"
import { TestCluster } from "./cluster.ts"
import { scriptedPrincipal } from "./scripted-principal.ts"

describe("what servers say of a pool", () => {
  let cluster: TestCluster

  before(async () => {
    cluster = await TestCluster.start()
  })

  const plain: PoolStatus = { sets: [], cap: 64, maxAgeMs: 100, busy: 0, pairs: [] }
  const set = (signers: number[], ready: number, oldestAt = 5): PoolOfSet => ({
    ...{ signers, ready, oldestAt },
  })

  async function ask(said: Record<number, Partial<PoolStatus>>, dead = new DeadPairs()) {
    const principal = scriptedPrincipal(cluster, (server) => {
      const status = said[server]
      return status === undefined ? null : encode(poolStatus, { ...plain, ...status })
    })
    const incidents = new IncidentLog(principal.servers)
    const { signal } = new AbortController()
    const context = { dead, signal, incidents }
    const news = await askPool(principal, new Uint8Array(32), [1, 2, 3], context)
    return { news, incidents: incidents.all, dead }
  }

  it("counts what every signer of a set has, whatever one of them claims", async () => {
    const { news } = await ask({
      1: { sets: [set([1, 2], 9, 7), set([1, 3], 60)] },
      2: { sets: [set([1, 2], 4, 8)] },
      3: {},
    })
    assert.deepEqual(news.sets, [
      { signers: [1, 2], ready: 4, oldestAt: 7, complete: true },
      { signers: [1, 3], ready: 0, oldestAt: 0, complete: true },
    ])
  })

  it("says of which sets a signer did not answer, and who that was", async () => {
    const { news, incidents } = await ask({
      1: { sets: [set([1, 2], 3), set([1, 3], 2)] },
      2: { sets: [set([1, 2], 3)] },
    })
    assert.deepEqual(
      news.sets.map(({ ready, complete }) => [ready, complete]),
      [
        [3, true],
        [2, false],
      ],
    )
    assert.deepEqual(
      incidents.map(({ server, kind }) => [server, kind]),
      [[3, "unresponsive"]],
    )
  })

  it("gives each server's room by itself, so that none can fill another's", async () => {
    const { news } = await ask({
      1: { sets: [set([1, 2], 60)] },
      2: { cap: 0, busy: 7 },
      3: { cap: 255 },
    })
    assert.deepEqual(
      [...news.rooms],
      [
        [1, 4],
        [2, 0],
        [3, 64],
      ],
    )
    assert.deepEqual([news.held, news.busy], [60, 7])
  })

  it("takes a pair for dead when one end says so, and for live when both do", async () => {
    const { news, dead } = await ask({
      1: {
        pairs: [
          { peer: 2, state: "live" },
          { peer: 3, state: "live" },
        ],
      },
      2: {
        pairs: [
          { peer: 1, state: "live" },
          { peer: 3, state: "none" },
        ],
      },
      3: {
        pairs: [
          { peer: 1, state: "dead" },
          { peer: 2, state: "live" },
        ],
      },
    })
    assert.deepEqual(news.pairs.map(({ servers, state }) => [servers.join("-"), state]).sort(), [
      ["1-2", "live"],
      ["1-3", "dead"],
      ["2-3", "none"],
    ])
    assert.deepEqual([dead.has(1, 2), dead.has(1, 3), dead.has(2, 3)], [false, true, false])
  })

  it("suspects nobody for being down, and uses nothing that is malformed", async () => {
    const principal = scriptedPrincipal(cluster, (server) =>
      server === 1 ? new Uint8Array(2) : null,
    )
    const incidents = new IncidentLog(principal.servers)
    const { signal } = new AbortController()
    const context = { dead: new DeadPairs(), signal, incidents }
    const news = await askPool(principal, new Uint8Array(32), [1, 2], context)
    assert.deepEqual([news.sets, [...news.rooms], news.pairs], [[], [], []])
    assert.deepEqual(
      incidents.all.map(({ server, kind }) => [server, kind]),
      [
        [1, "refused"],
        [2, "unresponsive"],
      ],
    )
  })
})
