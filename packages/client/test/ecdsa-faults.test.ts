import assert from "node:assert/strict"
import { before, beforeEach, describe, it } from "node:test"
import { TestCluster } from "./cluster.ts"
import { calls, digestOf, type EcdsaOwner, ecdsaOwner, signText } from "./owners.ts"
import { refused } from "./refusals.ts"

describe("signing with ECDSA while not everything goes well", () => {
  let cluster: TestCluster
  let owner: EcdsaOwner

  before(async () => {
    cluster = await TestCluster.start()
  })

  beforeEach(async () => {
    for (const wire of cluster.wires.values()) Object.assign(wire, { down: false, hangs: false })
    owner = await ecdsaOwner(cluster)
  })

  const fill = (count: number) =>
    owner.session.pools.fill({ keyId: owner.key.keyId, floor: count, cap: count })
  const preferred = async () => {
    const { sets } = await owner.session.pools.status(owner.key.keyId)
    return sets[0]!.signers
  }

  for (const filled of [true, false]) {
    it(`goes on with another set when a server is down, ${filled ? "from its pool" : "without a pool"}`, async () => {
      if (filled) await fill(4)
      const [first] = await preferred()
      cluster.wire(first as number).down = true
      const signed = await signText(owner, "without it")
      assert.equal(signed.signers.includes(first as number), false)
      assert.deepEqual(
        signed.incidents.map(({ server, kind }) => [server, kind]),
        [[first, "unresponsive"]],
      )
      const start = calls(cluster)
      for (let i = 0; i < 3; i++) {
        const next = await signText(owner, `without it ${i}`)
        assert.deepEqual(next.incidents, [])
      }
      if (filled) assert.equal(calls(cluster) - start, 6)
    })

    it(`asks another set beside a server that hangs, ${filled ? "with" : "without"} a pool`, async () => {
      if (filled) await fill(4)
      await signText(owner, "warm")
      const [, second] = await preferred()
      cluster.wire(second as number).hangs = true
      const start = performance.now()
      const signed = await signText(owner, "beside it")
      assert.equal(signed.signers.includes(second as number), false)
      assert.deepEqual(
        signed.incidents.map(({ server, kind }) => [server, kind]),
        [[second, "unresponsive"]],
      )
      assert.ok(performance.now() - start < 20_000)
    })
  }

  it("repeats what was lost on the way and signs once", async () => {
    await fill(2)
    await signText(owner, "warm")
    for (const wire of cluster.wires.values()) wire.loseAnswers = 1
    const { incidents } = await signText(owner, "lost and found")
    assert.deepEqual(incidents, [])
  })

  it("fails, naming who was away, when fewer than t are left, and signs when they are back", async () => {
    for (const id of [1, 2]) cluster.wire(id).down = true
    const act = () => owner.session.signDigestOf({ key: owner.key, ...digestOf("x") })
    await refused(act, "not-enough-servers")
    for (const id of [1, 2]) cluster.wire(id).down = false
    await signText(owner, "back")
  })
})
