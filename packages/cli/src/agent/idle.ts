/** A clock with timers, so that tests own the time. */
export interface Timers {
  /** Milliseconds, monotonic. */
  now(): number
  after(ms: number, action: () => void): { cancel(): void }
}

export const systemTimers: Timers = {
  now: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms)
    return { cancel: () => clearTimeout(timer) }
  },
}

/**
 * Calls `onIdle` once, when nothing was touched for `idleMs`. Work in progress is not idleness: the
 * time starts when the last of it ends.
 */
export class IdleTimer {
  readonly #idleMs: number
  readonly #timers: Timers
  readonly #onIdle: () => void
  #pending: { cancel(): void } | null = null
  #working = 0
  #deadline = 0

  constructor(idleMs: number, timers: Timers, onIdle: () => void) {
    this.#idleMs = idleMs
    this.#timers = timers
    this.#onIdle = onIdle
    this.#restart()
  }

  get leftMs(): number {
    if (this.#working > 0) return this.#idleMs
    return Math.max(0, Math.floor(this.#deadline - this.#timers.now()))
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#working += 1
    this.#pending?.cancel()
    try {
      return await work()
    } finally {
      this.#working -= 1
      if (this.#working === 0) this.#restart()
    }
  }

  stop(): void {
    this.#pending?.cancel()
    this.#pending = null
    this.#working = Number.POSITIVE_INFINITY
  }

  #restart(): void {
    this.#deadline = this.#timers.now() + this.#idleMs
    this.#pending = this.#timers.after(this.#idleMs, this.#onIdle)
  }
}
