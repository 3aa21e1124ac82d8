import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError, type Session } from "@lockkeeper/client"
import { utf8 } from "@lockkeeper/encoding"
import { type DiskSnapshot, SeededRandomness, World } from "../src/index.ts"

/** How often the same seed runs; more by `LOCKKEEPER_REPLAYS=100`. */
const REPLAYS = Number(process.env["LOCKKEEPER_REPLAYS"] ?? 5)

const OWNER = { name: "alice", password: "correct horse battery staple" }

interface Run {
  readonly hash: string
  readonly entries: number
  readonly commits: number
  readonly milliseconds: number
  readonly outcomes: string
  readonly kinds: ReadonlySet<string>
}

/** What became of an operation, in a word. */
async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return "done"
  } catch (error) {
    if (!(error instanceof LockKeeperError)) throw error
    return error.code
  }
}

/** Breaks something that was not broken before. */
function breakSomething(
  world: World,
  dice: SeededRandomness,
  copies: ReadonlyMap<number, DiskSnapshot>,
): void {
  const server = 1 + dice.below(3)
  const disk = world.disk(server)
  const what = dice.below(8)
  if (what === 0) world.kill(server)
  else if (what === 1) disk.crash("before")
  else if (what === 2) disk.crash("after")
  else if (what === 3) disk.fail("commit", 1 + dice.below(2))
  else if (what === 4) disk.full = true
  else if (what === 5) world.network.partition("alice's laptop", server, "answers")
  else if (what === 6) world.skew(server, 200_000)
  else {
    world.kill(server)
    disk.restore(copies.get(server) as DiskSnapshot)
  }
}

async function chaos(seed: string): Promise<Run> {
  const world = await World.create({ seed })
  const dice = new SeededRandomness(seed, "chaos")
  const start = world.clock.now()
  const outcomes: string[] = []
  await world.clock.run(async () => {
    const keeper = await world.connect("alice's laptop")
    await keeper.register(OWNER)
    let session: Session = await keeper.login(OWNER)
    const { key } = await session.keys.create({ type: "ed25519" })
    const copies = new Map(world.servers.map((id) => [id, world.disk(id).snapshot()]))
    Object.assign(world.network.faults, { drop: 0.05, duplicate: 0.1, reorder: 0.2 })
    for (let i = 0; i < 6; i++) {
      breakSomething(world, dice, copies)
      const message = utf8(`payment ${i}`)
      outcomes.push(await outcomeOf(session.sign({ keyId: key.keyId, message })))
      world.heal()
      for (const server of world.servers) if (!world.isRunning(server)) await world.start(server)
    }
    outcomes.push(await outcomeOf(session.logout()))
    session = await keeper.login(OWNER)
    await session.sign({ keyId: key.keyId, message: utf8("at last") })
  })
  return {
    hash: world.trace.hash,
    entries: world.trace.length,
    commits: world.observations.commits.length,
    milliseconds: world.clock.now() - start,
    outcomes: outcomes.join(),
    kinds: new Set(world.trace.lines.map(({ what }) => what)),
  }
}

test(`one seed gives one trace ${REPLAYS} times, with every fault that it has`, async () => {
  const first = await chaos("replay")
  for (let i = 1; i < REPLAYS; i++) assert.deepEqual(await chaos("replay"), first)
})

test("seeds differ in what they break, and each recovers", async () => {
  const seen = new Set<string>()
  const hashes = new Set<string>()
  for (let i = 0; i < 12; i++) {
    const { hash, kinds } = await chaos(`seed ${i}`)
    hashes.add(hash)
    for (const kind of kinds) seen.add(kind)
  }
  assert.equal(hashes.size, 12)
  for (const kind of ["kill", "crash-before", "crash-after", "duplicated", "answers-cut"]) {
    assert.ok(seen.has(kind), `nothing was ${kind}`)
  }
})
