interface Timer {
  readonly at: number
  /** Breaks ties in the order of setting. */
  readonly order: number
  readonly fire: () => void
}

/** Most timers one run may fire: a run that needs more is stuck in a loop. */
const MAX_TIMERS = 1_000_000

/**
 * Time that passes only when nothing else can happen: as soon as all work has come to wait, the
 * clock jumps to the earliest timer. The same run meets the same times.
 */
export class VirtualClock {
  #now: number
  #set = 0
  #fired = 0
  readonly #timers: Timer[] = []

  /** @param now - milliseconds since the Unix epoch. */
  constructor(now: number) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  /** Resolves after `ms` of virtual time, or at once when the signal aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = { at: this.#now + Math.max(0, ms), order: this.#set++, fire: resolve }
    this.#insert(timer)
    signal?.addEventListener("abort", () => this.#cancel(timer), { once: true })
    return promise
  }

  /**
   * Runs `work` to its end, letting time pass.
   *
   * @throws Error when the work waits for something that no timer will bring.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    let settled = false
    const result = work().finally(() => {
      settled = true
    })
    // The caller gets the rejection; this copy must not count as unhandled meanwhile.
    result.catch(() => undefined)
    for (;;) {
      await quiet()
      if (settled) return result
      const next = this.#timers.shift()
      if (next === undefined) throw new Error("the simulation waits for nothing")
      if (++this.#fired > MAX_TIMERS) throw new Error("the simulation does not end")
      this.#now = Math.max(this.#now, next.at)
      next.fire()
    }
  }

  #insert(timer: Timer): void {
    const index = this.#timers.findIndex(({ at }) => at > timer.at)
    if (index < 0) this.#timers.push(timer)
    else this.#timers.splice(index, 0, timer)
  }

  #cancel(timer: Timer): void {
    const index = this.#timers.indexOf(timer)
    if (index >= 0) this.#timers.splice(index, 1)
    timer.fire()
  }
}

/** After every promise that can settle without time passing has settled. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
