import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import type { LockKeeper, Session } from "@lockkeeper/client"
import { verifySignature } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { TestCluster } from "./cluster.ts"

const PASSWORD = "correct horse battery staple"

describe("an owner of three real servers", () => {
  let cluster: TestCluster
  let keeper: LockKeeper
  let session: Session

  before(async () => {
    cluster = await TestCluster.start()
    keeper = await cluster.connect()
    const registered = await keeper.register({ name: "Alice", password: PASSWORD })
    assert.equal(registered.name, "alice")
    assert.deepEqual(registered.incidents, [])
    session = await keeper.login({ name: "alice", password: PASSWORD })
    assert.deepEqual(session.incidents, [])
  })

  it("makes an Ed25519 key and signs with it", async () => {
    const { key, incidents, log } = await session.keys.create({ type: "ed25519", label: "mine" })
    assert.deepEqual(incidents, [])
    assert.equal(log.length, 3)
    const message = utf8("message")
    const signed = await session.sign({ keyId: key.keyId, message })
    assert.equal(verifySignature(key.publicKey, message, signed.signature), true)
    assert.equal(signed.signers.length, 2)
    assert.equal(signed.log.length, 2)
    assert.deepEqual(signed.publicKey, key.publicKey)
  })
})
