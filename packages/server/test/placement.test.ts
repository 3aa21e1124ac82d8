import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { verifySignature } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { createKey, signWith } from "./flows.ts"
import { startCluster } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

const MESSAGE = utf8("a message")

test("a signer set that breaks a placement rule is refused by every signer", async () => {
  const operators = ["one company", "one company", "another"]
  const owner = new TestOwner(await startCluster({ operators, distinctOperators: true }))
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  const certificate = await createKey(owner, sessions, "ed25519")
  const [first, second, third] = sessions as [TestSession, TestSession, TestSession]
  for (const order of [
    [first, second],
    [second, first],
  ]) {
    await assert.rejects(signWith(owner, order, certificate, MESSAGE), (error) => {
      assert.ok(error instanceof LockKeeperError)
      assert.equal(error.code, "permission-denied")
      assert.match(error.message, /two servers share the operator "one company"/)
      return true
    })
  }
  const signature = await signWith(owner, [first, third], certificate, MESSAGE)
  assert.ok(verifySignature(certificate.public.verifyingKey, MESSAGE, signature))
})
