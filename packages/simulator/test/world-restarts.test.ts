import assert from "node:assert/strict"
import { test } from "node:test"
import type { Session } from "@lockkeeper/client"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { KeyServer } from "@lockkeeper/server"
import { World } from "../src/index.ts"

const OWNER = { name: "alice", password: "correct horse battery staple" }

async function ready(
  seed: string,
  body: (world: World, session: Session, keyId: Bytes) => Promise<void>,
): Promise<World> {
  const world = await World.create({ seed })
  await world.clock.run(async () => {
    const keeper = await world.connect("laptop")
    await keeper.register(OWNER)
    const session = await keeper.login(OWNER)
    const { keyId } = (await session.keys.create({ type: "ed25519" })).key
    await body(world, session, keyId)
  })
  assert.deepEqual(world.observations.bugs, [])
  return world
}

const operationsOf = (world: World, server: number): readonly string[] =>
  world.observations.commits
    .filter((commit) => commit.server === server)
    .flatMap(({ entries }) =>
      entries.map(({ event: { operation, reason } }) => `${operation}:${reason}`),
    )

test("a stop lets requests under way end", async () => {
  await ready("drained", async (world, session, keyId) => {
    const sign = (text: string) => session.sign({ keyId, message: utf8(text) })
    for (let i = 0; i < 4; i++) await sign(`commitments for ${i}`)
    world.kill(3)
    world.disk(1).latency = { readMs: 0, commitMs: 400 }
    const signing = sign("under way at the only two that can")
    while (!world.disk(1).busy) await world.clock.wait(1)
    await world.stop(1)
    assert.deepEqual([...(await signing).signers].sort(), [1, 2])
  })
})

test("after a stop of all servers at once the next start finds the store as it was left", async () => {
  await ready("orderly", async (world, session, keyId) => {
    const signing = session.sign({ keyId, message: utf8("under way") })
    await world.clock.wait(60)
    await Promise.all(world.servers.map((server) => world.restart(server)))
    await signing
    for (const server of world.servers) {
      assert.equal(world.machine(server).server?.storeCondition, "orderly")
      const operations = operationsOf(world, server)
      assert.deepEqual(operations.slice(-2), ["server.stop:", "server.start:"])
    }
  })
})

test("a server that logged in an owner does so again after an orderly restart", async () => {
  await ready("secrets", async (world, session) => {
    await session.logout()
    for (const server of world.servers) assert.equal(await world.restart(server), true)
    const keeper = await world.connect("phone")
    await (await keeper.login(OWNER)).logout()
  })
})

test("a start over a killed process is unclean, and burns what that left unfinished", async () => {
  await ready("unclean", async (world, session, keyId) => {
    for (let i = 0; i < 3; i++) await session.sign({ keyId, message: utf8(`${i}`) })
    const before = await world.inspect(1).scan("nonces", "", "", 256)
    assert.ok(before.length > 0)
    assert.equal(await world.start(1), true)
    assert.equal(world.machine(1).server?.storeCondition, "unclean")
    assert.ok(operationsOf(world, 1).includes("server.start:unclean-stop"))
    assert.equal((await world.inspect(1).scan("nonces", "", "", 256)).length, 0)
  })
})

test("a process that is killed while it stops leaves nothing that vouches for its store", async () => {
  await ready("killed in stop", async (world) => {
    for (const when of ["before", "after"] as const) {
      assert.equal(await world.restart(1), true)
      world.disk(1).crash(when)
      await world.stop(1)
      assert.equal(world.disk(1).anchor, null)
      assert.equal(await world.start(1), true)
      assert.equal(world.machine(1).server?.storeCondition, "unclean")
    }
  })
})

test("a process that cannot write its last entry stops, and the next start is unclean", async () => {
  await ready("full in stop", async (world) => {
    world.disk(1).full = true
    await world.stop(1)
    world.disk(1).heal()
    assert.equal(await world.start(1), true)
    assert.equal(world.machine(1).server?.storeCondition, "unclean")
  })
})

test("what a dead process was doing never ends, and no event of it is heard", async () => {
  await ready("dead", async (world, session, keyId) => {
    const { number } = world.machine(1).running ?? { number: -1 }
    const { server } = world.machine(1)
    assert.ok(server !== null)
    world.kill(1)
    const late = await Promise.race([
      server.tidy().then(() => "ended"),
      world.clock.wait(10_000).then(() => "silent"),
    ])
    assert.equal(late, "silent")
    await world.start(1)
    await session.sign({ keyId, message: utf8("with the next process") })
    const { commits, answers } = world.observations
    const last = commits.findLastIndex((one) => one.server === 1 && one.process === number)
    const next = commits.findIndex((one) => one.server === 1 && one.process > number)
    assert.ok(last < next)
    assert.ok(
      answers.every((one) => one.process !== number || one.time <= world.clock.now() - 10_000),
    )
  })
})

test("the simulation says when it waits for nothing, though servers keep house", async () => {
  const world = await World.create({ seed: "nothing" })
  await assert.rejects(
    world.clock.run(() => new Promise(() => undefined)),
    /waits for nothing/,
  )
})

test("whoever plants a bug reaches a server's dependencies, its making and its endpoint", async () => {
  const reached = new Set<string>()
  const world = await World.create({
    seed: "planted",
    deps: (identifier, deps) => {
      reached.add(`deps ${identifier}`)
      return deps
    },
    makeServer: (self, deps) => {
      reached.add(`server ${self.identifier}`)
      return new KeyServer(self, deps)
    },
    endpoint: (identifier, endpoint) => {
      reached.add(`endpoint ${identifier}`)
      return endpoint
    },
  })
  assert.equal(world.isRunning(3), true)
  assert.equal(reached.size, 9)
})
