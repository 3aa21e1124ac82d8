import type { Incident } from "@lockkeeper/client"
import { LockKeeper, LockKeeperError } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { CHEATS, type Cheat, cheatingStore } from "../adversaries/cheating-store.ts"
import { World } from "../index.ts"
import { KINDS, type Kind, kindOf, Owner } from "./operations.ts"

const CHEATER: Identifier = 2

/** Signs of a try that was in vain; a disputed pair stands for one. */
const COSTLY: ReadonlySet<Incident["kind"]> = new Set(["proven", "suspected", "disputed"])

export interface CheaterOptions {
  readonly seed: string
  readonly operations: number
  readonly cheats?: readonly Cheat[]
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

async function run({ seed, operations }: CheaterOptions, cheats: readonly Cheat[]): Promise<Run> {
  const world = await World.create({
    seed,
    deps: (identifier, deps) =>
      identifier === CHEATER ? { ...deps, store: cheatingStore(deps.store, cheats) } : deps,
  })
  const times: (number | null)[] = []
  const incidents: (readonly Incident[])[] = []
  const failures: string[] = []
  await world.clock.run(async () => {
    const dependencies = world.dependenciesFor("alice's laptop")
    const keeper = await LockKeeper.connect({ ...world.trust, dependencies })
    const owner = await Owner.register(keeper)
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

/** The same operations with and without a cheater, in worlds of the same seed. */
export async function cheater(options: CheaterOptions): Promise<CheaterOutcome> {
  const honest = await run(options, [])
  const cheated = await run(options, options.cheats ?? CHEATS)
  const retriesOf = (all: readonly Incident[]) => all.filter(({ kind }) => COSTLY.has(kind)).length
  const retries = cheated.incidents.map(retriesOf)
  const proven = [...honest.incidents, ...cheated.incidents]
    .flat()
    .filter(({ kind, pair, server }) => kind === "proven" || (pair ?? [server]).length === 2)
  const typical = medians(honest)
  const added = cheated.times
    .flatMap((time, i) => (time === null ? [] : [time - (typical.get(kindOf(i)) ?? 0)]))
    .sort((a, b) => a - b)
  return {
    operations: options.operations,
    finished: cheated.times.filter((time) => time !== null).length,
    failures: [...honest.failures, ...cheated.failures],
    mostRetries: Math.max(0, ...retries),
    retries: retries.reduce((sum, one) => sum + one, 0),
    provenFor: [...new Set(proven.map(({ reason }) => reason))].sort(),
    honestBlamed: proven.filter((one) => !blamed(one).includes(CHEATER)).length,
    addedP95Ms: added[Math.floor(added.length * 0.95)] ?? 0,
    addedMaxMs: added.at(-1) ?? 0,
  }
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
