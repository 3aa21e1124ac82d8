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
    this.#view.setUint8(this.#reserve(1), value)
  }

  u16(value: number): void {
    this.#view.setUint16(this.#reserve(2), value)
  }

  u32(value: number): void {
    this.#view.setUint32(this.#reserve(4), value)
  }

  u64(value: bigint): void {
    this.#view.setBigUint64(this.#reserve(8), value)
  }

  bytes(value: Uint8Array): void {
    this.#buffer.set(value, this.#reserve(value.length))
  }

  /** What was written; the working buffer is wiped. */
  finish(): Bytes {
    const written = this.#buffer.slice(0, this.#length)
    this.#buffer.fill(0)
    return written
  }
}
