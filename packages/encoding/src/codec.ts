import { type Bytes, compareBytes, fromUtf8, utf8 } from "./bytes.ts"
import { Reader } from "./reader.ts"
import { Writer } from "./writer.ts"

/**
 * One canonical encoding for each value of T: `decode(encode(x)) = x` and `encode(decode(b)) = b`.
 * Integers are big-endian, every variable length carries a u32 prefix, nothing is optional by
 * omission, so distinct values have distinct encodings and no encoding is a prefix of another.
 */
export interface Codec<T> {
  write(writer: Writer, value: T): void
  read(reader: Reader): T
}

/** The type a codec carries. */
export type Value<C> = C extends Codec<infer T> ? T : never

/** The canonical bytes of `value`. @throws RangeError when the value is outside the codec. */
export function encode<T>(codec: Codec<T>, value: T): Bytes {
  const writer = new Writer()
  codec.write(writer, value)
  return writer.finish()
}

/** The value that `bytes` encode. @throws DecodeError on anything but the one encoding. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  return readWhole(codec, new Reader(bytes))
}

/**
 * Likewise, but byte strings of 4 KiB and more in the value are views of `bytes`, which the caller
 * leaves alone as long as it uses the value: messages of hundreds of kilobytes are not copied.
 */
export function decodeShared<T>(codec: Codec<T>, bytes: Bytes): T {
  return readWhole(codec, new Reader(bytes, "shared"))
}

function readWhole<T>(codec: Codec<T>, reader: Reader): T {
  const value = codec.read(reader)
  reader.end()
  return value
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new RangeError(what)
}

function unsigned(
  max: number,
  write: (writer: Writer, value: number) => void,
  read: (reader: Reader) => number,
): Codec<number> {
  return {
    write(writer, value) {
      check(Number.isInteger(value) && value >= 0 && value <= max, `integer outside 0 to ${max}`)
      write(writer, value)
    },
    read,
  }
}

export const u8: Codec<number> = unsigned(
  0xff,
  (w, v) => w.u8(v),
  (r) => r.u8(),
)
export const u16: Codec<number> = unsigned(
  0xffff,
  (w, v) => w.u16(v),
  (r) => r.u16(),
)
export const u32: Codec<number> = unsigned(
  0xffff_ffff,
  (w, v) => w.u32(v),
  (r) => r.u32(),
)

export const u64: Codec<bigint> = {
  write(writer, value) {
    check(value >= 0n && value < 1n << 64n, "integer outside 64 bits")
    writer.u64(value)
  },
  read: (reader) => reader.u64(),
}

/** A u64 that is a safe JavaScript integer: times in milliseconds, counters, indices. */
export const safeInteger: Codec<number> = {
  write(writer, value) {
    check(Number.isSafeInteger(value) && value >= 0, "not a safe non-negative integer")
    writer.u64(BigInt(value))
  },
  read(reader) {
    const start = reader.offset
    const value = reader.u64()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) reader.fail("integer above 2^53 - 1", start)
    return Number(value)
  },
}

export const bool: Codec<boolean> = {
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read(reader) {
    const start = reader.offset
    const value = reader.u8()
    if (value > 1) reader.fail("boolean is neither 0 nor 1", start)
    return value === 1
  },
}

/** Exactly `length` bytes, without a prefix. */
export function fixedBytes(length: number): Codec<Bytes> {
  return {
    write(writer, value) {
      check(value.length === length, `expected ${length} bytes, got ${value.length}`)
      writer.bytes(value)
    },
    read: (reader) => reader.bytes(length),
  }
}

/** Up to `max` bytes behind a u32 length. */
export function bytes(max: number): Codec<Bytes> {
  return {
    write(writer, value) {
      check(value.length <= max, `more than ${max} bytes`)
      writer.u32(value.length)
      writer.bytes(value)
    },
    read(reader) {
      const start = reader.offset
      const length = reader.u32()
      if (length > max) reader.fail(`length ${length} above ${max}`, start)
      return reader.bytes(length)
    },
  }
}

/** UTF-8 text of up to `max` bytes. */
export function text(max: number): Codec<string> {
  const raw = bytes(max)
  return {
    write(writer, value) {
      check(value.isWellFormed(), "text with lone surrogates")
      raw.write(writer, utf8(value))
    },
    read(reader) {
      const start = reader.offset
      const encoded = raw.read(reader)
      try {
        return fromUtf8(encoded)
      } catch {
        return reader.fail("malformed UTF-8", start)
      }
    },
  }
}

/** One of a closed set of words, encoded as its position; append only, never reorder. */
export function oneOf<const W extends string>(...words: readonly W[]): Codec<W> {
  check(words.length <= 256, "more than 256 words")
  return {
    write(writer, value) {
      const index = words.indexOf(value)
      check(index >= 0, "word outside the set")
      writer.u8(index)
    },
    read(reader) {
      const start = reader.offset
      const word = words[reader.u8()]
      return word ?? reader.fail("word outside the set", start)
    },
  }
}

/** A constant byte string: versions and labels. */
export function constant(value: Uint8Array): Codec<null> {
  return {
    write: (writer) => writer.bytes(value),
    read(reader) {
      const start = reader.offset
      if (compareBytes(reader.bytes(value.length), value) !== 0)
        reader.fail("wrong constant", start)
      return null
    },
  }
}

/** Zero to `max` values behind a u32 count. */
export function list<T>(item: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    write(writer, values) {
      check(values.length <= max, `more than ${max} items`)
      writer.u32(values.length)
      for (const value of values) item.write(writer, value)
    },
    read(reader) {
      const start = reader.offset
      const count = reader.u32()
      if (count > max) reader.fail(`count ${count} above ${max}`, start)
      const values: T[] = []
      for (let i = 0; i < count; i++) values.push(reader.within(String(i), () => item.read(reader)))
      return values
    },
  }
}

/** A map with number keys, in strictly ascending key order. */
export function numberMap<T>(
  key: Codec<number>,
  item: Codec<T>,
  max: number,
): Codec<ReadonlyMap<number, T>> {
  return {
    write(writer, map) {
      check(map.size <= max, `more than ${max} entries`)
      writer.u32(map.size)
      for (const [k, value] of [...map].sort(([a], [b]) => a - b)) {
        key.write(writer, k)
        item.write(writer, value)
      }
    },
    read(reader) {
      const start = reader.offset
      const count = reader.u32()
      if (count > max) reader.fail(`count ${count} above ${max}`, start)
      const map = new Map<number, T>()
      let last = -1
      for (let i = 0; i < count; i++) {
        const at = reader.offset
        const k = key.read(reader)
        if (k <= last) reader.fail("keys not in ascending order", at)
        last = k
        map.set(
          k,
          reader.within(String(k), () => item.read(reader)),
        )
      }
      return map
    },
  }
}

/** A value or null. */
export function nullable<T>(item: Codec<T>): Codec<T | null> {
  return {
    write(writer, value) {
      bool.write(writer, value !== null)
      if (value !== null) item.write(writer, value)
    },
    read: (reader) => (bool.read(reader) ? item.read(reader) : null),
  }
}

/** Fields in the order given, each named in errors. */
export function struct<T extends object>(
  fields: { readonly [K in keyof T]: Codec<T[K]> },
): Codec<T> {
  const entries = Object.entries(fields) as [keyof T & string, Codec<T[keyof T]>][]
  return {
    write(writer, value) {
      for (const [name, field] of entries) field.write(writer, value[name])
    },
    read(reader) {
      const value: Partial<T> = {}
      for (const [name, field] of entries) {
        value[name] = reader.within(name, () => field.read(reader)) as T[typeof name]
      }
      return value as T
    },
  }
}

/** A tagged union over `kind`; the tag is the position in `variants`: append only. */
export function union<T extends { readonly kind: string }>(
  variants: {
    readonly [K in T["kind"]]: Codec<Omit<Extract<T, { kind: K }>, "kind">>
  },
): Codec<T> {
  const kinds = Object.keys(variants) as T["kind"][]
  return {
    write(writer, value) {
      const tag = kinds.indexOf(value.kind)
      check(tag >= 0, "kind outside the union")
      writer.u8(tag)
      const variant = variants[value.kind as T["kind"]] as Codec<object>
      variant.write(writer, value)
    },
    read(reader) {
      const start = reader.offset
      const kind = kinds[reader.u8()]
      if (kind === undefined) return reader.fail("kind outside the union", start)
      const variant = variants[kind] as Codec<object>
      return { kind, ...reader.within(kind, () => variant.read(reader)) } as unknown as T
    },
  }
}

/** A codec over another type: `from` must throw or `fail` on values with no `to` image. */
export function mapped<A, B>(
  base: Codec<A>,
  to: (value: B) => A,
  from: (raw: A, fail: (what: string) => never) => B,
): Codec<B> {
  return {
    write: (writer, value) => base.write(writer, to(value)),
    read(reader) {
      const start = reader.offset
      return from(base.read(reader), (what) => reader.fail(what, start))
    },
  }
}
