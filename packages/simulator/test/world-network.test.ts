import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError, type Session } from "@lockkeeper/client"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { World } from "../src/index.ts"

const OWNER = { name: "alice", password: "correct horse battery staple" }
const LAPTOP = "alice's laptop"

interface Ready {
  readonly world: World
  readonly session: Session
  readonly keyId: Bytes
  sign(message: string): Promise<readonly number[]>
}

async function ready(seed: string, body: (ready: Ready) => Promise<void>): Promise<World> {
  const world = await World.create({ seed })
  await world.clock.run(async () => {
    const keeper = await world.connect(LAPTOP)
    await keeper.register(OWNER)
    const session = await keeper.login(OWNER)
    const { keyId } = (await session.keys.create({ type: "ed25519" })).key
    const sign = async (text: string) =>
      (await session.sign({ keyId, message: utf8(text) })).signers
    await body({ world, session, keyId, sign })
  })
  return world
}

const count = (world: World, what: string): number =>
  world.trace.lines.filter((line) => line.what === what).length

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason) => reason,
  )
  assert.ok(error instanceof LockKeeperError, String(error))
  return error.code
}

test("a server that is down refuses the connection at once", async () => {
  await ready("down", async ({ world, sign }) => {
    world.kill(1)
    const start = world.clock.now()
    for (let i = 0; i < 3; i++) assert.deepEqual([...(await sign(`${i}`))].sort(), [2, 3])
    assert.ok(world.clock.now() - start < 1_000)
  })
})

test("a lost message is missed only by whoever waits for it, and the work goes on elsewhere", async () => {
  const world = await ready("lost", async ({ world, sign }) => {
    world.network.faults.set({ server: 2 }, { drop: 1 })
    const start = world.clock.now()
    for (let i = 0; i < 3; i++) assert.deepEqual([...(await sign(`${i}`))].sort(), [1, 3])
    const took = world.clock.now() - start
    assert.ok(took >= 1_000 && took < 6_000, `${took} ms`)
  })
  assert.ok(count(world, "requests-lost") > 0)
})

test("a partition one way lets requests through and no answer back", async () => {
  const world = await ready("one way", async ({ world, sign }) => {
    const answered = () => world.observations.answers.filter(({ server }) => server === 3).length
    world.network.partition(LAPTOP, 3, "answers")
    const before = answered()
    for (let i = 0; i < 3; i++) assert.deepEqual([...(await sign(`${i}`))].sort(), [1, 2])
    assert.ok(answered() > before, "the server acted")
    world.heal()
    world.network.partition("*", 3, "requests")
    const then = answered()
    world.kill(1)
    assert.equal(await codeOf(sign("cut off")), "not-enough-servers")
    assert.equal(answered(), then, "nothing reached it")
    world.heal()
    assert.deepEqual([...(await sign("healed"))].sort(), [2, 3])
  })
  assert.ok(count(world, "answers-cut") > 0 && count(world, "requests-cut") > 0)
})

test("a partition of one actor leaves the others alone", async () => {
  await ready("one actor", async ({ world, sign }) => {
    world.network.partition(LAPTOP)
    const phone = await world.connect("alice's phone")
    const session = await phone.login(OWNER)
    assert.equal(session.incidents.length, 0)
    assert.equal(await codeOf(sign("from the laptop")), "not-enough-servers")
    world.heal()
    await sign("from the laptop, healed")
  })
})

test("a frame that comes twice is acted on once", async () => {
  const world = await ready("twice", async ({ world, sign }) => {
    world.network.faults.duplicate = 1
    for (let i = 0; i < 6; i++) await sign(`${i}`)
    await world.clock.wait(2_000)
  })
  const { uses, commits } = world.observations
  assert.ok(count(world, "duplicated") >= 12)
  assert.equal(uses.length, 12)
  const signed = commits.flatMap(({ entries }) =>
    entries.filter(({ event }) => event.operation === "sign" && event.outcome === "done"),
  )
  assert.equal(signed.length, 12)
})

test("messages overtake each other, and nothing but time is lost", async () => {
  const world = await ready("overtaken", async ({ world, session, keyId }) => {
    world.network.faults.reorder = 0.5
    const messages = Array.from({ length: 8 }, (_, i) => utf8(`${i}`))
    await Promise.all(messages.map((message) => session.sign({ keyId, message })))
  })
  assert.ok(count(world, "requests-held-back") > 0 && count(world, "answers-held-back") > 0)
})

test("a server whose clock is wrong is passed over, and one's own is told", async () => {
  await ready("skewed", async ({ world, sign }) => {
    world.skew(1, 10 * 60_000)
    for (let i = 0; i < 3; i++) assert.deepEqual([...(await sign(`${i}`))].sort(), [2, 3])
    world.heal()
    world.skew(LAPTOP, -10 * 60_000)
    const keeper = await world.connect(LAPTOP)
    assert.equal(await codeOf(keeper.login(OWNER)), "clock-skew")
    world.heal()
    await keeper.login(OWNER)
    world.kill(1)
    world.skew(1, -60 * 60_000)
    assert.equal(await world.start(1), false, "behind its own log")
    world.heal()
    assert.equal(await world.start(1), true)
  })
})

test("servers keep house every minute of virtual time, for as long as they run", async () => {
  await ready("tidy", async ({ world, sign }) => {
    await sign("leaves answers behind")
    const kept = async (id: number) => (await world.inspect(id).scan("answers", "", "", 256)).length
    assert.ok((await kept(1)) > 0)
    world.kill(2)
    await world.clock.wait(7 * 60_000)
    assert.equal(await kept(1), 0)
    assert.ok((await kept(2)) > 0)
  })
})
