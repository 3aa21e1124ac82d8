import { type ErrorCode, LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { cancelled, throwIfCancelled } from "./patience.ts"
import type { Servers } from "./servers.ts"

export interface GatherPlan<T> {
  /** Whom to ask, best first. */
  readonly order: readonly Identifier[]
  /** How many are asked at first, and how many answers are expected. */
  readonly need: number
  /** Whether the answers so far are enough; by default, whether there are `need`. */
  readonly isEnough?: (answers: ReadonlyMap<Identifier, T>) => boolean
  readonly signal: AbortSignal
  ask(server: Identifier, signal: AbortSignal): Promise<T>
}

export interface Gathered<T> {
  readonly answers: ReadonlyMap<Identifier, T>
  readonly failures: ReadonlyMap<Identifier, LockKeeperError>
  /** Were asked and had not answered when the others were enough. */
  readonly pending: readonly Identifier[]
}

/**
 * Asks the first `need` servers, and the next one whenever one fails or has been silent for
 * `hedgeMs`: t honest answers are enough, and nobody is waited for beyond that. Resolves with what
 * there is when the answers are enough or everyone has answered; calls still open are then aborted.
 */
export async function gather<T>(servers: Servers, plan: GatherPlan<T>): Promise<Gathered<T>> {
  const { order, need, signal } = plan
  throwIfCancelled(signal)
  const { clock } = servers.deps
  const { hedgeMs } = servers.patience
  const answers = new Map<Identifier, T>()
  const failures = new Map<Identifier, LockKeeperError>()
  const pending = new Set<Identifier>()
  const isEnough = plan.isEnough ?? ((got: ReadonlyMap<Identifier, T>) => got.size >= need)
  const rest = [...order]
  const stop = new AbortController()
  const { promise: over, resolve, reject } = Promise.withResolvers<void>()

  const onCancel = (): void => reject(cancelled())
  signal.addEventListener("abort", onCancel, { once: true })

  const next = (): void => {
    if (stop.signal.aborted) return
    const server = rest.shift()
    if (server !== undefined) void start(server)
    else if (pending.size === 0) resolve()
  }
  const start = async (server: Identifier): Promise<void> => {
    pending.add(server)
    void clock.wait(hedgeMs, stop.signal).then(() => {
      if (stop.signal.aborted || !pending.has(server)) return
      servers.reportSlow(server)
      next()
    })
    try {
      const answer = await plan.ask(server, stop.signal)
      if (stop.signal.aborted) return
      pending.delete(server)
      answers.set(server, answer)
      servers.report(server, null)
      if (isEnough(answers)) resolve()
      else if (answers.size >= need || pending.size === 0) next()
    } catch (error) {
      if (stop.signal.aborted) return
      pending.delete(server)
      if (!(error instanceof LockKeeperError)) return reject(error)
      failures.set(server, error)
      servers.report(server, error)
      next()
    }
  }
  for (let i = 0; i < need; i++) next()
  try {
    await over
  } finally {
    stop.abort()
    signal.removeEventListener("abort", onCancel)
  }
  return { answers, failures, pending: [...pending] }
}

/** Asks all of them at once and waits for every one, each for as long as `ask` allows itself. */
export async function askAll<T>(
  servers: Servers,
  among: readonly Identifier[],
  ask: (server: Identifier) => Promise<T>,
): Promise<Omit<Gathered<T>, "pending">> {
  const answers = new Map<Identifier, T>()
  const failures = new Map<Identifier, LockKeeperError>()
  await Promise.all(
    among.map(async (server) => {
      try {
        answers.set(server, await ask(server))
        servers.report(server, null)
      } catch (error) {
        if (!(error instanceof LockKeeperError) || error.code === "cancelled") throw error
        failures.set(server, error)
        servers.report(server, error)
      }
    }),
  )
  return { answers, failures }
}

/** What each server that failed gave as its reason, for as many as fit one line. */
function reasons(failures: ReadonlyMap<Identifier, LockKeeperError>): string {
  const said = [...failures].slice(0, 4).map(([server, { message }]) => ` ${server}: ${message}`)
  const rest = failures.size - said.length
  return said.join("") + (rest > 0 ? ` And ${rest} more.` : "")
}

/** What says that the owner is somebody else. */
const DOUBTS: ReadonlySet<ErrorCode> = new Set(["unauthenticated", "wrong-password"])

/**
 * The refusals that may be told as an operation's own outcome. Whose password has opened the account,
 * or who was logged in at `need` servers, is not shut out by the word of fewer: one of them may have
 * missed the end of the registration, or lie, or never have been reached by what a relay answered.
 */
export function tellable(
  need: number,
  failures: ReadonlyMap<Identifier, LockKeeperError>,
): readonly LockKeeperError[] {
  const refusals = [...failures.values()].filter(({ code }) => code !== "unavailable")
  const doubts = refusals.filter(({ code }) => DOUBTS.has(code))
  return doubts.length >= need ? refusals : refusals.filter((one) => !doubts.includes(one))
}

/**
 * Why fewer servers than needed answered, as one error: the servers' common refusal where that is
 * the reason, else that too few are there.
 */
export function notEnough(
  need: number,
  got: number,
  failures: ReadonlyMap<Identifier, LockKeeperError>,
): LockKeeperError {
  const refusals = tellable(need, failures)
  const [refusal] = refusals
  if (refusal !== undefined && refusals.length >= failures.size - refusals.length) return refusal
  const [first] = failures.values()
  return new LockKeeperError(
    "not-enough-servers",
    `The operation takes ${need} key servers; ${got} did their part.${reasons(failures)}`,
    {
      remedy: "Check with `lockkeeper health` which servers are down, and try again.",
      ...(first === undefined ? {} : { cause: first }),
    },
  )
}
