import type { Bytes } from "./bytes.ts"

/** An append-only buffer that doubles as it grows and wipes what it outgrew. */
export class Writer {
  #buffer: Bytes
  #view: DataView
  #length = 0

  constructor(capacity = 256) {
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
    const at = this.#reserve(value.length)
    this.#buffer.set(value, at)
  }

  /** What was written; the working buffer is wiped. */
  finish(): Bytes {
    const written = this.#buffer.slice(0, this.#length)
    this.#buffer.fill(0)
    return written
  }
}
