interface Timer {
  readonly at: number
  /** Breaks ties in the order of setting. */
  readonly order: number
  /** Nobody's work waits for it: it alone does not keep a run going. */
  readonly background: boolean
  readonly fire: () => void
  /** Its place in the heap is gone or no longer counts. */
  over: boolean
}

/** Most timers one run may fire: a run that needs more is stuck in a loop. */
const MAX_TIMERS = 5_000_000

/**
 * Time that passes only when nothing else can happen: as soon as all work has come to wait, the
 * clock jumps to the earliest timer. The same run meets the same times.
 */
export class VirtualClock {
  #now: number
  #set = 0
  #fired = 0
  /** Timers that work waits for. */
  #awaited = 0
  /** A binary heap, the earliest first. */
  readonly #timers: Timer[] = []

  /** @param now - milliseconds since the Unix epoch. */
  constructor(now: number) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  /** How many timers have fired. */
  get fired(): number {
    return this.#fired
  }

  /** Resolves after `ms` of virtual time, or at once when the signal aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#wait(ms, false, signal)
  }

  /** The same for what goes on forever, such as housekeeping: a run does not wait for it. */
  waitInBackground(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#wait(ms, true, signal)
  }

  /**
   * Runs `work` to its end, letting time pass.
   *
   * @throws Error when the work waits for something that no timer will bring.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    let settled = false
    const fired = this.#fired
    const result = work().finally(() => {
      settled = true
    })
    // The caller gets the rejection; this copy must not count as unhandled meanwhile.
    result.catch(() => undefined)
    for (;;) {
      await quiet()
      if (settled) return result
      const next = this.#awaited === 0 ? null : this.#earliest()
      if (next === null) throw new Error("the simulation waits for nothing")
      if (++this.#fired - fired > MAX_TIMERS) throw new Error("the simulation does not end")
      this.#now = Math.max(this.#now, next.at)
      this.#end(next)
    }
  }

  #wait(ms: number, background: boolean, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const onAbort = (): void => this.#end(timer)
    const timer: Timer = {
      at: this.#now + Math.max(0, ms),
      order: this.#set++,
      background,
      over: false,
      fire: () => {
        signal?.removeEventListener("abort", onAbort)
        resolve()
      },
    }
    this.#push(timer)
    if (!background) this.#awaited++
    signal?.addEventListener("abort", onAbort, { once: true })
    return promise
  }

  #end(timer: Timer): void {
    if (timer.over) return
    timer.over = true
    if (!timer.background) this.#awaited--
    timer.fire()
  }

  #push(timer: Timer): void {
    const heap = this.#timers
    let place = heap.push(timer) - 1
    while (place > 0) {
      const above = (place - 1) >> 1
      if (isBefore(heap[above] as Timer, timer)) break
      heap[place] = heap[above] as Timer
      place = above
    }
    heap[place] = timer
  }

  /** Takes out the earliest timer that still counts. */
  #earliest(): Timer | null {
    for (;;) {
      const first = this.#pop()
      if (first === null || !first.over) return first
    }
  }

  #pop(): Timer | null {
    const heap = this.#timers
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined) return null
    if (heap.length === 0) return first
    let place = 0
    for (;;) {
      let below = 2 * place + 1
      if (below >= heap.length) break
      const right = heap[below + 1]
      if (right !== undefined && isBefore(right, heap[below] as Timer)) below++
      if (isBefore(last, heap[below] as Timer)) break
      heap[place] = heap[below] as Timer
      place = below
    }
    heap[place] = last
    return first
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}

/** After every promise that can settle without time passing has settled. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
