import { LockKeeperError } from "@lockkeeper/api"
import type { ServerConfig } from "../config/schema.ts"
import { TokenBuckets } from "./token-buckets.ts"

function tooFast(what: string): LockKeeperError {
  return new LockKeeperError("rate-limited", what, { remedy: "Wait a moment and try again." })
}

/**
 * What every request passes before it costs anything: rates by source address and by session, and
 * how many run at once.
 */
export class Gate {
  readonly #most: number
  readonly #sources: TokenBuckets
  readonly #opens: TokenBuckets
  readonly #sessions: TokenBuckets
  #running = 0
  #refused = 0

  constructor(limits: ServerConfig["limits"]) {
    this.#most = limits.concurrentRequests
    this.#sources = new TokenBuckets(limits.requestsPerSecond, limits.requestBurst)
    this.#opens = new TokenBuckets(limits.opensPerMinute / 60, limits.opensPerMinute)
    const perSession = limits.sessionRequestsPerSecond
    this.#sessions = new TokenBuckets(perSession, perSession * 2)
  }

  /** Runs `work` when the source may ask for it now. @throws LockKeeperError `rate-limited` */
  async admit<T>(source: string, now: number, work: () => Promise<T>): Promise<T> {
    if (!this.#sources.take(source, now)) this.#refuse("This address asks too often.")
    if (this.#running >= this.#most) this.#refuse("The server is busy.")
    this.#running += 1
    try {
      return await work()
    } finally {
      this.#running -= 1
    }
  }

  /** @throws LockKeeperError `rate-limited` when the source opens sessions too often. */
  checkOpen(source: string, now: number): void {
    if (!this.#opens.take(source, now)) this.#refuse("This address opens sessions too often.")
  }

  /** @throws LockKeeperError `rate-limited` when the session asks too often. */
  checkSession(session: string, now: number): void {
    if (!this.#sessions.take(session, now)) this.#refuse("This session asks too often.")
  }

  get running(): number {
    return this.#running
  }

  get refused(): number {
    return this.#refused
  }

  #refuse(what: string): never {
    this.#refused += 1
    throw tooFast(what)
  }
}
