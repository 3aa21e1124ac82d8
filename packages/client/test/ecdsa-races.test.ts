import assert from "node:assert/strict"
import { before, beforeEach, describe, it } from "node:test"
import { toHex } from "@lockkeeper/encoding"
import { forgetPair, putPairBack } from "./cheats.ts"
import { TestCluster } from "./cluster.ts"
import { anotherLogin, calls, digestOf, type EcdsaOwner, ecdsaOwner, signText } from "./owners.ts"
import { refused } from "./refusals.ts"

describe("signing with ECDSA while presignatures come and go", () => {
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

  it("signs after each server in turn was killed and started again", async () => {
    await fill(4)
    await signText(owner, "warm")
    for (const id of [1, 2, 3]) {
      await cluster.restart(id)
      for (let i = 0; i < 3; i++) {
        const { incidents } = await signText(owner, `after server ${id}, ${i}`)
        assert.deepEqual(incidents, [])
      }
    }
  })

  it("uses up presignatures that one signer has lost, where no other set can sign", async () => {
    const pair = await TestCluster.start({ servers: 2 })
    const alone = await ecdsaOwner(pair)
    await alone.session.pools.fill({ keyId: alone.key.keyId, floor: 16, cap: 16 })
    await signText(alone, "warm")
    await pair.restart(2)
    await signText(alone, "after all that was lost")
    assert.equal((await alone.session.pools.status(alone.key.keyId)).sets[0]?.ready, 0)
  })

  it("leaves a set of which one signer has lost everything for one that has a pool", async () => {
    await fill(8)
    const [set] = (await owner.session.pools.status(owner.key.keyId)).sets
    const signers = set?.signers as number[]
    await cluster.restart(signers[1] as number)
    const start = calls(cluster)
    const signed = await signText(owner, "with another set")
    assert.equal(signed.signers.includes(signers[1] as number), false)
    assert.deepEqual(signed.incidents, [])
    // Not one presignature after the other: two tries, and a look at the pool between them.
    assert.ok(calls(cluster) - start < 18)
  })

  it("leaves a set of which one signer has lost everything also when no other has a pool", async () => {
    const [set] = (await owner.session.pools.status(owner.key.keyId)).sets
    const signers = set?.signers as number[]
    const plan = { keyId: owner.key.keyId, floor: 16, cap: 16, sets: [signers] }
    await owner.session.pools.fill(plan)
    await cluster.restart(signers[1] as number)
    const signed = await signText(owner, "with another set")
    assert.notDeepEqual(signed.signers, signers)
    assert.deepEqual(signed.incidents, [])
  })

  it("makes 64 signatures at once without a pool", async () => {
    const texts = Array.from({ length: 64 }, (_, i) => `text ${i}`)
    const signed = await Promise.all(texts.map((text) => signText(owner, text)))
    assert.equal(new Set(signed.map(({ r }) => toHex(r))).size, 64)
  })

  it("sets a pair up again that one server has forgotten, or has another setup of", async () => {
    const pair = await TestCluster.start({ servers: 2 })
    const alone = await ecdsaOwner(pair)
    const old = await forgetPair(pair.server(1), 2)
    const first = await signText(alone, "after one forgot")
    await putPairBack(pair.server(1), 2, old)
    const second = await signText(alone, "after the two differ")
    assert.deepEqual([...first.incidents, ...second.incidents], [])
    const { pairs } = await alone.session.pools.status(alone.key.keyId)
    assert.deepEqual(pairs, [{ servers: [1, 2], state: "live" }])
  })

  it("drains a pool and goes on, each presignature used once", async () => {
    await fill(3)
    const seen = new Set<string>()
    for (let i = 0; i < 16; i++) seen.add(toHex((await signText(owner, `text ${i}`)).r))
    assert.equal(seen.size, 16)
    const { sets } = await owner.session.pools.status(owner.key.keyId)
    assert.deepEqual(
      sets.map(({ ready }) => ready),
      [0, 0, 0],
    )
  })

  it("lets two clients race for one pool, each presignature used once", async () => {
    await fill(12)
    const other = { session: await anotherLogin(cluster), key: owner.key }
    const racers = [owner, other].flatMap((one, who) =>
      Array.from({ length: 16 }, (_, i) => signText(one, `client ${who}, ${i}`)),
    )
    const signed = await Promise.all(racers)
    assert.equal(new Set(signed.map(({ r }) => toHex(r))).size, 32)
    assert.deepEqual(
      signed.flatMap(({ incidents }) => incidents),
      [],
    )
    await other.session.logout()
  })

  it("stops at once when it is cancelled, wherever it is, and can be begun again", async () => {
    // On the spot it takes 17 answers; what is made there goes on, and the next takes fewer.
    for (const answers of [12, 1, 2]) {
      const controller = new AbortController()
      let count = 0
      for (const wire of cluster.wires.values()) {
        wire.recall = async () => {
          if (++count === answers) controller.abort()
          return false
        }
      }
      const { signal } = controller
      const options = { key: owner.key, ...digestOf(`cancelled at ${answers}`), signal }
      await refused(() => owner.session.signDigestOf(options), "cancelled")
    }
    for (const wire of cluster.wires.values()) delete wire.recall
    for (const wire of cluster.wires.values()) wire.hangs = true
    const controller = new AbortController()
    const options = { key: owner.key, ...digestOf("hanging"), signal: controller.signal }
    const act = owner.session.signDigestOf(options)
    setTimeout(() => controller.abort(), 20)
    await refused(() => act, "cancelled")
    for (const wire of cluster.wires.values()) wire.hangs = false
    await signText(owner, "after all that")
  })
})
