import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import type { Session } from "@lockkeeper/client"
import { verifySignature } from "@lockkeeper/crypto"
import { toHex, utf8 } from "@lockkeeper/encoding"
import { ecdsa, frost } from "@lockkeeper/protocols"
import { TestCluster } from "./cluster.ts"
import { calls, digestOf, type EcdsaOwner, ecdsaOwner, signText } from "./owners.ts"
import { refused } from "./refusals.ts"

describe("an owner of an ECDSA key at three servers", () => {
  let cluster: TestCluster
  let owner: EcdsaOwner
  let session: Session

  before(async () => {
    cluster = await TestCluster.start()
    owner = await ecdsaOwner(cluster)
    session = owner.session
  })

  it("has a compressed public key, and pairs that are set up already", async () => {
    const { key } = owner
    assert.deepEqual([key.publicKey.length, key.keyType], [33, "ecdsa-secp256k1"])
    assert.ok([2, 3].includes(key.publicKey[0] as number))
    const { pairs } = await session.pools.status(key.keyId)
    assert.deepEqual(
      pairs.map(({ servers, state }) => [servers.join("-"), state]),
      [
        ["1-2", "live"],
        ["1-3", "live"],
        ["2-3", "live"],
      ],
    )
  })

  it("signs without a pool, making a presignature on the spot", async () => {
    const signed = await signText(owner, "on the spot")
    assert.equal(signed.signers.length, 2)
    assert.deepEqual(signed.log.map(({ server }) => server).sort(), signed.signers)
    assert.deepEqual(signed.incidents, [])
  })

  it("gives a recovery id that leads back to the key", async () => {
    for (const text of ["a", "b", "c"]) {
      const { r, s, recovery, publicKey } = await signText(owner, text)
      const { digest } = digestOf(text)
      assert.deepEqual(ecdsa.recoverKey(digest, { r, s, recovery } as never), publicKey)
    }
  })

  it("signs from the pool in one round trip, with nonces that the last answer brought", async () => {
    const { made } = await session.pools.fill({ keyId: owner.key.keyId, floor: 8, cap: 8 })
    assert.ok(made >= 16)
    await signText(owner, "first")
    const start = calls(cluster)
    for (let i = 0; i < 5; i++) await signText(owner, `again ${i}`)
    assert.equal(calls(cluster) - start, 5 * 2)
  })

  it("makes sixteen signatures at once, from what is there and on the spot", async () => {
    const texts = Array.from({ length: 16 }, (_, i) => `text ${i}`)
    const signed = await Promise.all(texts.map((text) => signText(owner, text)))
    assert.equal(new Set(signed.map(({ r }) => toHex(r))).size, 16)
  })

  it("signs for a child that was registered, and for no other", async () => {
    const { child, log, incidents } = await session.keys.derive(owner.key.keyId, [0, 5])
    assert.deepEqual([log.length, incidents], [3, []])
    assert.deepEqual(child, session.keys.childKey(owner.key, [0, 5]))
    await signText(owner, "by a child", [0, 5])
    await session.keys.derive(owner.key.keyId, [0, 5])
    const path = [0, 6]
    const error = await refused(
      () => session.signDigestOf({ key: owner.key, path, ...digestOf("x") }),
      "not-found",
    )
    assert.equal(error.field, "body.path")
  })

  it("refuses what cannot be signed before anything is asked of a server", async () => {
    const { key } = owner
    const good = digestOf("x")
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const tooLarge = new Uint8Array(Buffer.from(order.toString(16), "hex"))
    const start = calls(cluster)
    const message = (digest: Uint8Array) => ({
      content: { kind: "message", message: digest as Uint8Array<ArrayBuffer> } as const,
    })
    for (const [field, options] of [
      ["message", message(new Uint8Array(31))],
      ["message", message(new Uint8Array(33))],
      ["digest", message(new Uint8Array(32))],
      ["digest", message(tooLarge)],
      ["digest", message(new Uint8Array(32).fill(0xff))],
      ["digest", { ...good, digest: new Uint8Array(32).fill(1) }],
      ["digest", { content: { kind: "evm-message", message: utf8("x") } as const }],
      ["path", { ...good, path: [0x8000_0000] }],
      ["path", { ...good, path: [-1] }],
      ["path", { ...good, path: Array.from({ length: 11 }, () => 0) }],
    ] as const) {
      const act = () => session.signDigestOf({ key, ...options } as never)
      assert.equal((await refused(act, "invalid-request")).field, field)
    }
    assert.equal(calls(cluster), start)
  })

  it("is told when the servers derive another digest from the content", async () => {
    const content = { kind: "evm-message", message: utf8("hello") } as const
    const { digest } = digestOf("hello")
    const error = await refused(
      () => session.signDigestOf({ key: owner.key, content, digest }),
      "invalid-request",
    )
    assert.equal(error.field, "digest")
  })

  it("is told which way a key signs", async () => {
    const { key } = await session.keys.create({ type: "ed25519" })
    const ecdsaKey = await refused(
      () => session.sign({ key: owner.key, message: new Uint8Array(32).fill(1) }),
      "invalid-request",
    )
    assert.match(ecdsaKey.remedy, /signDigestOf/)
    const act = () => session.signDigestOf({ key, ...digestOf("x") })
    assert.match((await refused(act, "invalid-request")).remedy, /`sign`/)
  })
})

describe("an owner of FROST keys", () => {
  let session: Session

  before(async () => {
    const keeper = await (await TestCluster.start()).connect()
    const owner = { name: "alice", password: "correct horse" }
    await keeper.register(owner)
    session = await keeper.login(owner)
  })

  it("signs for children of an Ed25519 key", async () => {
    const { key } = await session.keys.create({ type: "ed25519" })
    const { child } = await session.keys.derive(key.keyId, [7])
    const message = utf8("from a child")
    const signed = await session.sign({ key, path: [7], message })
    assert.deepEqual(signed.publicKey, child.publicKey)
    assert.ok(verifySignature(child.publicKey, message, signed.signature))
  })

  it("signs for Taproot outputs of children of a bip340 key", async () => {
    const { key } = await session.keys.create({ type: "bip340" })
    await session.keys.derive(key.keyId, [1, 2])
    const message = new Uint8Array(32).fill(3)
    const options = { keyId: key.keyId, path: [1, 2], message }
    const signed = await session.sign({ ...options, taproot: "key-path" })
    const { public: pkg } = key.certificate
    const tweak = { kind: "key-path" } as const
    assert.ok(frost.verify(pkg, message, signed.signature, tweak, [1, 2]))
    assert.deepEqual(signed.publicKey, frost.publicKeyOf(pkg, tweak, [1, 2]))
  })

  it("takes content of the kinds that the key signs, and says what is missing", async () => {
    const { key } = await session.keys.create({ type: "bip340" })
    const psbt = new Uint8Array(10)
    for (const [field, content] of [
      ["digest", { kind: "bitcoin-input", psbt, input: 0 }],
      ["content", { kind: "evm-message", message: psbt }],
      ["content.input", { kind: "bitcoin-input", psbt, input: -1 }],
      ["content.psbt", { kind: "bitcoin-input", psbt: new Uint8Array(100_000), input: 0 }],
      ["content.kind", { kind: "other" }],
    ] as const) {
      const act = () => session.sign({ key, content: content as never })
      assert.equal((await refused(act, "invalid-request")).field, field)
    }
  })
})
