import { setTimeout as wait } from "node:timers/promises"
import { LockKeeperError, SHARING_KINDS } from "@lockkeeper/api"
import type { OperatorSession, RefreshReport, SharingKind } from "@lockkeeper/client/operator"
import { systemRandomness } from "@lockkeeper/server"
import { type Context, type Report, report, tell } from "./command.ts"
import { asLockKeeperError, describeError, errorJson } from "./failure.ts"
import { openOperator } from "./operator.ts"
import { counted, isComplete, outcomeJson, outcomeText } from "./refresh-text.ts"
import { dueBefore, othersAtWork, pauseMs, type Turn } from "./refresh-turn.ts"
import { readRoster } from "./roster-file.ts"
import { addressOf } from "./session.ts"

/** Most sharings that are taken on before the servers are looked at again. */
const PORTION = 1024

export interface ScheduleOptions {
  readonly directory: string
  readonly intervalMs: number
  /** One look, and what is due then. */
  readonly isOnly: boolean
}

/** What one look at one kind came to. */
interface Look {
  readonly done: number
  readonly failed: boolean
  /** More is due, and this daemon goes on with it. */
  readonly more: boolean
}

/**
 * Refreshes what is older than the roster's `refreshHours` until the signal ends it. What time may mend
 * is told and tried again, less often with each failure.
 *
 * @throws LockKeeperError `misconfigured` where the roster has no schedule.
 */
export async function runSchedule(context: Context, options: ScheduleOptions): Promise<Report> {
  const address = addressOf(context.settings)
  const { roster } = readRoster(address.roster, address.rosterPin)
  const { refreshHours } = roster
  if (refreshHours === 0) {
    throw new LockKeeperError("misconfigured", "The roster schedules no refresh.", {
      field: "roster.refreshHours",
      remedy: "Agree on a next roster with --refresh-hours, or run `lockkeeper refresh`.",
    })
  }
  const { directory, intervalMs } = options
  const session = await openOperator(address, directory)
  try {
    const { server } = session
    const members = roster.members.map(({ identifier }) => identifier)
    const schedule = new Schedule(context, session, { refreshHours, members, server, intervalMs })
    tell(
      context,
      { event: "started", server, refreshHours },
      `Refreshing what is older than ${refreshHours} h, as operator of server ${server}.\n`,
    )
    const done = await schedule.run(options.isOnly)
    return report(`${done} refreshed.\n`, { event: "ended", done })
  } finally {
    await session.close()
  }
}

/** What is asked of the servers. */
export type Refreshing = Pick<OperatorSession, "planRefresh" | "refresh">

export class Schedule {
  readonly #context: Context
  readonly #session: Refreshing
  readonly #turn: Turn
  /** When this daemon last gave new shares, by kind. */
  readonly #ownAt = new Map<SharingKind, number>()

  constructor(context: Context, session: Refreshing, turn: Turn) {
    this.#context = context
    this.#session = session
    this.#turn = turn
  }

  /** Gives how many sharings were refreshed. */
  async run(isOnly: boolean): Promise<number> {
    const { signal } = this.#context
    let done = 0
    for (let failures = 0; !signal.aborted; ) {
      let failed = false
      for (const kind of SHARING_KINDS) {
        for (let more = true; more && !signal.aborted; ) {
          const look = await this.#attempt(kind, isOnly)
          done += look.done
          failed ||= look.failed
          more = look.more
        }
      }
      if (isOnly) break
      failures = failed ? failures + 1 : 0
      const pause = pauseMs(this.#turn.intervalMs, failures, chance())
      // Ended by the signal, as the loop is.
      await wait(pause, undefined, { signal }).catch(() => undefined)
    }
    return done
  }

  /** With the roster gone, or the server whose operator this is, there is no going on. */
  async #attempt(kind: SharingKind, isOnly: boolean): Promise<Look> {
    try {
      return await this.#look(kind)
    } catch (thrown) {
      if (this.#context.signal.aborted) return { done: 0, failed: false, more: false }
      const error = asLockKeeperError(thrown)
      if (isOnly || error.retry === "never") throw error
      const json = { event: "failed", kind, ...errorJson(error) }
      tell(this.#context, json, describeError(error))
      return { done: 0, failed: true, more: false }
    }
  }

  async #look(kind: SharingKind): Promise<Look> {
    const { signal } = this.#context
    const now = Date.now()
    const before = dueBefore(now, this.#turn)
    const order = { kind, before, most: PORTION, signal }
    const plan = await this.#session.planRefresh(order)
    const idle = plan.due === 0 && plan.behind.length === 0
    const ownAt = this.#ownAt.get(kind) ?? 0
    const { intervalMs } = this.#turn
    if (idle || othersAtWork(plan, { now, ownAt, intervalMs })) {
      return { done: 0, failed: false, more: false }
    }
    const due = counted(kind, plan.due)
    tell(this.#context, { event: "due", kind, due: plan.due }, `${clock()} ${due} due.\n`)
    const outcome = await this.#session.refresh(order)
    this.#ownAt.set(kind, Date.now())
    this.#say(kind, outcome)
    const { done } = outcome
    return { done, failed: !isComplete(outcome), more: done > 0 && plan.due > PORTION }
  }

  #say(kind: SharingKind, outcome: RefreshReport): void {
    const json = { event: "refreshed", ...outcomeJson(kind, outcome) }
    tell(this.#context, json, `${clock()} ${outcomeText(kind, outcome)}`)
  }
}

function clock(): string {
  return new Date().toISOString().slice(11, 19)
}

/** Uniform, from 0 to below 1. */
function chance(): number {
  return (systemRandomness.bytes(1)[0] ?? 0) / 256
}
