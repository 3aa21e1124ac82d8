import { LockKeeperError, SHARING_KINDS, type SharingKind } from "@lockkeeper/api"
import type { OperatorSession, ReshareReport } from "@lockkeeper/client/operator"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { Target } from "../world/rosters.ts"
import type { World } from "../world/world.ts"
import { inForceIn } from "./checkers/sharings.ts"
import type { Excuses } from "./owner.ts"
import { perilousNetwork } from "./perilous-network.ts"
import type { Dice, Plan } from "./plan.ts"
import type { Recorder } from "./recorder.ts"

/** Out of 100 coordinators, those that stop half way, and those beside which another starts at once. */
const STOPPING = 40
const DOUBLED = 20

/** Out of 100, how often a server is stopped for its next roster and not exchanged as it runs. */
const STOPPED = 40

/** Out of 100, how often operators settle before everything has moved: servers have to refuse then. */
const EARLY = 15

/** How often everything is begun again that has to succeed. */
const MOST_TRIES = 5

/** Why a coordinator leaves what fewer than t hold: nobody was ever told that it is there. */
const ORPHAN = "too-few-holders"

/** What a coordinator said of one kind. */
type Told = Pick<ReshareReport, "skipped" | "missing" | "lingering" | "keeping" | "incidents">

/**
 * The operators of all servers, who go on to other holders while owners work: sign the roster in
 * transition, have every server follow it, move accounts and then keys, settle, and retire who has left.
 */
export class HolderChange {
  readonly actor = "convener"
  readonly #world: World
  readonly #plan: Plan
  readonly #recorder: Recorder
  readonly #dice: Dice
  readonly #excuses: Excuses
  #begun = 0
  #coordinators = 0
  /** Whether there was nothing to move of one kind: who joins has no share to tell by. */
  #isForced = false
  /** What was said of what fewer than t servers ever held, the same each time. */
  readonly #orphans = new Set<string>()
  #isCalm = false

  constructor(around: {
    readonly world: World
    readonly plan: Plan
    readonly recorder: Recorder
    readonly dice: Dice
    readonly excuses: Excuses
  }) {
    this.#world = around.world
    this.#plan = around.plan
    this.#recorder = around.recorder
    this.#dice = around.dice
    this.#excuses = around.excuses
  }

  /** From now on nothing dies. */
  calm(): void {
    this.#isCalm = true
  }

  /** One change after the other, as far as the storm lets them come. */
  async carryOut(stormMs: number): Promise<void> {
    const { clock } = this.#world
    const dice = this.#dice
    const until = clock.now() + stormMs
    const isOver = (): boolean => clock.now() >= until
    for (const target of this.#plan.changes) {
      await clock.wait(dice.between(100, 2_500))
      if (isOver()) return
      this.#begin(target)
      if (dice.percent(50)) this.#world.publish()
      await this.#followEverywhere(isOver)
      this.#world.publish()
      while (!(await this.#moved()) && !this.#settlesEarly()) {
        await clock.wait(dice.between(100, 1_200))
        if (isOver()) return
        await this.#followEverywhere(isOver)
      }
      if (isOver() || !(await this.#settle(isOver))) return
    }
  }

  /**
   * Ends every change, with all servers up. Returns what could not be done.
   *
   * @param tries - how often what is not done yet is begun again.
   */
  async finish(tries = MOST_TRIES): Promise<readonly string[]> {
    const never = (): boolean => false
    for (let at = Math.max(0, this.#begun - 1); at < this.#plan.changes.length; at++) {
      if (at >= this.#begun) this.#begin(this.#plan.changes[at] as Target)
      let left: readonly string[] = []
      for (let time = 0; time < tries; time++) {
        await this.#followEverywhere(never)
        this.#world.publish()
        left = this.#isSettled ? [] : await this.#move()
        if (left.length === 0) break
      }
      // Servers stay in transition over what nobody can move, and all else is where it is to be.
      if (left.length > 0) return left.filter((what) => !this.#orphans.has(what))
      if (!(await this.#settle(never))) return [await this.#whyNotSettled()]
    }
    return this.#retire()
  }

  /** The one in transition or after it that was signed last. */
  get #isSettled(): boolean {
    return this.#world.rosters.at(-1)?.transition === null
  }

  #begin(target: Target): void {
    const world = this.#world
    this.#begun += 1
    this.#isForced = false
    world.sign(target)
    for (const one of target.dropped) if (this.#dice.percent(50)) world.kill(one)
    this.#recorder.change({ roster: world.rosters.at(-1)?.rosterEpoch ?? 0, what: "signed" })
  }

  /** Everyone's operator takes it to the last roster that lists it, in whatever order. */
  async #followEverywhere(isOver: () => boolean): Promise<void> {
    const dice = this.#dice
    for (const server of shuffled(this.#world.servers, dice)) {
      if (!this.#isCalm) await this.#world.clock.wait(dice.below(300))
      if (isOver()) return
      await this.#follow(server)
    }
  }

  async #follow(server: Identifier): Promise<void> {
    const world = this.#world
    const machine = world.machine(server)
    const chain = world.chainFor(server)
    const next = { chain, isForced: this.#isForced && this.#isSettled }
    if (machine.rosterEpoch === chain.length) return
    const exchanged = !this.#plan.ecdsa && !this.#dice.percent(STOPPED)
    if (world.isRunning(server) && exchanged) {
      const why = await machine.goOnTo(next)
      if (why !== null) this.#recorder.change({ roster: chain.length, what: `${server}: ${why}` })
      if (world.isRunning(server)) return
    }
    if (world.isRunning(server)) await world.stop(server).catch(ignoreNotRunning)
    await machine.start(next)
  }

  #settlesEarly(): boolean {
    return this.#plan.mode === "safety" && this.#dice.percent(EARLY)
  }

  async #settle(isOver: () => boolean): Promise<boolean> {
    const world = this.#world
    if (!this.#isSettled) world.sign(null)
    await this.#followEverywhere(isOver)
    world.publish()
    const { members } = world.roster
    return members.every(({ identifier }) => {
      return world.machine(identifier).rosterEpoch === world.roster.rosterEpoch
    })
  }

  async #whyNotSettled(): Promise<string> {
    const { members, rosterEpoch } = this.#world.roster
    const behind = members.filter(({ identifier }) => {
      return this.#world.machine(identifier).rosterEpoch !== rosterEpoch
    })
    const held = behind.map(async ({ identifier }) => {
      const { keys, accounts } = await this.#world.machine(identifier).held()
      return `${identifier}, which holds ${keys} keys and ${accounts} accounts`
    })
    return `could not settle after healing at ${(await Promise.all(held)).join("; ")}`
  }

  /** Who has left is destroyed once it holds nothing. */
  async #retire(): Promise<readonly string[]> {
    const world = this.#world
    const left: string[] = []
    for (const server of world.servers) {
      if (world.roster.members.some(({ identifier }) => identifier === server)) continue
      const { keys, accounts } = await world.machine(server).held()
      if (keys + accounts > 0) {
        left.push(`server ${server} left and holds ${keys} keys and ${accounts} accounts`)
        continue
      }
      world.kill(server)
      world.leave(server)
      this.#recorder.retired(server)
    }
    return left
  }

  /** Whether some coordinator says that all has moved. */
  async #moved(): Promise<boolean> {
    const working = [this.#move()]
    if (this.#dice.percent(DOUBLED)) working.push(this.#move())
    return (await Promise.all(working)).some((left) => left.length === 0)
  }

  /** One coordinator, from its start to wherever it ends. Returns what it left, in words. */
  async #move(): Promise<readonly string[]> {
    const dice = this.#dice
    const actor = `coordinator ${++this.#coordinators}`
    const end = new AbortController()
    const stops = !this.#isCalm && dice.percent(STOPPING)
    if (stops) void this.#world.clock.wait(dice.between(20, 2_500)).then(() => end.abort())
    const session = await this.#open(actor, end)
    if (session === null) return ["no operator could begin"]
    const left = await this.#moveAll(actor, session, end.signal)
    // One that stopped says goodbye to nobody.
    if (!end.signal.aborted) await session.close()
    return left
  }

  #open(actor: string, end: AbortController): Promise<OperatorSession | null> {
    const world = this.#world
    const dice = this.#dice
    const running = world.roster.members.filter(({ identifier }) => world.isRunning(identifier))
    if (running.length === 0) return Promise.resolve(null)
    const { identifier: server } = dice.pick(running)
    const dependencies = world.dependenciesFor(actor)
    const around = { world, dice, isOver: () => this.#isCalm }
    const network = perilousNetwork(dependencies.network, around, () => end.abort())
    return this.#attempt(actor, "open", end.signal, () =>
      world.operate(actor, server, {
        dependencies: { ...dependencies, network },
        onIncident: (incident) => this.#recorder.incident(actor, incident),
      }),
    )
  }

  /** Keys stay where they are while accounts do that could not be moved. */
  async #moveAll(
    actor: string,
    session: OperatorSession,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    let isNothing = false
    const orphans: string[] = []
    for (const kind of SHARING_KINDS.toSorted()) {
      const reshare = () => session.reshare({ kind, signal })
      const report = await this.#attempt(actor, `reshare ${kind}`, signal, reshare)
      if (report === null) return [`could not move the ${kind}`]
      const { done, fresh, skipped, finished } = report
      isNothing ||= done + fresh === 0
      this.#recorder.refresh({ actor, kind, done, skipped: skipped.length, finished })
      const left = leftOf(report).map((what) => `could not move all ${kind}: ${what}`)
      for (const { id, reason } of skipped) {
        if (reason !== ORPHAN || this.#wasUsable(kind, id)) continue
        this.#orphans.add(left[skipped.findIndex((one) => one.id === id)] as string)
      }
      if (left.some((what) => !this.#orphans.has(what))) return left
      orphans.push(...left)
    }
    this.#isForced = isNothing
    return orphans
  }

  /** Whether as many servers as it takes ever had a share of it in force, by what they wrote. */
  #wasUsable(kind: SharingKind, id: Bytes): boolean {
    const name = toHex(id)
    const holders = new Set<Identifier>()
    let need = 0
    for (const { server, changes } of this.#world.observations.commits) {
      for (const one of changes) {
        if (one.kind !== "put" || one.table !== kind || one.id !== name) continue
        for (const { sharing } of inForceIn(one.table, one.value)) {
          holders.add(server)
          need = Math.max(need, sharing.minSigners)
        }
      }
    }
    return holders.size >= need
  }

  async #attempt<T>(
    actor: string,
    operation: string,
    signal: AbortSignal,
    act: () => Promise<T>,
  ): Promise<T | null> {
    try {
      return await act()
    } catch (error) {
      const known = error instanceof LockKeeperError
      const code = known ? error.code : error instanceof Error ? error.name : typeof error
      const message = error instanceof Error ? error.message : String(error)
      const expected = [...(signal.aborted ? ["cancelled"] : []), ...this.#excuses()]
      this.#recorder.failure({ actor, operation, code, message, expected })
      return null
    }
  }
}

function leftOf({ skipped, missing, lingering, keeping, incidents }: Told): readonly string[] {
  const at = (what: string, counts: ReadonlyMap<Identifier, number>): readonly string[] =>
    [...counts].map(([server, count]) => `server ${server} ${what} ${count}`)
  return [
    ...skipped.map(({ id, reason }) => `${toHex(id).slice(0, 8)} is left (${reason})`),
    ...at("has no new shares of", missing),
    ...at("has still to take", lingering),
    ...at("keeps its old shares of", keeping),
    // Of what those hold that did not answer the report says nothing.
    ...incidents.map(({ server, kind }) => `server ${server} is said to be ${kind}`),
  ]
}

function shuffled<T>(all: readonly T[], dice: Dice): readonly T[] {
  const left = [...all]
  return all.map(() => left.splice(dice.below(left.length), 1)[0] as T)
}

function ignoreNotRunning(error: unknown): void {
  if (!(error instanceof RangeError)) throw error
}
