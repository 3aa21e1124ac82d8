import assert from "node:assert/strict"
import { beforeEach, describe, it } from "node:test"
import type { Bytes } from "@lockkeeper/encoding"
import { DecodeError, encode } from "@lockkeeper/encoding"
import { dkls, messageCodec } from "@lockkeeper/protocols"
import { EcdsaMaterial } from "../src/ecdsa-material.ts"
import { MATERIAL_LIFETIME_MS, MAX_POOLED } from "../src/limits.ts"
import { TestCluster } from "./cluster.ts"
import { VirtualClock } from "./virtual-time.ts"

const KEY = new Uint8Array(32).fill(1)
const PLACE = { keyId: KEY, keyEpoch: 1, rosterEpoch: 1 }

describe("what is at hand for ECDSA signatures", () => {
  let cluster: TestCluster
  let clock: VirtualClock
  let material: EcdsaMaterial
  let drawn = 0

  beforeEach(async () => {
    cluster = await TestCluster.start()
    clock = new VirtualClock()
    material = new EcdsaMaterial(clock)
  })

  const nonce = (identifier: number): Bytes => {
    const randomness = new Uint8Array(32).fill(++drawn)
    const signer = cluster.server(identifier).self.identity
    return encode(messageCodec, dkls.ecdsaNonce({ ...PLACE, identifier, randomness }, { signer }))
  }
  const offer = (): Bytes => new Uint8Array(32).fill(++drawn)
  const keep = (server: number, nonces: Bytes[], presignatures: Bytes[] = []) =>
    material.keep(KEY, [1, 2], server, { nonces, presignatures })

  it("is taken once, oldest first, when all of it is there", () => {
    assert.deepEqual(material.lacking(KEY, [1, 2]), [1, 2])
    const [a, b, c, d] = [nonce(1), nonce(1), nonce(2), nonce(2)]
    const [p, q] = [offer(), offer()]
    keep(1, [a, b], [p, q])
    assert.equal(material.take(KEY, [1, 2]), null)
    assert.deepEqual(material.lacking(KEY, [1, 2]), [2])
    keep(2, [c, d])
    const taken = [material.take(KEY, [1, 2]), material.take(KEY, [1, 2])]
    assert.deepEqual(
      taken.map((one) => one?.presignature),
      [p, q],
    )
    assert.deepEqual(
      taken.map((one) => one?.nonces.map(({ encoded }) => encoded)),
      [
        [a, c],
        [b, d],
      ],
    )
    assert.equal(material.take(KEY, [1, 2]), null)
  })

  it("is forgotten before the servers forget it", async () => {
    keep(1, [nonce(1)], [offer()])
    keep(2, [nonce(2)])
    await clock.pass(MATERIAL_LIFETIME_MS - 1)
    assert.deepEqual(material.lacking(KEY, [1, 2]), [])
    await clock.pass(1)
    assert.equal(material.take(KEY, [1, 2]), null)
    assert.deepEqual(material.lacking(KEY, [1, 2]), [1, 2])
  })

  it("belongs to one key, and offers to one signer set", () => {
    keep(1, [nonce(1)], [offer()])
    keep(2, [nonce(2)])
    keep(3, [nonce(3)])
    assert.deepEqual(material.lacking(KEY, [1, 3]), [1])
    assert.deepEqual(material.lacking(new Uint8Array(32), [1, 2]), [1, 2])
    assert.deepEqual(
      [material.hasOffer(KEY, [1, 2]), material.hasOffer(KEY, [1, 3])],
      [true, false],
    )
  })

  it("takes offers from the set's first signer alone", () => {
    keep(2, [nonce(2)], [offer()])
    assert.equal(material.hasOffer(KEY, [1, 2]), false)
  })

  it("refuses what is no message", () => {
    assert.throws(() => keep(1, [new Uint8Array(3)]), DecodeError)
    assert.ok(material.lacking(KEY, [1, 2]).includes(1))
  })

  it("keeps no more than it has room for, and what is given back is used first", () => {
    keep(
      1,
      Array.from({ length: MAX_POOLED + 3 }, () => nonce(1)),
      [offer(), offer()],
    )
    assert.equal(material.room(KEY, 1), 0)
    keep(2, [nonce(2), nonce(2)])
    const taken = material.take(KEY, [1, 2])
    assert.ok(taken)
    material.giveBack(KEY, [1, 2], taken)
    assert.deepEqual(material.take(KEY, [1, 2])?.presignature, taken.presignature)
  })

  it("forgets the nonces of a server that has restarted, and no other's", () => {
    keep(1, [nonce(1)], [offer()])
    keep(2, [nonce(2)])
    material.dropNonces(KEY, 2)
    assert.deepEqual(material.lacking(KEY, [1, 2]), [2])
  })
})
