import { LockKeeperError } from "@lockkeeper/api"
import type { Clock } from "./dependencies.ts"

/** The caller asked to stop. */
export function cancelled(): LockKeeperError {
  return new LockKeeperError("cancelled", "The operation was cancelled.", {
    remedy: "Start it again; a request that was already carried out is not undone.",
  })
}

const TIMED_OUT = "deadline"

function timedOut(ms: number): LockKeeperError {
  return new LockKeeperError("unavailable", `There was no answer within ${ms} milliseconds.`, {
    field: TIMED_OUT,
    remedy: "Check the server and the network to it.",
  })
}

/** Whether a failure is our own deadline: asking once more would only wait once more. */
export function isTimeout(error: unknown): boolean {
  return error instanceof LockKeeperError && error.field === TIMED_OUT
}

export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled()
}

/**
 * Runs `act` for at most `ms`: it gets a signal that aborts at the deadline or with the caller's,
 * and the result settles then even if `act` ignores it.
 */
export async function within<T>(
  clock: Clock,
  ms: number,
  caller: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfCancelled(caller)
  const work = new AbortController()
  const timer = new AbortController()
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const stop = (why: LockKeeperError): void => {
    work.abort()
    reject(why)
  }
  const onCancel = (): void => stop(cancelled())
  caller.addEventListener("abort", onCancel, { once: true })
  void clock.wait(ms, timer.signal).then(() => {
    if (!timer.signal.aborted) stop(timedOut(ms))
  })
  // Whichever settles first wins; the other's rejection is not an unhandled one.
  ended.catch(() => undefined)
  try {
    return await Promise.race([act(work.signal), ended])
  } finally {
    timer.abort()
    caller.removeEventListener("abort", onCancel)
  }
}
