import { LockKeeperError } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { Clock } from "./dependencies.ts"
import type { Incident } from "./incidents.ts"
import { FIRST_BACKOFF_MS, MAX_BACKOFF_MS } from "./limits.ts"
import type { MaintainOptions } from "./pools.ts"

/** What maintenance keeps going. */
export interface Upkeep {
  readonly keys: () => Promise<readonly Uint8Array[]>
  readonly fill: (keyId: Bytes) => Promise<{ readonly incidents: readonly Incident[] }>
}

/** When what failed is tried again: later with each failure in a row. */
class Backoff {
  readonly #failed = new Map<string, { readonly until: number; readonly pauseMs: number }>()

  isDue(name: string, now: number): boolean {
    return (this.#failed.get(name)?.until ?? 0) <= now
  }

  /** Gives how long it is left alone, at least `leastMs`. */
  failed(name: string, now: number, leastMs: number): number {
    const before = this.#failed.get(name)?.pauseMs
    const pauseMs = before === undefined ? FIRST_BACKOFF_MS : Math.min(2 * before, MAX_BACKOFF_MS)
    const waitMs = Math.max(pauseMs, leastMs)
    this.#failed.set(name, { until: now + waitMs, pauseMs })
    return waitMs
  }

  succeeded(name: string): void {
    this.#failed.delete(name)
  }
}

/** The listing of keys, among the names of keys. */
const LISTING = ""

/**
 * Fills every key's pool, one after the other, again and again until the signal aborts. A key that
 * fails is left alone for a while and holds up no other.
 *
 * @throws LockKeeperError `session-ended`: nothing can be kept filled without a session.
 */
export async function maintain(
  clock: Clock,
  { signal, intervalMs, onEvent = () => undefined }: MaintainOptions,
  upkeep: Upkeep,
): Promise<void> {
  const backoff = new Backoff()
  const attempt = async (keyId: Bytes | null, act: () => Promise<void>): Promise<void> => {
    const name = keyId === null ? LISTING : toHex(keyId)
    if (signal.aborted || !backoff.isDue(name, clock.now())) return
    try {
      await act()
      backoff.succeeded(name)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof LockKeeperError) || error.code === "session-ended") throw error
      const retryMs = backoff.failed(name, clock.now(), intervalMs)
      onEvent({ kind: "failed", keyId, error, retryMs })
    }
  }
  while (!signal.aborted) {
    let keys: readonly Uint8Array[] = []
    await attempt(null, async () => {
      keys = await upkeep.keys()
    })
    for (const key of keys) {
      const keyId = new Uint8Array(key)
      await attempt(keyId, async () => {
        const { incidents } = await upkeep.fill(keyId)
        for (const incident of incidents) onEvent({ kind: "incident", incident })
      })
    }
    await clock.wait(intervalMs, signal)
  }
}
