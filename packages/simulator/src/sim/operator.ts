import { LockKeeperError, SHARING_KINDS, type SharingKind } from "@lockkeeper/api"
import type { OperatorSession, RefreshReport } from "@lockkeeper/client/operator"
import type { Identifier } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import type { World } from "../world/world.ts"
import type { Excuses } from "./owner.ts"
import type { Dice } from "./plan.ts"
import type { Recorder } from "./recorder.ts"

/** How many coordinators an operator starts, one after the other or at once. */
const MOST_COORDINATORS = 4

/** Out of 100 coordinators, those that stop half way and never come back. */
const STOPPING = 35

/** Out of 100, those beside which the same operator starts another at once. */
const DOUBLED = 25

/** How often a refresh that has to succeed is begun again for what another coordinator held up. */
const MOST_TRIES = 3

/** An operator of some server, whose program refreshes everything while the run goes on. */
export class Operator {
  readonly actor: string
  readonly #world: World
  readonly #recorder: Recorder
  readonly #dice: Dice
  readonly #excuses: Excuses

  constructor(
    around: {
      readonly world: World
      readonly recorder: Recorder
      readonly dice: Dice
      readonly excuses: Excuses
    },
    actor: string,
  ) {
    this.#world = around.world
    this.#recorder = around.recorder
    this.#dice = around.dice
    this.#excuses = around.excuses
    this.actor = actor
  }

  /** Coordinators come and go until the storm is over. */
  async maintain(stormMs: number): Promise<void> {
    const { clock } = this.#world
    const dice = this.#dice
    const until = clock.now() + stormMs
    for (let begun = 0; begun < MOST_COORDINATORS; begun++) {
      await clock.wait(dice.between(200, 2_500))
      if (clock.now() >= until) return
      const coordinators = [this.#coordinate()]
      if (dice.percent(DOUBLED)) coordinators.push(this.#coordinate())
      await Promise.all(coordinators)
    }
  }

  /** One program from its start to its end, which may be anywhere. */
  async #coordinate(): Promise<void> {
    const dice = this.#dice
    const end = new AbortController()
    const kind = dice.pick(SHARING_KINDS)
    const stops = dice.percent(STOPPING)
    const afterMs = dice.between(20, 1_500)
    const server = dice.pick(this.#world.servers)
    if (stops) void this.#world.clock.wait(afterMs).then(() => end.abort())
    const session = await this.#open(server)
    if (session === null) return
    await this.#refresh(session, kind, { signal: end.signal })
    // One that stopped says goodbye to nobody.
    if (!end.signal.aborted) await session.close()
  }

  /**
   * A refresh of everything that has to succeed for all that every server holds alike, as long as
   * nobody is down. Returns what it could not do.
   */
  async refreshAll(servers: readonly Identifier[], isWhole: boolean): Promise<readonly string[]> {
    const session = await this.#open(this.#dice.pick(servers))
    if (session === null) return ["could not begin to refresh after healing"]
    const left: string[] = []
    for (const kind of SHARING_KINDS) left.push(...(await this.#all(session, kind, isWhole)))
    await session.close()
    return left
  }

  async #all(
    session: OperatorSession,
    kind: SharingKind,
    isWhole: boolean,
  ): Promise<readonly string[]> {
    const before = this.#world.clock.now()
    let left: readonly string[] = []
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
      const due = isWhole ? await this.#alike(session, kind) : new Set<string>()
      const report = await this.#refresh(session, kind, { before })
      if (report === null) return [`could not refresh ${kind} after healing`]
      left = report.skipped
        .filter(({ id }) => due.has(toHex(id)))
        .map(({ id, reason }) => {
          const of = toHex(id).slice(0, 8)
          return `could not refresh ${of} of the ${kind} after healing: ${reason}`
        })
      if (left.length === 0) return []
    }
    return left
  }

  /** What every server holds a share of, of one generation or another. */
  async #alike(session: OperatorSession, kind: SharingKind): Promise<ReadonlySet<string>> {
    const { answers } = await session.sharings(kind)
    const holders = new Map<string, number>()
    for (const listed of answers.values()) {
      for (const { sharing } of listed) {
        const name = `${toHex(sharing.id)}/${toHex(sharing.context)}/${toHex(sharing.verifyingKey)}`
        holders.set(name, (holders.get(name) ?? 0) + 1)
      }
    }
    const all = [...holders].filter(([, count]) => count === this.#world.servers.length)
    return new Set(all.map(([name]) => name.split("/")[0] as string))
  }

  #open(server: Identifier): Promise<OperatorSession | null> {
    return this.#attempt("open", [], () =>
      this.#world.operate(this.actor, server, {
        onIncident: (incident) => this.#recorder.incident(this.actor, incident),
      }),
    )
  }

  async #refresh(
    session: OperatorSession,
    kind: SharingKind,
    options: { readonly signal?: AbortSignal; readonly before?: number },
  ): Promise<RefreshReport | null> {
    const expected: string[] = []
    const report = await this.#attempt("refresh", expected, async () => {
      try {
        return await session.refresh({ kind, ...options })
      } finally {
        if (options.signal?.aborted) expected.push("cancelled")
      }
    })
    if (report === null) return null
    const { done, skipped, finished } = report
    const told = { actor: this.actor, kind, done, skipped: skipped.length, finished }
    this.#recorder.refresh(told)
    return report
  }

  async #attempt<T>(
    operation: string,
    expected: readonly string[],
    act: () => Promise<T>,
  ): Promise<T | null> {
    try {
      return await act()
    } catch (error) {
      const known = error instanceof LockKeeperError
      const code = known ? error.code : error instanceof Error ? error.name : typeof error
      const message = error instanceof Error ? error.message : String(error)
      const excused = [...expected, ...this.#excuses()]
      this.#recorder.failure({ actor: this.actor, operation, code, message, expected: excused })
      return null
    }
  }
}
