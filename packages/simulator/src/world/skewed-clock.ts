import type { VirtualClock } from "./virtual-clock.ts"

/** Virtual time as somebody's wrong clock shows it. What it measures lasts as long as it should. */
export class SkewedClock {
  readonly #true: VirtualClock
  /** Ahead of true time by this, milliseconds; may change while it runs. */
  skewMs = 0

  constructor(clock: VirtualClock) {
    this.#true = clock
  }

  now(): number {
    return this.#true.now() + this.skewMs
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#true.wait(ms, signal)
  }
}
