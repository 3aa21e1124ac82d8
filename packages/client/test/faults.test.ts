import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import { verifySignature } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

const NAME_AND_PASSWORD = { name: "alice", password: "correct horse" }

interface Owner {
  readonly cluster: TestCluster
  readonly keeper: LockKeeper
  readonly session: Session
  readonly key: KeyInfo
}

async function owner(): Promise<Owner> {
  const cluster = await TestCluster.start()
  const keeper = await cluster.connect()
  await keeper.register(NAME_AND_PASSWORD)
  const session = await keeper.login(NAME_AND_PASSWORD)
  const { key } = await session.keys.create({ type: "ed25519" })
  return { cluster, keeper, session, key }
}

async function signs(session: Session, { keyId, publicKey }: KeyInfo): Promise<readonly number[]> {
  const message = utf8("still here")
  const { signature, signers } = await session.sign({ keyId, message })
  assert.ok(verifySignature(publicKey, message, signature))
  return signers
}

describe("with one server down", () => {
  it("login, listing, signing and key generation go on, and say who was missing", async () => {
    const { cluster, keeper, session, key } = await owner()
    for (const identifier of [1, 2, 3]) {
      cluster.wire(identifier).down = true
      assert.ok(!(await signs(session, key)).includes(identifier))
      const other = await keeper.login(NAME_AND_PASSWORD)
      assert.ok(!(await signs(other, key)).includes(identifier))
      const { keys, unconfirmed } = await other.keys.list()
      assert.equal(keys.length + unconfirmed.length, identifier)
      const created = await session.keys.create({ type: "ed25519", label: `without ${identifier}` })
      assert.deepEqual(
        created.key.holders,
        [1, 2, 3].filter((id) => id !== identifier),
      )
      assert.ok(
        created.incidents.some(
          ({ server, kind }) => server === identifier && kind === "unresponsive",
        ),
      )
      assert.ok(created.incidents.every(({ evidence }) => evidence === null))
      await signs(session, created.key)
      cluster.wire(identifier).down = false
      const { ready, problem } = (await keeper.health())[identifier - 1] as {
        ready: boolean
        problem: string
      }
      assert.deepEqual([ready, problem], [true, ""])
    }
  })

  it("registration stops, names the server, and succeeds when it is back", async () => {
    const cluster = await TestCluster.start()
    const keeper = await cluster.connect()
    cluster.wire(3).down = true
    const error = await refused(() => keeper.register(NAME_AND_PASSWORD), "not-enough-servers")
    assert.match(error.message, /server-3/)
    const [, , health] = await keeper.health()
    assert.equal(health?.ready, false)
    assert.notEqual(health?.problem, "")
  })
})

describe("with one server hanging", () => {
  it("login, signing and key generation finish at the pace of the others", async () => {
    const { cluster, keeper, session, key } = await owner()
    cluster.wire(2).hangs = true
    const start = performance.now()
    for (let i = 0; i < 4; i++) assert.ok(!(await signs(session, key)).includes(2))
    const other = await keeper.login(NAME_AND_PASSWORD)
    await signs(other, key)
    assert.ok(performance.now() - start < 3_000)
    const created = await session.keys.create({ type: "bip340" })
    assert.deepEqual(created.key.holders, [1, 3])
    await other.logout()
  })
})

describe("a key generation with a server that is known to be silent", () => {
  it("does not wait as long for it as for others, and has it hold the next key when it answers", async () => {
    const { cluster } = await owner()
    const keeper = await cluster.connect({ keyGenerationStepMs: 60_000, hedgeMs: 1_500 })
    const session = await keeper.login(NAME_AND_PASSWORD)
    cluster.wire(2).hangs = true
    // One of three turns begins with other servers and so does not hear that it is silent.
    for (let i = 0; i < 2; i++) await (await keeper.login(NAME_AND_PASSWORD)).keys.list()
    const start = performance.now()
    const { key, incidents } = await session.keys.create({ type: "ed25519" })
    assert.ok(performance.now() - start < 45_000)
    assert.deepEqual(key.holders, [1, 3])
    const seen = incidents.map(({ server, kind }) => [server, kind])
    assert.deepEqual(seen, [[2, "unresponsive"]])
    cluster.wire(2).hangs = false
    const { key: next } = await session.keys.create({ type: "ed25519" })
    assert.deepEqual(next.holders, [1, 2, 3])
  })
})

describe("with two of three servers down", () => {
  it("everything is refused, saying how many it takes", async () => {
    const { cluster, keeper, session, key } = await owner()
    cluster.wire(1).down = true
    cluster.wire(3).down = true
    for (const act of [
      () => signs(session, key),
      () => keeper.login(NAME_AND_PASSWORD),
      () => session.keys.list(),
      () => session.keys.create({ type: "ed25519" }),
    ]) {
      const error = await refused(act, "not-enough-servers")
      assert.match(error.message, /2/)
      assert.match(error.remedy, /health/)
    }
    cluster.wire(1).down = false
    await signs(session, key)
  })
})

describe("a server that restarts in mid-session", () => {
  it("is resumed without the password, and its lost nonces are replaced", async () => {
    const { cluster, session, key } = await owner()
    for (let i = 0; i < 3; i++) await signs(session, key)
    for (const identifier of [1, 2, 3]) await cluster.restart(identifier)
    for (let i = 0; i < 3; i++) {
      const message = utf8(`after restart ${i}`)
      const signed = await session.sign({ keyId: key.keyId, message })
      assert.ok(verifySignature(key.publicKey, message, signed.signature))
    }
    assert.equal((await session.keys.list()).keys.length, 1)
    await session.keys.create({ type: "ed25519" })
  })

  it("and one that restarts while another is down still leaves t", async () => {
    const { cluster, session, key } = await owner()
    for (let i = 0; i < 3; i++) await signs(session, key)
    cluster.wire(3).down = true
    await cluster.restart(1)
    await cluster.restart(2)
    assert.deepEqual(await signs(session, key), [1, 2])
  })
})

describe("lost answers", () => {
  it("are asked for again, and nothing is done twice", async () => {
    const { cluster, session, key } = await owner()
    for (let i = 0; i < 3; i++) await signs(session, key)
    for (const identifier of [1, 2, 3]) cluster.wire(identifier).loseAnswers = 1
    const message = utf8("once")
    const signed = await session.sign({ keyId: key.keyId, message })
    assert.ok(verifySignature(key.publicKey, message, signed.signature))
    assert.deepEqual(signed.incidents, [])
    for (const identifier of [1, 2, 3]) cluster.wire(identifier).loseAnswers = 1
    const { key: made } = await session.keys.create({ type: "ed25519", label: "lost" })
    assert.deepEqual(made.holders, [1, 2, 3])
    assert.equal((await session.keys.list()).keys.length, 2)
  })
})

describe("frames of which a copy comes first", () => {
  it("are answered all the same, and nothing is done twice", async () => {
    const { cluster, session, key } = await owner()
    for (let i = 0; i < 3; i++) await signs(session, key)
    for (const identifier of [1, 2, 3]) cluster.wire(identifier).copies = 1
    const message = utf8("once")
    const signed = await session.sign({ keyId: key.keyId, message })
    assert.ok(verifySignature(key.publicKey, message, signed.signature))
    assert.deepEqual(signed.incidents, [])
    for (const identifier of [1, 2, 3]) cluster.wire(identifier).copies = 1
    const { key: made, incidents } = await session.keys.create({ type: "ed25519", label: "copied" })
    assert.deepEqual([made.holders, incidents], [[1, 2, 3], []])
    assert.equal((await session.keys.list()).keys.length, 2)
  })

  it("without end cost one server's answer", async () => {
    const { cluster, session, key } = await owner()
    cluster.wire(1).copies = Number.POSITIVE_INFINITY
    const { calls } = cluster.wire(1)
    const { key: made, incidents } = await session.keys.create({ type: "ed25519" })
    assert.deepEqual(made.holders, [2, 3])
    const seen = incidents.map(({ server, kind }) => [server, kind])
    assert.deepEqual(seen, [[1, "unresponsive"]])
    for (let i = 0; i < 3; i++) assert.deepEqual(await signs(session, key), [2, 3])
    assert.ok(cluster.wire(1).calls - calls <= 16)
  })
})

describe("a relay that alters answers", () => {
  it("costs one server's answer and is not mistaken for the server's fault", async () => {
    const { cluster, keeper, session, key } = await owner()
    cluster.wire(1).tamper = (_, answer) => {
      const altered = answer.slice()
      altered[altered.length - 1] = (altered.at(-1) as number) ^ 1
      return altered
    }
    for (let i = 0; i < 3; i++) assert.deepEqual(await signs(session, key), [2, 3])
    const other = await keeper.login(NAME_AND_PASSWORD)
    assert.ok(other.incidents.every(({ kind }) => kind !== "proven"))
    await signs(other, key)
  })
})
