import { type Bytes, DecodeError, fromUtf8, Reader } from "@lockkeeper/encoding"
import { base58 } from "@scure/base"
import type { Detail } from "../intent/action.ts"
import { integerOf } from "../intent/uint256.ts"

/** How a field of an instruction's data is written. */
export type LayoutType =
  | "u8"
  | "u32"
  | "u64"
  | "i64"
  | "pubkey"
  /** One byte, 0 or 1, and the key where it is 1. */
  | "optional-pubkey"
  /** UTF-8 behind eight bytes of length. */
  | "string"

export type Layout = readonly (readonly [name: string, type: LayoutType])[]

const PUBLIC_KEY = 32
const MAX_STRING = 1024

/** The fields of an instruction's data, read whole. */
export interface LayoutValues {
  readonly integers: ReadonlyMap<string, bigint>
  /** Keys in base58. */
  readonly keys: ReadonlyMap<string, string>
  /** All of them, in their order. */
  readonly details: readonly Detail[]
}

/** @throws DecodeError with the field's name behind `path`, and for bytes behind the last. */
export function readLayout(layout: Layout, data: Bytes, path: string): LayoutValues {
  const reader = new Reader(data)
  const integers = new Map<string, bigint>()
  const keys = new Map<string, string>()
  const details: Detail[] = []
  const at = <T>(read: () => T): T => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw new DecodeError(error.message, error.offset, path)
    }
  }
  for (const [name, type] of layout) {
    const value = at(() => reader.within(name, () => readField(reader, type)))
    if (typeof value === "bigint") integers.set(name, value)
    else if (value !== null && type !== "string") keys.set(name, value)
    details.push({ name, value: value === null ? "none" : String(value) })
  }
  at(() => reader.end())
  return { integers, keys, details }
}

function readField(reader: Reader, type: LayoutType): bigint | string | null {
  switch (type) {
    case "u8":
      return BigInt(reader.u8())
    case "u32":
      return littleEndian(reader, 4)
    case "u64":
      return littleEndian(reader, 8)
    case "i64":
      return BigInt.asIntN(64, littleEndian(reader, 8))
    case "pubkey":
      return base58.encode(reader.bytes(PUBLIC_KEY))
    case "optional-pubkey": {
      const start = reader.offset
      const has = reader.u8()
      if (has > 1) reader.fail("neither 0 nor 1", start)
      return has === 1 ? base58.encode(reader.bytes(PUBLIC_KEY)) : null
    }
    case "string": {
      const start = reader.offset
      const length = littleEndian(reader, 8)
      if (length > BigInt(MAX_STRING)) reader.fail(`more than ${MAX_STRING} bytes`, start)
      const bytes = reader.bytes(Number(length))
      try {
        return fromUtf8(bytes)
      } catch {
        return reader.fail("not UTF-8", start)
      }
    }
  }
}

function littleEndian(reader: Reader, length: number): bigint {
  return integerOf(reader.bytes(length).reverse())
}
