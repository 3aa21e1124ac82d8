import { concat, utf8 } from "@lockkeeper/encoding"

/** One encoded ASN.1 value, DER (ITU-T X.690). */
export type Der = Uint8Array

const BOOLEAN = 0x01
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06
const UTF8_STRING = 0x0c
const IA5_STRING = 0x16
const GENERALIZED_TIME = 0x18
const UTC_TIME = 0x17
const SEQUENCE = 0x30
const SET = 0x31
const CONTEXT = 0x80
const CONSTRUCTED = 0x20

function tagged(tag: number, content: Uint8Array): Der {
  const { length } = content
  if (length > 0xffff) throw new RangeError("DER content longer than 65535 bytes")
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff]
  return concat(Uint8Array.from(head), content)
}

export function sequence(...items: readonly Der[]): Der {
  return tagged(SEQUENCE, concat(...items))
}

export function set(item: Der): Der {
  return tagged(SET, item)
}

export function bool(value: boolean): Der {
  return tagged(BOOLEAN, Uint8Array.of(value ? 0xff : 0))
}

/** A non-negative integer from its big-endian bytes without a leading zero, zero itself excepted. */
export function integer(bytes: Uint8Array): Der {
  const negative = ((bytes[0] ?? 0) & 0x80) !== 0
  return tagged(INTEGER, negative ? concat(Uint8Array.of(0), bytes) : bytes)
}

export function octets(bytes: Uint8Array): Der {
  return tagged(OCTET_STRING, bytes)
}

/** @param unused - how many bits at the end of the last byte do not count. */
export function bitString(bytes: Uint8Array, unused: number): Der {
  return tagged(BIT_STRING, concat(Uint8Array.of(unused), bytes))
}

/** An object identifier from its dotted form. */
export function objectId(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 0x7f]
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return tagged(OBJECT_IDENTIFIER, Uint8Array.from(bytes))
}

export function text(value: string, kind: "ia5" | "utf8" = "ia5"): Der {
  return tagged(kind === "ia5" ? IA5_STRING : UTF8_STRING, utf8(value))
}

/** A time, as RFC 5280 Section 4.1.2.5 wants it: UTCTime up to 2049, GeneralizedTime from 2050. */
export function time(milliseconds: number): Der {
  const digits = new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, "")
  return Number(digits.slice(0, 4)) < 2050
    ? tagged(UTC_TIME, utf8(digits.slice(2)))
    : tagged(GENERALIZED_TIME, utf8(digits))
}

/** A value inside a context-specific tag of its own. */
export function explicit(number: number, item: Der): Der {
  return tagged(CONTEXT | CONSTRUCTED | number, item)
}

/** A primitive value whose tag is replaced by a context-specific one. */
export function implicit(number: number, item: Der): Der {
  const replaced = new Uint8Array(item)
  replaced[0] = CONTEXT | number
  return replaced
}
