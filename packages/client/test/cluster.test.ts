import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import { inspect } from "node:util"
import type { KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import { Secret, verifySignature } from "@lockkeeper/crypto"
import { toHex, utf8 } from "@lockkeeper/encoding"
import { frost } from "@lockkeeper/protocols"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

const PASSWORD = "correct horse battery staple"

function calls(cluster: TestCluster): number {
  return [...cluster.wires.values()].reduce((sum, wire) => sum + wire.calls, 0)
}

describe("an owner of three real servers", () => {
  let cluster: TestCluster
  let keeper: LockKeeper
  let session: Session
  let ed25519: KeyInfo
  let bip340: KeyInfo

  before(async () => {
    cluster = await TestCluster.start()
    keeper = await cluster.connect()
    const registered = await keeper.register({ name: "Alice", password: PASSWORD })
    assert.equal(registered.name, "alice")
    assert.deepEqual(registered.incidents, [])
    session = await keeper.login({ name: "alice", password: PASSWORD })
    assert.deepEqual(session.incidents, [])
    ed25519 = (await session.keys.create({ type: "ed25519", label: "mine" })).key
    bip340 = (await session.keys.create({ type: "bip340", label: "coins" })).key
  })

  it("signs with an Ed25519 key, at t servers, each of which logged it first", async () => {
    const message = utf8("message")
    const signed = await session.sign({ keyId: ed25519.keyId, message })
    assert.equal(verifySignature(ed25519.publicKey, message, signed.signature), true)
    assert.equal(signed.signers.length, 2)
    assert.deepEqual(signed.log.map(({ server }) => server).sort(), signed.signers)
    for (const { log } of signed.log) assert.equal(log.head.length, 32)
    assert.deepEqual(signed.publicKey, ed25519.publicKey)
    assert.deepEqual(signed.incidents, [])
  })

  it("signs for a bip340 key itself, its key path, and a script tree", async () => {
    const message = new Uint8Array(32).fill(7)
    const root = new Uint8Array(32).fill(9)
    const publicKeys = new Set<string>()
    for (const [taproot, tweak] of [
      [undefined, frost.NO_TWEAK],
      ["key-path", { kind: "key-path" }],
      [{ merkleRoot: root }, { kind: "merkle-root", root }],
    ] as const) {
      const options = { keyId: bip340.keyId, message }
      const signed = await session.sign(taproot === undefined ? options : { ...options, taproot })
      const { public: key } = bip340.certificate
      assert.equal(frost.verify(key, message, signed.signature, tweak), true)
      publicKeys.add(toHex(signed.publicKey))
    }
    assert.equal(publicKeys.size, 3)
    assert.ok(publicKeys.has(toHex(bip340.publicKey)))
  })

  it("takes one round trip for each signature once commitments are at hand", async () => {
    const sign = () => session.sign({ keyId: ed25519.keyId, message: utf8("again") })
    for (let i = 0; i < 6; i++) await sign()
    const before = calls(cluster)
    for (let i = 0; i < 5; i++) await sign()
    assert.equal(calls(cluster) - before, 5 * 2)
  })

  it("spreads signatures over all servers", async () => {
    const seen = new Set<number>()
    for (let i = 0; i < 6; i++) {
      const { signers } = await session.sign({ keyId: ed25519.keyId, message: utf8("spread") })
      for (const signer of signers) seen.add(signer)
    }
    assert.equal(seen.size, 3)
  })

  it("makes sixteen signatures at once", async () => {
    const messages = Array.from({ length: 16 }, (_, i) => utf8(`message ${i}`))
    const signed = await Promise.all(
      messages.map((message) => session.sign({ keyId: ed25519.keyId, message })),
    )
    for (const [i, { signature }] of signed.entries()) {
      assert.ok(verifySignature(ed25519.publicKey, messages[i] as Uint8Array, signature))
    }
  })

  it("lists its keys, each said to be custodial and what that means", async () => {
    const { keys, unconfirmed, incidents } = await session.keys.list()
    assert.deepEqual(keys.map(({ label }) => label).sort(), ["coins", "mine"])
    for (const key of keys) {
      assert.equal(key.custody, "custodial")
      assert.match(key.custodyMeaning, /without the owner/)
      assert.equal(key.minSigners, 2)
      assert.deepEqual(key.holders, [1, 2, 3])
    }
    assert.deepEqual([unconfirmed, incidents], [[], []])
    const shown = await session.keys.show(ed25519.keyId)
    assert.deepEqual(shown.publicKey, ed25519.publicKey)
  })

  it("finds its keys in a new session, which signs by id alone", async () => {
    const other = await keeper.login({ name: "ALICE", password: PASSWORD })
    const message = utf8("by id")
    const { signature } = await other.sign({ keyId: ed25519.keyId, message })
    assert.ok(verifySignature(ed25519.publicKey, message, signature))
    await other.logout()
  })

  it("does not find a key it does not have, nor another account's", async () => {
    const missing = await refused(() => session.keys.show(new Uint8Array(32)), "not-found")
    assert.equal(missing.field, "keyId")
    await keeper.register({ name: "bob", password: PASSWORD })
    const bob = await keeper.login({ name: "bob", password: PASSWORD })
    await refused(() => bob.keys.show(ed25519.keyId), "not-found")
    await refused(() => bob.sign({ keyId: ed25519.keyId, message: utf8("x") }), "not-found")
    assert.deepEqual((await bob.keys.list()).keys, [])
    await bob.logout()
  })

  it("cannot take a name twice", async () => {
    const error = await refused(
      () => keeper.register({ name: "alice", password: "other" }),
      "already-exists",
    )
    assert.equal(error.field, "name")
    assert.notEqual(error.remedy, "")
  })

  it("prints neither keys nor secrets, whatever prints it", async () => {
    using password = Secret.copyOf(utf8(PASSWORD))
    const other = await keeper.login({ name: "alice", password })
    for (const text of [JSON.stringify(other), inspect(other, { depth: 9 }), `${other}`]) {
      assert.doesNotMatch(text, /[0-9a-f]{32}|Uint8Array|horse/)
    }
    await other.logout()
  })

  it("refuses everything after logout, and logs out twice in peace", async () => {
    const other = await keeper.login({ name: "alice", password: PASSWORD })
    await other.logout()
    await other.logout()
    for (const act of [
      () => other.keys.list(),
      () => other.keys.show(ed25519.keyId),
      () => other.keys.create({ type: "ed25519" }),
      () => other.sign({ keyId: ed25519.keyId, message: utf8("x") }),
      () => other.changePassword({ current: PASSWORD, next: "next" }),
    ]) {
      const error = await refused(act, "session-ended")
      assert.match(error.remedy, /Log in/)
    }
  })

  it("reports the servers' health", async () => {
    const health = await keeper.health()
    assert.deepEqual(
      health.map(({ ready }) => ready),
      [true, true, true],
    )
    assert.deepEqual(
      health.map(({ problem }) => problem),
      ["", "", ""],
    )
    assert.deepEqual(keeper.threshold, { minSigners: 2, servers: 3 })
  })
})
