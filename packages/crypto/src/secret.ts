import type { Bytes } from "@lockkeeper/encoding"

const REDACTED = "[redacted]"

/**
 * Secret bytes. They print as `[redacted]` everywhere, and are overwritten by `wipe`. JavaScript
 * may have copied them before: wiping shortens exposure, it does not prove absence.
 */
export class Secret {
  readonly #bytes: Bytes
  #wiped = false

  /** Takes ownership of `bytes`: the caller must not keep or write to them. */
  constructor(bytes: Bytes) {
    this.#bytes = bytes
  }

  /** A secret with its own copy. */
  static copyOf(bytes: Uint8Array): Secret {
    return new Secret(new Uint8Array(bytes))
  }

  get length(): number {
    return this.#bytes.length
  }

  /** The bytes themselves, not a copy. @throws Error after `wipe`. */
  expose(): Bytes {
    if (this.#wiped) throw new Error("secret used after it was wiped")
    return this.#bytes
  }

  wipe(): void {
    this.#bytes.fill(0)
    this.#wiped = true
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED
  }

  [Symbol.dispose](): void {
    this.wipe()
  }
}
