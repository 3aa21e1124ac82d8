import assert from "node:assert/strict"
import { before, beforeEach, describe, it } from "node:test"
import type { Incident } from "@lockkeeper/client"
import { forgetPair } from "./cheats.ts"
import { TestCluster } from "./cluster.ts"
import { anotherLogin, calls, digestOf, type EcdsaOwner, ecdsaOwner, signText } from "./owners.ts"
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

  it("makes keys without a server that is away, and sets its pairs up when it is back", async () => {
    const fresh = await TestCluster.start()
    const all = await ecdsaOwner(fresh)
    await Promise.all([1, 2].map((id) => forgetPair(fresh.server(id), 3)))
    for (const hidden of [{ down: true }, { hangs: true }]) {
      Object.assign(fresh.wire(3), hidden)
      const { key, incidents } = await all.session.keys.create({ type: "ecdsa-secp256k1" })
      assert.deepEqual(key.holders, [1, 2])
      assert.ok(incidents.every(({ server }) => server === 3))
      Object.assign(fresh.wire(3), { down: false, hangs: false })
      await signText({ session: all.session, key }, "by the two")
    }
    const { key } = await all.session.keys.create({ type: "ecdsa-secp256k1" })
    assert.deepEqual(key.holders, [1, 2, 3])
    const { pairs } = await all.session.pools.status(key.keyId)
    assert.deepEqual(
      pairs.map(({ state }) => state),
      ["live", "live", "live"],
    )
  })

  it("registers a child where it is missing once others have signed with it", async () => {
    const { session, key } = owner
    const frost = (await session.keys.create({ type: "ed25519" })).key
    const [away] = await preferred()
    cluster.wire(away as number).down = true
    await session.keys.derive(key.keyId, [1])
    await session.keys.derive(frost.keyId, [1])
    cluster.wire(away as number).down = false
    const again = await anotherLogin(cluster)
    const refusals = async (act: () => Promise<{ incidents: readonly Incident[] }>) => {
      const counts = []
      for (let i = 0; i < 3; i++) counts.push((await act()).incidents.length)
      return counts
    }
    const ecdsa = () => signText({ session: again, key }, "by a child", [1])
    assert.deepEqual(await refusals(ecdsa), [1, 0, 0])
    const message = new Uint8Array(8)
    const schnorr = () => again.sign({ keyId: frost.keyId, path: [1], message })
    const counts = await refusals(schnorr)
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      1,
    )
  })

  it("fails, naming who was away, when fewer than t are left, and signs when they are back", async () => {
    for (const id of [1, 2]) cluster.wire(id).down = true
    const act = () => owner.session.signDigestOf({ key: owner.key, ...digestOf("x") })
    await refused(act, "not-enough-servers")
    for (const id of [1, 2]) cluster.wire(id).down = false
    await signText(owner, "back")
  })
})
