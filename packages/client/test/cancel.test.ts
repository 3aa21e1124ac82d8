import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import type { KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import { verifySignature } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

const OWNER = { name: "alice", password: "correct horse" }

describe("an operation whose signal aborts", () => {
  let cluster: TestCluster
  let keeper: LockKeeper
  let session: Session
  let key: KeyInfo

  before(async () => {
    cluster = await TestCluster.start()
    keeper = await cluster.connect({ callMs: 60_000, hedgeMs: 60_000, keyGenerationStepMs: 60_000 })
    await keeper.register(OWNER)
    session = await keeper.login(OWNER)
    key = (await session.keys.create({ type: "ed25519" })).key
  })

  const operations: [string, (signal: AbortSignal) => Promise<unknown>][] = [
    ["register", (signal) => keeper.register({ name: "bob", password: "x", signal })],
    ["login", (signal) => keeper.login({ ...OWNER, signal })],
    ["create", (signal) => session.keys.create({ type: "bip340", signal })],
    ["list", (signal) => session.keys.list({ signal })],
    ["show", (signal) => session.keys.show(key.keyId, { signal })],
    ["sign", (signal) => session.sign({ keyId: key.keyId, message: utf8("x"), signal })],
    [
      "changePassword",
      (signal) => session.changePassword({ current: OWNER.password, next: "new", signal }),
    ],
    ["health", (signal) => keeper.health({ signal })],
  ]

  for (const [name, act] of operations) {
    it(`${name} ends at once with \`cancelled\`, before it began and while servers hang`, async () => {
      const start = performance.now()
      await refused(() => act(AbortSignal.abort()), "cancelled")
      for (const wire of cluster.wires.values()) wire.hangs = true
      const controller = new AbortController()
      setTimeout(() => controller.abort(), 30)
      await refused(() => act(controller.signal), "cancelled")
      for (const wire of cluster.wires.values()) wire.hangs = false
      assert.ok(performance.now() - start < 1_000)
    })
  }

  it("leaves a session that works", async () => {
    const message = utf8("still works")
    const { signature } = await session.sign({ keyId: key.keyId, message })
    assert.ok(verifySignature(key.publicKey, message, signature))
    await keeper.login(OWNER)
  })
})
