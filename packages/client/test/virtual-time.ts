import type { Clock, Dependencies, ServerLink } from "@lockkeeper/client"

/** A clock that moves when the test says so. */
export class VirtualClock implements Clock {
  #now = 1_000
  readonly #waiting = new Set<{ at: number; wake: () => void }>()

  now(): number {
    return this.#now
  }

  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const entry = { at: this.#now + ms, wake: () => end() }
      const end = () => {
        this.#waiting.delete(entry)
        signal.removeEventListener("abort", end)
        resolve()
      }
      this.#waiting.add(entry)
      signal.addEventListener("abort", end, { once: true })
    })
  }

  /** Lets everything run that can, then time pass, then everything again. */
  async pass(ms: number): Promise<void> {
    await settle()
    this.#now += ms
    for (const { at, wake } of [...this.#waiting]) if (at <= this.#now) wake()
    await settle()
  }

  /** How many waits have not ended: none may be left behind. */
  get waiting(): number {
    return this.#waiting.size
  }
}

/** Resolves when all that follows from what has happened has happened. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done))
}

/** Dependencies without a network. */
export function virtualDependencies(clock: VirtualClock): Dependencies {
  const nothing = (): never => {
    throw new Error("no network in this test")
  }
  return {
    clock,
    randomness: { bytes: (length) => new Uint8Array(length) },
    network: { connect: (): ServerLink => nothing() },
    compute: { stretch: nothing },
    deviceSecrets: { derive: nothing, deriveOrMake: nothing },
  }
}
