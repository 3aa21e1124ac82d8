import assert from "node:assert/strict"
import { before, beforeEach, describe, it } from "node:test"
import { type PoolStatus, poolStatus } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import type { EcdsaSigningOrder } from "../src/ecdsa-attempt.ts"
import { EcdsaSets } from "../src/ecdsa-sets.ts"
import type { Principal } from "../src/principal.ts"
import { DeadPairs, nameOfSet, type SignerSet } from "../src/signer-sets.ts"
import { Supply } from "../src/supply.ts"
import { TestCluster } from "./cluster.ts"
import { scriptedPrincipal } from "./scripted-principal.ts"

const NOBODY = new Map<string, SignerSet>()

describe("the sets that one signature is tried with", () => {
  let cluster: TestCluster
  let principal: Principal
  let supply: Supply
  let sets: EcdsaSets
  /** What every server says is ready, by set. */
  let ready: Record<string, number>

  before(async () => {
    cluster = await TestCluster.start({ servers: 4 })
  })

  beforeEach(() => {
    ready = {}
    principal = scriptedPrincipal(cluster, () => {
      const listed = Object.entries(ready).map(([name, count]) => ({
        ...{ signers: name.split("-").map(Number), ready: count, oldestAt: 1 },
      }))
      const status: PoolStatus = { sets: listed, cap: 64, maxAgeMs: 1, busy: 0, pairs: [] }
      return encode(poolStatus, status)
    })
    supply = new Supply(principal, new DeadPairs())
    const keyId = new Uint8Array(32)
    const certificate = { public: { keyId, keyEpoch: 1 } }
    const key = { keyId, holders: [1, 2, 3, 4], minSigners: 2, certificate }
    sets = new EcdsaSets(principal, supply, { key } as unknown as EcdsaSigningOrder)
  })

  const chosen = (atWork = NOBODY) => {
    const set = sets.choose(atWork)
    return set === null ? null : nameOfSet(set)
  }

  it("begin with the preferred one, beside which none at work is chosen again", () => {
    assert.equal(chosen(), "1-2")
    assert.equal(chosen(new Map([["1-2", [1, 2]]])), "1-3")
  })

  it("leave out who is excluded or slow, and take those last who failed lately", () => {
    sets.excluded.add(1)
    assert.equal(chosen(), "2-3")
    sets.slow.add(3)
    assert.equal(chosen(), "2-4")
    sets.slow.delete(3)
    principal.servers.reportSlow(2)
    assert.equal(chosen(), "3-4")
    sets.excluded.add(3)
    assert.equal(chosen(), "2-4")
    sets.excluded.add(4)
    assert.equal(chosen(), null)
  })

  it("leave out dead pairs", () => {
    supply.dead.add(2, 1)
    assert.equal(chosen(), "1-3")
  })

  it("go on, after one that was barred, with those who were in none", () => {
    sets.bar([1, 2])
    assert.equal(chosen(), "3-4")
    sets.bar([3, 4])
    assert.equal(chosen(), "1-3")
    for (const set of [
      [1, 3],
      [1, 4],
      [2, 3],
      [2, 4],
    ])
      sets.bar(set)
    assert.equal(chosen(), null)
  })

  it("come back to one that was deferred only when no other is left", () => {
    sets.defer([1, 2])
    assert.equal(chosen(), "3-4")
    sets.excluded.add(3)
    sets.excluded.add(4)
    assert.equal(chosen(), "1-2")
  })

  it("prefer one that has presignatures to one that was found empty", async () => {
    ready = { "2-3": 4, "3-4": 0 }
    assert.equal(await sets.hasBetter([1, 2]), true)
    assert.equal(chosen(), "2-3")
    assert.equal(await sets.hasBetter([2, 3]), false)
    assert.equal(chosen(), "1-2")
  })

  it("are no sets that only a server has thought of", async () => {
    ready = { "1": 9, "1-2-3": 9, "1-9": 9, "3-3": 9, "3-4": 9, "4-2": 9, "2-3": 9 }
    supply.dead.add(3, 4)
    sets.bar([2, 3])
    assert.equal(await sets.hasBetter([1, 2]), false)
    assert.equal(chosen(), "1-4")
  })
})
