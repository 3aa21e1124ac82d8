import { NONCE_LIFETIME_MS } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"

/** Most nonces of one key; the oldest make room. */
const MAX_PER_KEY = 1024

/** Most nonces of all keys. */
const MAX_NONCES = 65_536

/**
 * Nonces that were handed out to randomise presignatures with. In memory alone: one is used once, within
 * its minute, by the process that made it. They are public once used, so nothing needs wiping.
 */
export class DeltaNonces {
  /** By key, in the order of issue: when each was handed out. */
  readonly #keys = new Map<string, Map<string, number>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  issue(keyId: Bytes, nonce: Bytes, now: number): void {
    const key = toHex(keyId)
    const nonces = this.#keys.get(key) ?? new Map<string, number>()
    // Behind all others, since it was used last: the key unused for longest makes room.
    this.#keys.delete(key)
    this.#keys.set(key, nonces)
    nonces.set(toHex(nonce), now)
    this.#size += 1
    if (nonces.size > MAX_PER_KEY) this.#drop(key, nonces)
    const [oldest] = this.#keys
    if (this.#size > MAX_NONCES && oldest !== undefined) this.#drop(...oldest)
  }

  /** Whether `spend` would be true now. */
  has(keyId: Bytes, nonce: Bytes, now: number): boolean {
    const at = this.#keys.get(toHex(keyId))?.get(toHex(nonce))
    return at !== undefined && now - at <= NONCE_LIFETIME_MS
  }

  /** True once for each nonce, within its minute. */
  spend(keyId: Bytes, nonce: Bytes, now: number): boolean {
    const usable = this.has(keyId, nonce, now)
    const key = toHex(keyId)
    if (this.#keys.get(key)?.delete(toHex(nonce))) this.#size -= 1
    if (this.#keys.get(key)?.size === 0) this.#keys.delete(key)
    return usable
  }

  expire(now: number): void {
    for (const [key, nonces] of this.#keys) {
      for (const [, at] of nonces) {
        if (now - at <= NONCE_LIFETIME_MS) break
        this.#drop(key, nonces)
      }
    }
  }

  clear(): void {
    this.#keys.clear()
    this.#size = 0
  }

  #drop(key: string, nonces: Map<string, number>): void {
    const oldest = nonces.keys().next().value
    if (oldest !== undefined && nonces.delete(oldest)) this.#size -= 1
    if (nonces.size === 0) this.#keys.delete(key)
  }
}
