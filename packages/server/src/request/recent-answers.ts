import type { Bytes } from "@lockkeeper/encoding"

/** Most bytes of answers that one process keeps; the oldest make room. */
const MAX_BYTES = 64 * 1024 * 1024

/** Longest an answer is kept for a retry, milliseconds. */
const LIFETIME_MS = 60_000

interface Recent {
  readonly output: Bytes
  readonly keptAt: number
}

/**
 * Answers too large to be worth a durable copy: messages of runs whose state is in this process's
 * memory too, so that both end with it. In the order in which they were given.
 */
export class RecentAnswers {
  readonly #answers = new Map<string, Recent>()
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes
  }

  keep(id: string, output: Bytes, now: number): void {
    this.#forget(id)
    this.#answers.set(id, { output: output.slice(), keptAt: now })
    this.#bytes += output.length
    for (const old of this.#answers.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.#forget(old)
    }
  }

  find(id: string): Bytes | null {
    return this.#answers.get(id)?.output.slice() ?? null
  }

  expire(now: number): void {
    for (const [id, { keptAt }] of this.#answers) {
      if (now - keptAt <= LIFETIME_MS) break
      this.#forget(id)
    }
  }

  clear(): void {
    for (const id of [...this.#answers.keys()]) this.#forget(id)
  }

  #forget(id: string): void {
    const recent = this.#answers.get(id)
    if (recent === undefined) return
    this.#bytes -= recent.output.length
    recent.output.fill(0)
    this.#answers.delete(id)
  }
}
