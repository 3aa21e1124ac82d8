import { LockKeeperError, MAX_MEMBERS } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { TokenBuckets } from "./token-buckets.ts"

const OPENINGS_PER_SECOND = 0.5
const OPENING_BURST = 64
const STEPS_PER_SECOND = 50
const STEP_BURST = 500

/**
 * How often operators may open sessions and act, by the server whose operators they are: it certifies
 * as many keys as it likes.
 */
export class OperatorRates {
  readonly #openings = new TokenBuckets(OPENINGS_PER_SECOND, OPENING_BURST, MAX_MEMBERS)
  readonly #steps = new TokenBuckets(STEPS_PER_SECOND, STEP_BURST, MAX_MEMBERS)

  /** @throws LockKeeperError `rate-limited` */
  checkOpening(server: Identifier, now: number): void {
    if (!this.#openings.take(String(server), now)) throw tooOften(server, "open sessions")
  }

  /** @throws LockKeeperError `rate-limited` */
  checkStep(server: Identifier, now: number): void {
    if (!this.#steps.take(String(server), now)) throw tooOften(server, "ask")
  }
}

function tooOften(server: Identifier, what: string): LockKeeperError {
  return new LockKeeperError(
    "rate-limited",
    `The operators of server ${server} ${what} too often.`,
    {
      remedy: "Wait a moment and try again.",
    },
  )
}
