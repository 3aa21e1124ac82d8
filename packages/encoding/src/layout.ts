import type { Bytes } from "./bytes.ts"
import type { Codec } from "./codec.ts"
import { Reader } from "./reader.ts"

/** A stretch of an encoding that a codec reads at once. */
export interface Field {
  /** Names of the structs, lists and maps it lies in, joined by dots; "" at the outermost. */
  readonly path: string
  /** Big-endian: numbers, counts of lists, lengths of byte strings, tags of unions. */
  readonly kind: "integer" | "bytes"
  readonly start: number
  /** Of the first byte after it. */
  readonly end: number
}

class LayoutReader extends Reader {
  readonly fields: Field[] = []
  readonly #path: string[] = []

  override within<T>(name: string, read: () => T): T {
    this.#path.push(name)
    const value = super.within(name, read)
    this.#path.pop()
    return value
  }

  #note<T>(kind: Field["kind"], read: () => T): T {
    const start = this.offset
    const value = read()
    this.fields.push({ path: this.#path.join("."), kind, start, end: this.offset })
    return value
  }

  override u8(): number {
    return this.#note("integer", () => super.u8())
  }

  override u16(): number {
    return this.#note("integer", () => super.u16())
  }

  override u32(): number {
    return this.#note("integer", () => super.u32())
  }

  override u64(): bigint {
    return this.#note("integer", () => super.u64())
  }

  override bytes(length: number): Bytes {
    return this.#note("bytes", () => super.bytes(length))
  }
}

/**
 * Where each field of an encoding lies, in order and without gaps, so that tools can change one at
 * a time. A count or length has the path of what it counts and stands right before it.
 *
 * @throws DecodeError on anything but the canonical encoding of a value.
 */
export function layoutOf(codec: Codec<unknown>, encoded: Uint8Array): readonly Field[] {
  const reader = new LayoutReader(encoded)
  codec.read(reader)
  reader.end()
  return reader.fields
}
