import type { Bytes } from "./bytes.ts"

/** Input that is not the canonical encoding of a value, with the offset where that shows. */
export class DecodeError extends Error {
  override readonly name = "DecodeError"
  readonly offset: number
  readonly path: string

  constructor(what: string, offset: number, path = "") {
    super(path === "" ? `${what} at offset ${offset}` : `${path}: ${what} at offset ${offset}`)
    this.offset = offset
    this.path = path
  }
}

/** Reads a buffer front to back; every read is bounds-checked before anything is allocated. */
export class Reader {
  readonly #input: Uint8Array
  readonly #view: DataView
  #offset = 0
  #path: string[] = []

  constructor(input: Uint8Array) {
    this.#input = input
    this.#view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  }

  get offset(): number {
    return this.#offset
  }

  get remaining(): number {
    return this.#input.length - this.#offset
  }

  fail(what: string, offset: number = this.#offset): never {
    throw new DecodeError(what, offset, this.#path.join("."))
  }

  /** Names the field being read, so that an error says where it is. */
  within<T>(name: string, read: () => T): T {
    this.#path.push(name)
    const value = read()
    this.#path.pop()
    return value
  }

  #advance(length: number): number {
    if (length > this.remaining) this.fail(`input ends ${length - this.remaining} bytes early`)
    const start = this.#offset
    this.#offset += length
    return start
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2))
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8))
  }

  /** A copy, so that the input may be wiped or reused. */
  bytes(length: number): Bytes {
    const start = this.#advance(length)
    return new Uint8Array(this.#input.subarray(start, start + length))
  }

  end(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} trailing bytes`)
  }
}
