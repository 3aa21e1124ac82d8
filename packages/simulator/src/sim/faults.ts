import type { Identifier } from "@lockkeeper/crypto"
import type { DiskSnapshot } from "../world/disk.ts"
import type { World } from "../world/world.ts"
import { LyingRelay } from "./lying-relay.ts"
import type { PutBack } from "./observed.ts"
import { Dice, type Plan } from "./plan.ts"

/** Each kind of fault and how often it is chosen, against each other. */
const WEIGHTS = {
  crash: 24,
  kill: 10,
  restart: 8,
  partition: 10,
  loss: 10,
  duplicates: 6,
  reorder: 6,
  full: 6,
  failing: 8,
  copy: 6,
  skew: 4,
  relay: 4,
} as const

type FaultKind = keyof typeof WEIGHTS

/** Longest a server that died stays down, milliseconds. */
const MOST_DOWN_MS = 5_000

/** How often somebody looks whether a server is down, milliseconds. */
const LOOK_MS = 250

/**
 * Makes faults happen while owners work, and starts servers again that died. One seed gives one
 * sequence, though what a fault hits depends on what the run does then.
 */
export class FaultSchedule {
  /** Kinds that happened, for reports. */
  readonly happened: FaultKind[] = []
  /** Servers whose database the run puts back, or will. */
  readonly restored = new Set<Identifier>()
  readonly copies: PutBack[] = []
  /** Two clocks differed by more than servers accept. */
  skewed = false
  duplicated = false
  relayed = false
  readonly #world: World
  readonly plan: Plan
  readonly #dice: Dice
  readonly #actors: readonly string[]
  readonly #down = new Map<Identifier, number>()
  readonly #working: Promise<void>[] = []
  /** By how much whose clock is wrong now, milliseconds. */
  readonly #wrong = new Map<Identifier | string, number>()
  #over = false

  /** @param actors - names of those whose links can fail by themselves. */
  constructor(world: World, plan: Plan, actors: readonly string[]) {
    this.#world = world
    this.plan = plan
    this.#dice = new Dice(plan, "faults")
    this.#actors = actors
  }

  /** Resolves when the storm is over; everything is still as broken as it was. */
  async storm(): Promise<void> {
    const { clock } = this.#world
    const until = clock.now() + this.plan.stormMs
    void this.#supervise()
    while (clock.now() < until) {
      await clock.wait(this.#dice.between(50, 2_500))
      if (clock.now() >= until) break
      const kind = this.#dice.weighted(WEIGHTS)
      if (this.#begin(kind)) this.happened.push(kind)
    }
    this.#over = true
    await Promise.all(this.#working)
  }

  /** Restarts what died, each after its own time. */
  async #supervise(): Promise<void> {
    const { clock, servers } = this.#world
    while (!this.#over) {
      await clock.wait(LOOK_MS)
      for (const server of servers) {
        if (this.#world.isRunning(server)) this.#down.delete(server)
        else if (!this.#down.has(server)) {
          this.#down.set(server, clock.now() + this.#dice.below(MOST_DOWN_MS))
        } else if (clock.now() >= (this.#down.get(server) ?? 0) && !this.#over) {
          this.#down.delete(server)
          await this.#world.start(server)
        }
      }
    }
  }

  /** False when the fault would break what nobody promises, or makes no sense now. */
  #begin(kind: FaultKind): boolean {
    const world = this.#world
    const dice = this.#dice
    const server = dice.pick(world.servers)
    const disk = world.disk(server)
    const { faults } = world.network
    switch (kind) {
      case "crash":
        disk.crash(dice.pick(["before", "after"]), dice.between(1, 6))
        return true
      case "kill":
        world.kill(server)
        return true
      case "restart":
        return this.#restart(server)
      case "partition":
        world.network.partition(this.#someone(), server, dice.pick(["requests", "answers", "both"]))
        return this.#later(() => this.#mendNetwork())
      case "loss":
        faults.drop = dice.pick([0.05, 0.2, 0.5])
        return this.#later(() => this.#mendNetwork())
      case "duplicates":
        this.duplicated = true
        faults.duplicate = dice.pick([0.2, 1])
        return this.#later(() => this.#mendNetwork())
      case "reorder":
        faults.reorder = dice.pick([0.2, 0.6])
        faults.maxDelayMs = dice.pick([40, 400])
        return this.#later(() => this.#mendNetwork())
      case "full":
        disk.full = true
        return this.#later(() => disk.heal())
      case "failing":
        disk.fail(dice.pick(["read", "commit"]), dice.between(1, 4))
        return true
      case "copy":
        return this.#copy(server)
      case "skew":
        return this.#skew(server)
      case "relay":
        this.relayed = true
        world.network.relay = new LyingRelay(world.servers, new Dice(this.plan, "relay"))
        return this.#later(() => this.#mendNetwork())
    }
  }

  /** One client, or all of them. */
  #someone(): string {
    return this.#dice.percent(50) ? "*" : this.#dice.pick(this.#actors)
  }

  #later(mend: () => void): true {
    const { clock } = this.#world
    const ms = this.#dice.between(200, 6_000)
    this.#working.push(clock.wait(ms).then(() => (this.#over ? undefined : mend())))
    return true
  }

  #mendNetwork(): void {
    this.#world.network.heal()
  }

  #restart(server: Identifier): boolean {
    if (!this.#world.isRunning(server)) return false
    // A crash meanwhile makes it an unclean one.
    this.#working.push(this.#world.stop(server).catch(ignoreNotRunning))
    return true
  }

  /** Copies a disk now and puts the copy back later, as who has no better backup does. */
  #copy(server: Identifier): boolean {
    if (!this.#mayRestore(server)) return false
    const world = this.#world
    const dice = this.#dice
    this.restored.add(server)
    const snapshot: DiskSnapshot = world.disk(server).snapshot()
    const { commits } = world.observations
    const [taken, of] = [commits.length, world.disk(server).history]
    const what = dice.pick(["database", "directory"] as const)
    const orderly = dice.percent(50)
    const putBack = async (): Promise<void> => {
      await world.clock.wait(dice.between(500, 8_000))
      if (orderly && world.isRunning(server)) await world.stop(server).catch(ignoreNotRunning)
      world.kill(server)
      world.disk(server).restore(snapshot, what)
      this.copies.push({ server, taken, of, history: world.disk(server).history })
      await world.start(server)
    }
    this.#working.push(putBack())
    return true
  }

  /** Liveness is promised only while t servers hold what they said they hold. */
  #mayRestore(server: Identifier): boolean {
    const { mode, minSigners, cheater } = this.plan
    if (mode === "safety") return true
    // What moves needs all that it moves to.
    if (this.plan.changes.length > 0) return false
    const unfit = new Set([...this.restored, server, ...(cheater ? [cheater.server] : [])])
    return this.#world.servers.length - unfit.size >= minSigners
  }

  #skew(server: Identifier): boolean {
    const who = this.#dice.percent(50) ? server : this.#dice.pick(this.#actors)
    // A server that was far ahead does not start again before its own log's last entry, by design.
    const far = this.plan.mode === "safety" || typeof who === "string"
    const ms = this.#dice.pick([-60_000, 60_000, far ? -200_000 : -90_000, far ? 200_000 : 90_000])
    this.#setClock(who, ms)
    return this.#later(() => this.#setClock(who, 0))
  }

  /** Two clocks that are wrong the opposite ways differ by both. */
  #setClock(who: Identifier | string, ms: number): void {
    this.#wrong.set(who, ms)
    const all = [0, ...this.#wrong.values()]
    if (Math.max(...all) - Math.min(...all) > 100_000) this.skewed = true
    this.#world.skew(who, ms)
  }
}

function ignoreNotRunning(error: unknown): void {
  if (!(error instanceof RangeError)) throw error
}
