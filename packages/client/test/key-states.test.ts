import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { LockKeeperError, type Session } from "@lockkeeper/client"
import { utf8 } from "@lockkeeper/encoding"
import { TestCluster } from "./cluster.ts"

const owner = { name: "alice", password: "correct horse battery staple" }

async function setUp() {
  const cluster = await TestCluster.start()
  const keeper = await cluster.connect()
  await keeper.register(owner)
  const session = await keeper.login(owner)
  const { key } = await session.keys.create({ type: "ed25519" })
  const end = async (): Promise<void> => {
    await session.logout()
    keeper.close()
  }
  return { cluster, keeper, session, keyId: key.keyId, end }
}

async function refusal(work: Promise<unknown>): Promise<LockKeeperError> {
  const error = await work.then(
    () => null,
    (caught) => caught,
  )
  assert.ok(error instanceof LockKeeperError, `expected a refusal, got ${error}`)
  return error
}

const sign = (session: Session, keyId: Uint8Array) =>
  session.sign({ keyId, message: utf8("hello") })

describe("an owner who suspends a key", () => {
  it("has no signature of it until it is resumed, prepared nonces or not", async () => {
    const { session, keyId, end } = await setUp()
    // The first signature brings nonces for the next.
    await sign(session, keyId)
    const { incidents, ...suspended } = await session.keys.suspend(keyId)
    assert.deepEqual(suspended, {
      ...{ keyId, state: "suspended", servers: [1, 2, 3], missing: [], needed: 2, effective: true },
    })
    assert.deepEqual(incidents, [])
    const error = await refusal(sign(session, keyId))
    assert.deepEqual([error.code, error.field], ["permission-denied", "keyId"])
    assert.match(error.message, /The key is suspended/)
    assert.equal((await session.keys.show(keyId)).state, "suspended")
    assert.equal((await session.keys.resume(keyId)).effective, true)
    await sign(session, keyId)
    await end()
  })

  it("is told who missed it, and whether the rest can sign without those that did it", async () => {
    const { cluster, session, keyId, end } = await setUp()
    cluster.wire(3).down = true
    const two = await session.keys.suspend(keyId)
    assert.deepEqual([two.servers, two.missing, two.needed, two.effective], [[1, 2], [3], 2, true])
    assert.deepEqual(
      two.incidents.map(({ server, kind }) => [server, kind]),
      [[3, "unresponsive"]],
    )
    cluster.wire(3).down = false
    assert.equal((await refusal(sign(session, keyId))).code, "permission-denied")
    await session.keys.resume(keyId)
    cluster.wire(2).down = true
    cluster.wire(3).down = true
    const one = await session.keys.suspend(keyId)
    assert.deepEqual([one.servers, one.missing, one.effective], [[1], [2, 3], false])
    cluster.wire(1).down = true
    assert.equal((await refusal(session.keys.suspend(keyId))).code, "not-enough-servers")
    for (const id of [1, 2, 3]) cluster.wire(id).down = false
    // What the others do without it shows that it is not in effect.
    await sign(session, keyId)
    await end()
  })

  it("cannot take a deactivation back", async () => {
    const { session, keyId, end } = await setUp()
    assert.equal((await session.keys.deactivate(keyId)).state, "deactivated")
    const error = await refusal(session.keys.resume(keyId))
    assert.deepEqual([error.code, error.field], ["permission-denied", "keyId"])
    assert.match(error.message, /The key is deactivated, and stays so/)
    assert.equal((await refusal(sign(session, keyId))).code, "permission-denied")
    await end()
  })
})

describe("a roster with a cryptoperiod", () => {
  it("gives each key an end, which is shown and kept", async () => {
    const { cluster, keeper, session, keyId, end } = await setUp()
    assert.equal((await session.keys.show(keyId)).expiresAt, null)
    await cluster.changeRoster({ cryptoperiodDays: 365 })
    const next = await keeper.login(owner)
    const { createdAt, expiresAt } = await next.keys.show(keyId)
    assert.equal(expiresAt, createdAt + 365 * 86_400_000)
    assert.deepEqual(
      (await next.keys.list()).keys.map((key) => (key.expiresAt ?? 0) - key.createdAt),
      [365 * 86_400_000],
    )
    await sign(next, keyId)
    await next.logout()
    await end()
  })
})
