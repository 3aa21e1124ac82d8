import { type Incident, LockKeeperError } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { CHEATS, type Cheat, cheatingStore } from "../adversaries/cheating-store.ts"
import { World } from "../index.ts"
import { KINDS, type Kind, kindOf, Owner } from "./operations.ts"

const CHEATER: Identifier = 2

/** Signs of a try that was in vain; a disputed pair stands for one. */
const COSTLY: ReadonlySet<Incident["kind"]> = new Set([
  "proven",
  "suspected",
  "disputed",
  "unresponsive",
])

export interface CheaterOptions {
  readonly seed: string
  /** At least so many, in equal parts for every way to cheat. */
  readonly operations: number
}

/** What became of the operations of one owner, with one of three servers cheating from the start. */
export interface CheaterOutcome {
  readonly operations: number
  readonly finished: number
  readonly failures: readonly string[]
  /** Most tries in vain that one operation had. */
  readonly mostRetries: number
  readonly retries: number
  /** Ways in which the cheater was proven to be at fault. */
  readonly provenFor: readonly string[]
  readonly honestBlamed: number
  /** 95th percentile, over operations, of what the cheater adds, milliseconds of simulated time. */
  readonly addedP95Ms: number
  readonly addedMaxMs: number
}

interface Run {
  /** Simulated time of each operation, milliseconds; null where it failed. */
  readonly times: readonly (number | null)[]
  readonly incidents: readonly (readonly Incident[])[]
  readonly failures: readonly string[]
}

async function run({ seed, operations }: CheaterOptions, way: Way): Promise<Run> {
  const cheats = way === "silence" ? [] : way
  const world = await World.create({
    seed,
    deps: (identifier, deps) =>
      identifier === CHEATER ? { ...deps, store: cheatingStore(deps.store, cheats) } : deps,
  })
  const times: (number | null)[] = []
  const incidents: (readonly Incident[])[] = []
  const failures: string[] = []
  await world.clock.run(async () => {
    const owner = await Owner.register(await world.connect("alice's laptop"))
    // Registration takes every server, and says which one holds it up.
    if (way === "silence") world.network.partition("*", CHEATER, "answers")
    for (let i = 0; i < operations; i++) {
      const kind = kindOf(i)
      const start = world.clock.now()
      try {
        incidents.push(await owner.do(kind, i))
        times.push(world.clock.now() - start)
      } catch (error) {
        if (!(error instanceof LockKeeperError)) throw error
        incidents.push([])
        times.push(null)
        failures.push(`${kind} ${i}: ${error.code}: ${error.message}`)
      }
    }
  })
  return { times, incidents, failures }
}

type Way = readonly Cheat[] | "silence"

/** Every way to cheat by itself, all at once, and never to answer. */
const WAYS: readonly Way[] = [...CHEATS.map((cheat) => [cheat]), CHEATS, "silence"]

/** The same operations with and without a cheater, in worlds of the same seed. */
export async function cheater({ seed, operations }: CheaterOptions): Promise<CheaterOutcome> {
  const part = { seed, operations: Math.ceil(operations / WAYS.length) }
  const honest = await run(part, [])
  const typical = medians(honest)
  const runs: Run[] = []
  for (const way of WAYS) runs.push(await run(part, way))
  const retries = runs.flatMap(({ incidents }) => incidents.map(costlyOf))
  const added = runs.flatMap(({ times }) =>
    times.flatMap((time, i) => (time === null ? [] : [time - (typical.get(kindOf(i)) ?? 0)])),
  )
  added.sort((a, b) => a - b)
  const accused = [honest, ...runs]
    .flatMap(({ incidents }) => incidents.flat())
    .filter(({ kind }) => kind === "proven" || kind === "disputed")
  return {
    operations: part.operations * WAYS.length,
    finished: runs.flatMap(({ times }) => times.filter((time) => time !== null)).length,
    failures: [honest, ...runs].flatMap(({ failures }) => failures),
    mostRetries: Math.max(...retries),
    retries: retries.reduce((sum, one) => sum + one, 0),
    provenFor: [...new Set(accused.map(({ reason }) => reason))].sort(),
    honestBlamed: accused.filter((one) => !blamed(one).includes(CHEATER)).length,
    addedP95Ms: added[Math.floor(added.length * 0.95)] ?? 0,
    addedMaxMs: added.at(-1) ?? 0,
  }
}

function costlyOf(incidents: readonly Incident[]): number {
  return incidents.filter(({ kind }) => COSTLY.has(kind)).length
}

function blamed({ server, pair }: Incident): readonly Identifier[] {
  return pair ?? [server]
}

/** The usual time of each kind of operation where nobody cheats. */
function medians({ times }: Run): ReadonlyMap<Kind, number> {
  const entries = KINDS.map((kind): [Kind, number] => {
    const own = times
      .flatMap((time, i) => (time !== null && kindOf(i) === kind ? [time] : []))
      .sort((a, b) => a - b)
    return [kind, own[own.length >> 1] ?? 0]
  })
  return new Map(entries)
}
