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

/** From this length on a value may be a view of what it is read from. */
const SHARED_FROM = 4096

/** Reads a buffer front to back; every read is bounds-checked before anything is allocated. */
export class Reader {
  readonly #input: Bytes
  readonly #shares: boolean
  readonly #view: DataView
  #offset = 0
  #path: string[] = []

  /** @param longValues - whether they are copies, or views of an input that is left alone. */
  constructor(input: Uint8Array, longValues: "copied" | "shared" = "copied") {
    this.#input = input as Bytes
    this.#shares = longValues === "shared"
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

  /** A copy, so that the input may be wiped or reused, but for long values that are shared. */
  bytes(length: number): Bytes {
    const start = this.#advance(length)
    const view = this.#input.subarray(start, start + length)
    return this.#shares && length >= SHARED_FROM ? view : new Uint8Array(view)
  }

  end(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} trailing bytes`)
  }
}
