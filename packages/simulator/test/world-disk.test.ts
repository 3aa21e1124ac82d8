import assert from "node:assert/strict"
import { test } from "node:test"
import type { KeyInfo, Session } from "@lockkeeper/client"
import { utf8 } from "@lockkeeper/encoding"
import type { RowChange } from "@lockkeeper/server"
import { SimulatedDisk, World } from "../src/index.ts"

const OWNER = { name: "alice", password: "correct horse battery staple" }

interface Signing {
  readonly world: World
  readonly session: Session
  readonly key: KeyInfo
  sign(message: string): Promise<readonly number[]>
}

/** An owner with an Ed25519 key in a world of its own, and then `body`. */
async function signing(seed: string, body: (signing: Signing) => Promise<void>): Promise<World> {
  const world = await World.create({ seed })
  await world.clock.run(async () => {
    const keeper = await world.connect("alice's laptop")
    await keeper.register(OWNER)
    const session = await keeper.login(OWNER)
    const { key } = await session.keys.create({ type: "ed25519" })
    const sign = async (text: string) =>
      (await session.sign({ keyId: key.keyId, message: utf8(text) })).signers
    await body({ world, session, key, sign })
  })
  return world
}

const namesOf = (world: World, server: number): readonly string[] =>
  world.observations.events.filter((event) => event.server === server).map(({ name }) => name)

for (const when of ["before", "after"] as const) {
  test(`a process that dies ${when} its commit answers nothing, and the signature is made by others`, async () => {
    const world = await signing(`crash ${when}`, async ({ world, sign }) => {
      const [victim] = (await sign("first")) as [number]
      const { answers, commits } = world.observations
      const durable = commits.filter(({ server }) => server === victim).length
      // The client rotates: whoever is asked first next time, two signatures ask the victim.
      world.disk(victim).crash(when)
      const dies = world.machine(victim).running?.number
      for (let i = 0; i < 3 && world.isRunning(victim); i++) await sign(`again ${i}`)
      assert.equal(world.isRunning(victim), false)
      const added = commits.filter(({ server }) => server === victim).length - durable
      const answered = answers.filter((one) => one.server === victim && one.process === dies)
      const last = answered.at(-1)?.commits ?? 0
      if (when === "before") assert.equal(added, 0)
      else assert.equal(added, 1)
      assert.ok(last <= durable, "nothing left the process after its last commit")
      assert.equal(await world.start(victim), true)
      await sign("after the restart")
    })
    assert.ok(world.trace.lines.some(({ what }) => what === `crash-${when}`))
  })
}

/** What a promise is after everything that can happen without time has happened. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  const settled = promise.then(
    () => "resolved",
    (error) => String(error.name),
  )
  const later = new Promise<string>((resolve) => setImmediate(() => resolve("pending")))
  return Promise.race([settled, later])
}

const put: RowChange = {
  ...{ kind: "put", table: "keys", id: "a", ifVersion: "absent" },
  value: new Uint8Array(1),
}

test("a store answers neither yes nor no once its process has died, whatever comes of the disk", async () => {
  for (const when of ["before", "after"] as const) {
    const disk = new SimulatedDisk()
    const dead = disk.mount()
    disk.crash(when)
    assert.equal(await stateOf(dead.commit([put])), "pending")
    const next = disk.mount()
    assert.equal((await next.read("keys", "a")) !== null, when === "after")
    disk.fail("read")
    for (const ask of [() => dead.read("keys", "a"), () => dead.close()]) {
      assert.equal(await stateOf(ask()), "pending")
    }
    assert.equal(await stateOf(next.read("keys", "a")), "StoreUnavailable", "the failure is kept")
    assert.equal(await stateOf(next.read("keys", "a")), "resolved")
  }
})

test("a disk that is full or fails applies nothing, and everything later", async () => {
  const disk = new SimulatedDisk()
  const store = disk.mount()
  disk.full = true
  assert.equal(await stateOf(store.commit([put])), "StoreUnavailable")
  disk.heal()
  disk.fail("commit", 2)
  for (let i = 0; i < 2; i++) assert.equal(await stateOf(store.commit([put])), "StoreUnavailable")
  assert.equal(disk.commits, 0)
  assert.equal(await stateOf(store.commit([put])), "resolved")
})

test("a crash at every commit of a start leaves a disk that the next start takes", async () => {
  await signing("crash in start", async ({ world, sign }) => {
    for (const when of ["before", "after"] as const) {
      for (let nth = 1; nth <= 2; nth++) {
        world.kill(1)
        world.disk(1).crash(when, nth)
        const came = await world.start(1)
        if (came) world.disk(1).heal()
        assert.equal(await world.start(1), true)
      }
    }
    world.kill(2)
    assert.ok((await sign("with the one that crashed")).includes(1))
  })
})

test("a full disk refuses what it would have to log, and serves again when there is room", async () => {
  await signing("full", async ({ world, sign, session }) => {
    const before = world.disk(1).commits
    world.disk(1).full = true
    for (let i = 0; i < 3; i++) assert.ok(!(await sign(`message ${i}`)).includes(1))
    assert.equal(world.disk(1).commits, before)
    assert.ok(namesOf(world, 1).includes("operation-failed"))
    assert.equal(world.isRunning(1), true)
    world.disk(1).heal()
    world.kill(2)
    assert.ok((await sign("there is room again")).includes(1))
    await session.logout()
  })
})

test("a commit or read that fails once costs a retry and no more", async () => {
  await signing("fails once", async ({ world, sign }) => {
    for (const what of ["commit", "read"] as const) {
      for (const server of world.servers) {
        world.disk(server).fail(what)
        assert.equal((await sign(`${what} fails at ${server}`)).length, 2)
      }
      world.heal()
    }
    for (const server of world.servers) assert.equal(world.isRunning(server), true)
  })
})

test("a server that cannot write does not start, and starts once it can", async () => {
  await signing("no start", async ({ world, sign }) => {
    world.kill(3)
    world.disk(3).full = true
    assert.equal(await world.start(3), false)
    assert.equal(world.isRunning(3), false)
    world.disk(3).heal()
    assert.equal(await world.start(3), true)
    world.kill(1)
    assert.ok((await sign("with the one that came back")).includes(3))
  })
})

test("an older copy under an orderly stop is found out, whether or not its anchor comes along", async () => {
  await signing("restored", async ({ world, sign }) => {
    for (const what of ["database", "directory"] as const) {
      await world.restart(1)
      await world.stop(1)
      const old = world.disk(1).snapshot()
      await world.start(1)
      await sign(`one more after the copy of the ${what}`)
      await world.stop(1)
      world.disk(1).restore(old, what)
      assert.equal(await world.start(1), true)
      assert.equal(world.machine(1).server?.storeCondition, "restored")
      assert.equal(world.disk(1).history, what === "database" ? 1 : 2)
    }
    assert.ok(namesOf(world, 1).includes("store-restored"))
    world.kill(2)
    assert.ok((await sign("the restored one signs, with new nonces")).includes(1))
  })
})

test("an older copy under a running process is taken for what it is, and nothing is signed from it", async () => {
  await signing("put back", async ({ world, sign }) => {
    const [victim] = (await sign("before the copy")) as [number]
    const old = world.disk(victim).snapshot()
    for (let i = 0; i < 3; i++) await sign(`after the copy ${i}`)
    world.disk(victim).restore(old)
    const used = world.observations.uses.length
    for (let i = 0; i < 3; i++) assert.ok(!(await sign(`put back ${i}`)).includes(victim))
    const uses = world.observations.uses.slice(used)
    assert.ok(uses.length > 0 && uses.every(({ server }) => server !== victim))
  })
})

test("uses are observed where they are committed, each nonce once", async () => {
  const world = await signing("uses", async ({ sign }) => {
    for (let i = 0; i < 4; i++) await sign(`message ${i}`)
  })
  const { uses } = world.observations
  assert.equal(uses.length, 8)
  assert.equal(new Set(uses.map(({ server, id }) => `${server}/${id}`)).size, 8)
  assert.ok(uses.every(({ kind, event }) => kind === "nonce" && event.outcome === "done"))
  assert.equal(world.observations.guesses.length, 4, "taken and given back at two servers")
})

test("the copy that is inspected is the disk's, readable and out of the servers' reach", async () => {
  await signing("inspect", async ({ world, sign }) => {
    const store = world.inspect(1)
    const position = await store.logPosition()
    for (let i = 0; i < 3; i++) await sign(`later ${i}`)
    assert.deepEqual(await store.logPosition(), position)
    const entries = await store.entries(0, 256)
    assert.equal(entries.length, (position?.index ?? -1) + 1)
    assert.equal((await world.inspect(1).scan("keys", "", "", 10)).length, 1)
  })
})
