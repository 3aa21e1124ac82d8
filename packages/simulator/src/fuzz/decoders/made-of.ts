import { type Bytes, fromUtf8, utf8 } from "@lockkeeper/encoding"
import { ACCEPTED, type Decoder, REFUSED, type Reading } from "../decoder.ts"
import type { Dice } from "../dice.ts"

export interface BytesDecoder {
  readonly name: string
  readonly samples: readonly Bytes[]
  readonly read: (input: Bytes) => Reading | Promise<Reading>
  readonly weight?: number
  readonly change?: (sample: Bytes, dice: Dice) => Bytes
}

/** A decoder of bytes whose fields nobody tells. */
export function ofBytes({ change, weight = 1, ...rest }: BytesDecoder): Decoder {
  return { ...rest, weight, layout: () => null, change: change ?? null }
}

export interface TextDecoder {
  readonly name: string
  readonly samples: readonly string[]
  /** What was read, spelled again where there is one spelling; `false` for a refusal. */
  readonly read: (text: string) => string | boolean | Promise<string | boolean>
  readonly weight?: number
  readonly change?: (sample: string, dice: Dice) => string
}

/** A decoder of text. Bytes that are no text never reach it. */
export function ofText({ samples, read, change, ...rest }: TextDecoder): Decoder {
  const decoded = (bytes: Bytes): string | null => {
    try {
      return fromUtf8(bytes)
    } catch {
      return null
    }
  }
  return ofBytes({
    ...rest,
    samples: samples.map(utf8),
    async read(input) {
      const text = decoded(input)
      if (text === null) return REFUSED
      const result = await read(text)
      if (typeof result === "boolean") return result ? ACCEPTED : REFUSED
      return { accepted: true, again: utf8(result) }
    },
    change: (sample, dice) => {
      const text = decoded(sample) ?? ""
      const next = change !== undefined && dice.below(3) > 0 ? change(text, dice) : odd(text, dice)
      return utf8(next.toWellFormed())
    },
  })
}

/** What people and programs put where nobody expects it. */
const ODD: readonly string[] = [
  ...["", " ", "\n", "\0", "0", "-1", "+1", "1e9", "0x10", "NaN", "Infinity", "null", "true"],
  ...["__proto__", "constructor", "toString", "9007199254740993", "2147483648", "4294967296"],
  ...["18446744073709551616", "01", "1.0", "é", "e\u0301", "\ufeff", "\u202e", "\u2028", "İ", "ﬁ"],
  ...["'", '"', "\\", "\\u0000", "/", "//", "../", "%00", "--", "-", "=", "m", "h", "🔑", "\ud7ff"],
  ...[
    "a".repeat(300),
    "1".repeat(5000),
    "[".repeat(20_000),
    '{"a":'.repeat(5000),
    "m/".repeat(999),
  ],
]

/** The text with a piece put in, taken out, doubled or in another case. */
function odd(text: string, dice: Dice): string {
  const at = dice.below(text.length + 1)
  const until = Math.min(text.length, at + dice.one([0, 0, 1, 1, 2, 5, 40]))
  const [head, cut, tail] = [text.slice(0, at), text.slice(at, until), text.slice(until)]
  switch (dice.below(5)) {
    case 0:
      return head + tail
    case 1:
      return head + cut + cut + tail
    case 2:
      return head + cut.toUpperCase() + tail
    case 3:
      return dice.one(ODD)
    default:
      return head + dice.one(ODD) + tail
  }
}
