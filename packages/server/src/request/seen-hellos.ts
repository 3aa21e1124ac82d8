import { LockKeeperError, MAX_CLOCK_SKEW_MS } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"

/**
 * Helloes seen within the clock skew, so that a recorded one does nothing when it is repeated.
 * Bounded, and refuses new ones rather than forget a fresh one: who floods a server keeps others
 * from opening sessions for as long as it floods, but who recorded a login's hello, and repeated it,
 * would use up its owner's guesses, which lasts.
 */
export class SeenHellos {
  readonly #seen = new Map<string, number>()
  readonly #most: number

  constructor(most = 100_000) {
    this.#most = most
  }

  /** @throws LockKeeperError `replayed` when seen before; `rate-limited` when there is no room. */
  check(digest: Bytes, now: number): void {
    const key = toHex(digest)
    if (this.#seen.has(key)) {
      throw new LockKeeperError("replayed", "This hello was received before.", { field: "hello" })
    }
    for (const [old, at] of this.#seen) {
      if (now - at <= 2 * MAX_CLOCK_SKEW_MS) break
      this.#seen.delete(old)
    }
    if (this.#seen.size >= this.#most) {
      throw new LockKeeperError("rate-limited", "The server is asked for too many sessions.", {
        remedy: "Try again in some minutes, or use other servers.",
      })
    }
    this.#seen.set(key, now)
  }
}
