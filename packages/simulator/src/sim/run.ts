import type { Event } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, equalBytes, toHex } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { cheatingStore } from "../adversaries/cheating-store.ts"
import type { TraceLine } from "../world/trace.ts"
import { World } from "../world/world.ts"
import { violationsOf } from "./checkers/index.ts"
import { readDurable } from "./durable.ts"
import { FaultSchedule } from "./faults.ts"
import type { Observed, Violation } from "./observed.ts"
import type { Device, Owner } from "./owner.ts"
import { Dice, type Mode, type Plan, planOf } from "./plan.ts"
import { commitsOf, Recorder, startsOf } from "./recorder.ts"
import { spoiledTransfers } from "./spoiled-transfers.ts"
import { Workload } from "./workload.ts"

/** After healing, everything ends within this, milliseconds of virtual time. */
export const LIVENESS_MS = 30_000

/** The same where holders change, one after another. */
const CHANGED_MS = 120_000

/** When somebody tries again whose password was just being changed, milliseconds. */
const AGAIN_MS = 1_000

/** Where nothing is promised about time, what takes longer than this hangs all the same. */
const HANGS_MS = 600_000

/** Evaluations that a server gives for one account; the server's own default. */
const GUESS_LIMIT = 10

/** What became of one seed. */
export interface RunReport {
  readonly plan: Plan
  readonly violations: readonly Violation[]
  readonly traceHash: string
  readonly virtualMs: number
  readonly faults: readonly string[]
  readonly counts: Readonly<Record<string, number>>
  readonly failedWith: Readonly<Record<string, number>>
  readonly lastLines: readonly TraceLine[]
  readonly observed: Observed
}

/** Carries out what a seed stands for and judges it. The same seed gives the same report. */
export async function runSeed(seed: number, mode: Mode): Promise<RunReport> {
  const plan = planOf(seed, mode)
  const world = await World.create({
    seed: `${mode} ${seed}`,
    servers: plan.servers,
    minSigners: plan.minSigners,
    deps: (identifier, deps) => {
      const { cheater } = plan
      if (cheater?.server !== identifier) return deps
      const store = cheatingStore(deps.store, cheater.cheats)
      return { ...deps, store: cheater.spoilsTransfers ? spoiledTransfers(store) : store }
    },
  })
  const start = world.clock.now()
  const recorder = new Recorder(world.observations, () => world.clock.now())
  const run = new Run(world, plan, recorder)
  await world.clock.run(() => run.all())
  const observed = await observedIn(world, run.faults, recorder)
  return {
    plan,
    violations: violationsOf(observed),
    traceHash: world.trace.hash,
    virtualMs: world.clock.now() - start,
    faults: run.faults.happened,
    counts: countsOf(observed),
    failedWith: tally(observed.failures.map(({ code }) => code)),
    lastLines: world.trace.lines.slice(-40),
    observed,
  }
}

class Run {
  readonly faults: FaultSchedule
  readonly #world: World
  readonly #plan: Plan
  readonly #recorder: Recorder
  readonly #workload: Workload

  constructor(world: World, plan: Plan, recorder: Recorder) {
    this.#world = world
    this.#plan = plan
    this.#recorder = recorder
    this.#workload = new Workload(world, plan, recorder, () => this.#excuses())
    this.faults = new FaultSchedule(world, plan, this.#workload.actors)
  }

  async all(): Promise<void> {
    const { early } = this.#plan
    if (!early) await this.#workload.register()
    const storm = this.faults.storm()
    if (early) await this.#workload.register()
    const running = this.#workload.start()
    await storm
    await this.#heal()
    const { change } = this.#workload
    const changed = this.#changed(change && running.get(change.actor))
    const rounds = this.#plan.mode === "liveness" ? this.#newRound(changed) : new Map()
    const limit = change === null ? LIVENESS_MS : CHANGED_MS
    const all = new Map([...running, ...rounds, ["change of holders", changed]])
    await this.#allEnd(all, this.#plan.mode === "liveness" ? limit : HANGS_MS)
    if (this.#plan.mode === "safety") await this.#allEnd(this.#newRound(changed), HANGS_MS)
  }

  /** What failures faults of this run explain beside those that any fault may cause. */
  #excuses(): readonly string[] {
    const { skewed, duplicated, relayed, restored } = this.faults
    return [
      ...(skewed ? ["clock-skew", "expired", "unauthenticated"] : []),
      // Of two copies of a frame the later one is refused, and may be the one that is heard of.
      ...(duplicated ? ["replayed"] : []),
      ...(relayed
        ? ["untrusted-server", "unauthenticated", "replayed", "wrong-server", "invalid-request"]
        : []),
      // For a while not all follow the same roster.
      ...(this.#world.rosters.length > 1 ? ["wrong-roster"] : []),
      // Accounts and passwords of that day return.
      ...(restored.size > 0 ? ["wrong-password", "not-found", "already-exists"] : []),
      // With a liar in between, a password change that stopped half way may look like none at all.
      ...(this.#plan.cheater === null ? [] : ["untrusted-server", "internal", "wrong-password"]),
    ]
  }

  /** In liveness mode as few servers as may be: t honest ones, or all. */
  async #heal(): Promise<void> {
    const world = this.#world
    this.#workload.calm()
    world.heal()
    const healed = this.#healed()
    for (const server of world.servers) {
      if (!healed.includes(server)) world.kill(server)
      else if (!world.isRunning(server)) await world.start(server)
    }
  }

  #healed(): readonly Identifier[] {
    const { mode, cheater, minSigners } = this.#plan
    const { servers } = this.#world
    const dice = new Dice(this.#plan, "healing")
    const fit = servers.filter((id) => id !== cheater?.server && !this.faults.restored.has(id))
    if (this.#plan.changes.length > 0) return servers
    if (mode === "safety" || fit.length < minSigners || dice.percent(50)) return servers
    const turn = dice.below(fit.length)
    return [...fit.slice(turn), ...fit.slice(0, turn)].slice(0, minSigners)
  }

  /** What moves has moved: the shares of everything are where the last roster wants them. */
  async #changed(underWay: Promise<void> | null | undefined): Promise<void> {
    const { change } = this.#workload
    if (change === null) return
    await underWay
    if (this.#plan.mode !== "liveness") return void (await change.finish(1))
    let left = await change.finish()
    if (left.length > 0 && (await this.#endPasswordChanges())) left = await change.finish()
    for (const what of left) this.#recorder.unfinished(what)
  }

  /**
   * What stopped between two passwords, at some servers the one and at some the other, stays where it is
   * until its owner logs in, which ends that. Whether there were such.
   */
  async #endPasswordChanges(): Promise<boolean> {
    const between = this.#workload.owners.filter(({ passwords }) => passwords.length > 1)
    for (const owner of between) {
      const device = this.#workload.freshDevice(owner)
      if (await device.login()) await device.logout()
    }
    return between.length > 0
  }

  /** One more time everything that an owner needs; it has to succeed. */
  #newRound(changed: Promise<void>): ReadonlyMap<string, Promise<void>> {
    const healed = this.#world.servers.filter((id) => this.#world.isRunning(id))
    const fit = healed.filter((id) => !this.faults.restored.has(id))
    const refreshed = changed.then(() => this.#refreshed())
    const rounds = this.#workload.owners.map((owner): [string, Promise<void>] => {
      // A device of its own: those of the storm may still be at work.
      const device = this.#workload.freshDevice(owner)
      const round = async (): Promise<void> => {
        await refreshed
        const { minSigners } = this.#plan
        if (!owner.registered || this.#activatedAt(owner, fit) < minSigners) return
        const must = (what: string, done: boolean): boolean => {
          // Where any number of databases may have been put back, nobody promises that it can.
          if (!done && this.#plan.mode === "liveness")
            this.#recorder.unfinished(`${device.actor} could not ${what} after healing`)
          return done
        }
        const [changes, underWay] = [owner.changes, owner.passwords.length > 1]
        const isIn = (await device.login()) || this.#isLocked()
        // A password that another device is just changing may be neither the one nor the other at once.
        const isChanging = underWay || owner.changes !== changes
        if (!must("log in", isIn || (isChanging && (await this.#loginAgain(device))))) return
        if (!device.loggedIn) return
        await device.list()
        for (const key of owner.keys) {
          if (this.#holdersOf(key.keyId, fit) < minSigners) continue
          const signed = await device.sign(key)
          // Another device's password change ends this one's session, as it must.
          const changed = underWay || owner.changes !== changes
          const loggedOut = !signed && !device.loggedIn && changed
          must("sign", signed || (loggedOut && (await device.login()) && (await device.sign(key))))
        }
        if (owner.keys.length === 0) {
          must("create a key", (await device.createKey("ed25519")) !== null)
        }
        await device.logout()
      }
      return [`new round of ${owner.name}`, round()]
    })
    return new Map([...rounds, ["refresh after healing", refreshed]])
  }

  async #loginAgain(device: Device): Promise<boolean> {
    await this.#world.clock.wait(AGAIN_MS)
    return device.login()
  }

  /** Everything gets new shares before owners go on, and what coordinators left half way is ended. */
  async #refreshed(): Promise<void> {
    const operator = this.#workload.freshOperator()
    if (operator === null) return
    const { servers } = this.#world
    const healed = servers.filter((id) => this.#world.isRunning(id))
    const { cheater, mode } = this.#plan
    const isWhole = cheater === null && this.faults.restored.size === 0
    const left = await operator.refreshAll(healed, isWhole && healed.length === servers.length)
    if (mode === "liveness") for (const what of left) this.#recorder.unfinished(what)
  }

  /**
   * How many of these servers have ever made the account active, by what they committed. Registering
   * ends well once t have: with one of those put back, or down for good, nobody can let the owner in.
   */
  #activatedAt({ name }: Owner, among: readonly Identifier[]): number {
    const { cheater } = this.#plan
    const accountId = toHex(opaque.accountIdOf(name))
    const { commits } = this.#world.observations
    const activates = ({ operation, outcome, accountId: id }: Event): boolean =>
      operation === "account.activate" &&
      outcome === "done" &&
      id !== null &&
      toHex(id) === accountId
    const having = commits
      .filter(({ entries }) => entries.some(({ event }) => activates(event)))
      .map(({ server }) => server)
    return among.filter((id) => having.includes(id) && id !== cheater?.server).length
  }

  /** How many of these servers have told the key's maker that they hold it. */
  #holdersOf(keyId: Bytes, among: readonly Identifier[]): number {
    const { cheater } = this.#plan
    const told = this.#recorder.told.keys.find((key) => equalBytes(key.keyId, keyId))
    const holders = told?.log.map(({ server }) => server) ?? []
    return holders.filter((id) => among.includes(id) && id !== cheater?.server).length
  }

  /** Logins whose answers were lost in the storm have cost guesses, like those of a stranger. */
  #isLocked(): boolean {
    return this.#recorder.told.failures.at(-1)?.code === "locked"
  }

  async #allEnd(running: ReadonlyMap<string, Promise<void>>, limitMs: number): Promise<void> {
    const { clock } = this.#world
    const left = new Set(running.keys())
    const timer = new AbortController()
    const all = Promise.all(
      [...running].map(async ([name, work]) => {
        await work
        left.delete(name)
      }),
    )
    await Promise.race([all, clock.wait(limitMs, timer.signal)])
    timer.abort()
    for (const name of left) {
      this.#recorder.unfinished(`${name} has not ended ${limitMs} ms after healing`)
    }
  }
}

async function observedIn(
  world: World,
  { plan: { cheater, changes }, copies }: FaultSchedule,
  recorder: Recorder,
): Promise<Observed> {
  const { everyServer: servers, rosters } = world
  return {
    ...recorder.told,
    ...{ servers, rosters, guessLimit: GUESS_LIMIT },
    minSigners: Math.min(...rosters.map((roster) => roster.minSigners)),
    dropped: rosters.length > 1 ? changes.flatMap(({ dropped }) => dropped) : [],
    cheaters: cheater === null ? [] : [cheater.server],
    commits: commitsOf(world.observations),
    starts: startsOf(world.observations),
    copies,
    durable: await Promise.all(servers.map((id) => readDurable(id, world.inspect(id)))),
  }
}

function countsOf(observed: Observed): Readonly<Record<string, number>> {
  const { commits, starts, keys, accounts, signatures, shares, evaluations, failures } = observed
  const refreshed = observed.refreshes.reduce((sum, { done }) => sum + done, 0)
  return {
    ...{ commits: commits.length, starts: starts.length, accounts: accounts.length },
    ...{ keys: keys.length, signatures: signatures.length, shares: shares.length },
    ...{ evaluations: evaluations.length, failures: failures.length, refreshed },
  }
}

function tally(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
