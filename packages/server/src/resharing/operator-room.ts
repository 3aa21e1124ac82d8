import { LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"

/** How many runs the operators of one server may have begun and not brought to an end. */
export class OperatorRoom {
  readonly #most: number
  readonly #what: string
  readonly #remedy: string
  readonly #reserved = new Map<Identifier, number>()

  /** @param what - of which there are too many then. */
  constructor(most: number, what: string, remedy: string) {
    this.#most = most
    this.#what = what
    this.#remedy = remedy
  }

  /**
   * Room for one more, to be released however its commit ended.
   *
   * @param begun - how many they have as it is stored.
   * @throws LockKeeperError `rate-limited`
   */
  reserve(operator: Identifier, begun: number): { release(): void } {
    const reserved = this.#reserved.get(operator) ?? 0
    if (begun + reserved >= this.#most) {
      const message = `The operators of server ${operator} have too many ${this.#what} under way here.`
      throw new LockKeeperError("rate-limited", message, { remedy: this.#remedy })
    }
    this.#reserved.set(operator, reserved + 1)
    let isHeld = true
    return {
      release: () => {
        if (isHeld) this.#reserved.set(operator, (this.#reserved.get(operator) ?? 1) - 1)
        isHeld = false
      },
    }
  }
}
