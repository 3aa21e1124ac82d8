import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeper } from "@lockkeeper/client"
import { verifySignature } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { World } from "../src/index.ts"

interface Run {
  readonly hash: string
  readonly messages: number
  readonly milliseconds: number
}

/** Register, log in, make a key, sign; then lose a server and sign again. */
async function wholePath(seed: string): Promise<Run> {
  const world = await World.create({ seed })
  const start = world.clock.now()
  await world.clock.run(async () => {
    const dependencies = world.dependenciesFor("alice's laptop")
    const keeper = await LockKeeper.connect({ ...world.trust, dependencies })
    const password = "correct horse battery staple"
    await keeper.register({ name: "alice", password })
    const session = await keeper.login({ name: "alice", password })
    const { key } = await session.keys.create({ type: "ed25519" })
    const message = utf8("pay one to bob")
    const { signature } = await session.sign({ keyId: key.keyId, message })
    assert.ok(verifySignature(key.publicKey, message, signature))
    world.kill(1)
    const again = await session.sign({ keyId: key.keyId, message: utf8("pay two to bob") })
    assert.ok(verifySignature(key.publicKey, utf8("pay two to bob"), again.signature))
    assert.deepEqual([...again.signers], [2, 3])
    await session.logout()
  })
  return {
    hash: world.trace.hash,
    messages: world.trace.length,
    milliseconds: world.clock.now() - start,
  }
}

test("the same seed gives the same trace of register, login, key generation and signing", async () => {
  const runs = [await wholePath("seed 1"), await wholePath("seed 1"), await wholePath("seed 1")]
  assert.ok((runs[0]?.messages ?? 0) > 40)
  assert.deepEqual(runs[1], runs[0])
  assert.deepEqual(runs[2], runs[0])
})

test("another seed gives another trace", async () => {
  const one = await wholePath("seed 1")
  const other = await wholePath("seed 2")
  assert.notEqual(one.hash, other.hash)
})

/** Make an ECDSA key, fill its pool, sign from it; then stop one server in order and kill another. */
async function ecdsaPath(seed: string): Promise<Run & { readonly pools: readonly number[] }> {
  const world = await World.create({ seed })
  const start = world.clock.now()
  const pools: number[] = []
  await world.clock.run(async () => {
    const dependencies = world.dependenciesFor("alice's laptop")
    const keeper = await LockKeeper.connect({ ...world.trust, dependencies })
    const password = "correct horse battery staple"
    await keeper.register({ name: "alice", password })
    const session = await keeper.login({ name: "alice", password })
    const { key } = await session.keys.create({ type: "ecdsa-secp256k1" })
    const { keyId } = key
    const sign = async (n: number): Promise<void> => {
      const digest = new Uint8Array(32).fill(n)
      const content = { kind: "message", message: digest } as const
      const { publicKey } = await session.signDigestOf({ keyId, content })
      assert.deepEqual(publicKey, key.publicKey)
    }
    const count = async (): Promise<void> => {
      const { sets } = await session.pools.status(keyId)
      pools.push(sets.reduce((sum, { ready }) => sum + ready, 0))
    }
    await session.pools.fill({ keyId, floor: 2, cap: 2 })
    await count()
    await sign(1)
    await count()
    for (const server of [1, 2, 3]) await world.stop(server)
    for (const server of [1, 2, 3]) await world.start(server)
    await count()
    await sign(2)
    for (const server of [1, 2, 3]) world.kill(server)
    for (const server of [1, 2, 3]) await world.start(server)
    await count()
    await sign(3)
    await session.logout()
  })
  const milliseconds = world.clock.now() - start
  return { hash: world.trace.hash, messages: world.trace.length, milliseconds, pools }
}

test("the same seed gives the same trace of presigning and ECDSA, through stops and kills", async () => {
  const runs = [await ecdsaPath("seed 1"), await ecdsaPath("seed 1")]
  assert.deepEqual(runs[1], runs[0])
  const [full, used, stopped, killed] = runs[0]?.pools ?? []
  assert.ok(full !== undefined && full > 0)
  assert.equal(used, full - 1)
  assert.equal(stopped, used, "an orderly stop keeps the pool")
  assert.equal(killed, 0, "a kill burns it")
})

test("a server that restarts in mid-session is resumed without the password", async () => {
  const world = await World.create({ seed: "restart" })
  await world.clock.run(async () => {
    const dependencies = world.dependenciesFor("alice's laptop")
    const keeper = await LockKeeper.connect({ ...world.trust, dependencies })
    await keeper.register({ name: "alice", password: "a long password" })
    const session = await keeper.login({ name: "alice", password: "a long password" })
    const { key } = await session.keys.create({ type: "bip340" })
    for (const server of [1, 2, 3]) {
      world.kill(server)
      await world.start(server)
      const message = new Uint8Array(32).fill(server)
      const { signature } = await session.sign({ keyId: key.keyId, message })
      assert.equal(signature.length, 64)
    }
  })
})
