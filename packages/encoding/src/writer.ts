import { type Bytes, concat } from "./bytes.ts"

/** From this length on a value is kept as it is until the end, instead of being copied at once. */
const BORROWED_FROM = 4096

/**
 * An append-only buffer that doubles as it grows and wipes what it outgrew. Long values are not
 * copied before `finish`: whoever writes one leaves it alone until then.
 */
export class Writer {
  readonly #capacity: number
  #buffer: Bytes
  #view: DataView
  #length = 0
  /** What came before the working buffer, in order. */
  readonly #before: Uint8Array[] = []
  /** Those of them that are this writer's own. */
  readonly #own: Bytes[] = []

  constructor(capacity = 256) {
    this.#capacity = capacity
    this.#buffer = new Uint8Array(capacity)
    this.#view = new DataView(this.#buffer.buffer)
  }

  /** Where `length` more bytes go. Call it before touching the buffer, which it may replace. */
  #reserve(length: number): number {
    const start = this.#length
    const needed = start + length
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2))
      grown.set(this.#buffer.subarray(0, start))
      this.#buffer.fill(0)
      this.#buffer = grown
      this.#view = new DataView(grown.buffer)
    }
    this.#length = needed
    return start
  }

  u8(value: number): void {
    const at = this.#reserve(1)
    this.#view.setUint8(at, value)
  }

  u16(value: number): void {
    const at = this.#reserve(2)
    this.#view.setUint16(at, value)
  }

  u32(value: number): void {
    const at = this.#reserve(4)
    this.#view.setUint32(at, value)
  }

  u64(value: bigint): void {
    const at = this.#reserve(8)
    this.#view.setBigUint64(at, value)
  }

  bytes(value: Uint8Array): void {
    if (value.length >= BORROWED_FROM) {
      this.#borrow(value)
      return
    }
    const at = this.#reserve(value.length)
    this.#buffer.set(value, at)
  }

  #borrow(value: Uint8Array): void {
    this.#before.push(this.#buffer.subarray(0, this.#length), value)
    this.#own.push(this.#buffer)
    this.#buffer = new Uint8Array(this.#capacity)
    this.#view = new DataView(this.#buffer.buffer)
    this.#length = 0
  }

  /** What was written, piece by piece, for a hash to read; then `wipe`. */
  parts(): readonly Uint8Array[] {
    return [...this.#before, this.#buffer.subarray(0, this.#length)]
  }

  /** Overwrites the working buffers. */
  wipe(): void {
    for (const buffer of this.#own) buffer.fill(0)
    this.#buffer.fill(0)
  }

  /** What was written; the working buffers are wiped. */
  finish(): Bytes {
    const written =
      this.#before.length === 0 ? this.#buffer.slice(0, this.#length) : concat(...this.parts())
    this.wipe()
    return written
  }
}
