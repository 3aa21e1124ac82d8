interface Bucket {
  tokens: number
  at: number
}

/**
 * Token buckets by key, bounded: the bucket untouched for longest makes room, which can only be
 * generous to whoever uses more keys than fit.
 */
export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>()
  readonly #capacity: number
  readonly #perMs: number
  readonly #maxKeys: number

  /** @param perSecond - tokens that come back each second, up to `capacity`. */
  constructor(perSecond: number, capacity: number, maxKeys = 16_384) {
    this.#capacity = capacity
    this.#perMs = perSecond / 1000
    this.#maxKeys = maxKeys
  }

  /** Takes one token; false when the key has none left. @param now - milliseconds. */
  take(key: string, now: number): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: this.#capacity, at: now }
    // A clock that goes back gives nothing and takes nothing.
    const elapsed = Math.max(0, now - bucket.at)
    bucket.tokens = Math.min(this.#capacity, bucket.tokens + elapsed * this.#perMs)
    bucket.at = now
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > this.#maxKeys) {
      this.#buckets.delete(this.#buckets.keys().next().value as string)
    }
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  get size(): number {
    return this.#buckets.size
  }
}
