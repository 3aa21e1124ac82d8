import { type Bytes, concat, type Field } from "@lockkeeper/encoding"
import type { Decoder } from "./decoder.ts"
import type { Dice } from "./dice.ts"

/** Longest input that is made. */
const MAX_INPUT = 262_144

/** How an input came about. */
export type Origin = "valid" | "changed" | "random"

export interface Input {
  readonly origin: Origin
  readonly bytes: Bytes
}

/** An input for the decoder: now and then arbitrary or valid, mostly a sample with some changes. */
export function inputFor(decoder: Decoder, dice: Dice): Input {
  const { samples } = decoder
  const kind = dice.below(100)
  if (samples.length === 0 || kind < 6) return { origin: "random", bytes: arbitrary(dice) }
  const sample = dice.one(samples)
  if (kind < 10) return { origin: "valid", bytes: sample.slice() }
  let bytes = changed(decoder, sample, dice)
  while (dice.once(4)) bytes = changeBytes(bytes, dice)
  return { origin: "changed", bytes: bytes.slice(0, MAX_INPUT) }
}

/** The sample with a change that its decoder knows, or with any. */
export function changed(decoder: Decoder, sample: Bytes, dice: Dice): Bytes {
  if (decoder.change !== null && dice.below(3) > 0) return decoder.change(sample, dice)
  const fields = decoder.layout(sample)
  if (fields === null || fields.length === 0 || dice.once(5)) return changeBytes(sample, dice)
  return changeField(decoder, sample, fields, dice)
}

function arbitrary(dice: Dice): Bytes {
  const length = dice.one([0, 1, 2, 4, 8, 32, 33, 64, 100, 300, 1000, 4096])
  const bytes = dice.bytes(dice.below(length + 1))
  // Small numbers read as counts and tags that exist; pure noise seldom does.
  if (dice.once(2)) for (let i = 0; i < bytes.length; i++) if (dice.below(4) > 0) bytes[i] = 0
  return bytes
}

/** Changes that need no knowledge of what the bytes mean. */
function changeBytes(bytes: Bytes, dice: Dice): Bytes {
  const at = dice.below(bytes.length + 1)
  const until = Math.min(bytes.length, at + dice.one([1, 1, 2, 4, 8, 32, 64, 300]))
  const [head, cut, tail] = [bytes.slice(0, at), bytes.slice(at, until), bytes.slice(until)]
  switch (dice.below(8)) {
    case 0:
      return head
    case 1:
      return concat(bytes, dice.once(2) ? dice.bytes(1 + dice.below(40)) : new Uint8Array(1))
    case 2:
      return concat(head, tail)
    case 3:
      return concat(head, cut, cut, tail)
    case 4:
      return concat(head, dice.bytes(cut.length), tail)
    case 5:
      return concat(head, cut.fill(dice.one([0, 0xff, 0x80, 0x7f])), tail)
    case 6:
      return concat(...Array.from({ length: dice.one([2, 50, 1000]) }, () => cut), tail)
    default: {
      const flipped = bytes.slice()
      if (at < bytes.length) flipped[at] = (bytes[at] as number) ^ (1 << dice.below(8))
      return flipped
    }
  }
}

/** Changes that leave everything but one field, or what is counted by it, as it was. */
function changeField(decoder: Decoder, sample: Bytes, fields: readonly Field[], dice: Dice): Bytes {
  const place = dice.below(fields.length)
  const field = fields[place] as Field
  const { start, end } = field
  const put = (...parts: readonly Uint8Array[]) =>
    concat(sample.subarray(0, start), ...parts, sample.subarray(end))
  const own = sample.slice(start, end)
  if (dice.once(6)) return concat(sample.subarray(0, start), partOfAnother(decoder, field, dice))
  if (field.kind === "integer") {
    if (dice.once(3)) return changeCount(sample, fields, place, dice)
    return put(integerLike(own, sample.length - end, dice))
  }
  switch (dice.below(6)) {
    case 0:
      return resized(sample, fields, place, dice)
    case 1:
      return put(dice.bytes(own.length))
    case 2:
      return put(new Uint8Array(own.length).fill(dice.one([0, 0xff])))
    case 3:
      return put(sameLength(decoder, own, dice))
    case 4:
      return put(changeBytes(own, dice).slice(0, own.length))
    default: {
      if (own.length > 0) own[dice.below(own.length)]! ^= 1 << dice.below(8)
      return put(own)
    }
  }
}

/** An integer of the same width that a careless reader may stumble over. */
function integerLike(own: Bytes, behind: number, dice: Dice): Bytes {
  const bits = BigInt(own.length * 8)
  const value = own.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const chosen = dice.one([
    ...[0n, 1n, 2n, (1n << bits) - 1n, (1n << bits) - 2n],
    ...[1n << (bits - 1n), (1n << (bits - 1n)) - 1n, value + 1n, value - 1n, value * 2n],
    ...[
      BigInt(behind),
      BigInt(behind + 1),
      0x7fff_ffffn,
      0x1f_ffff_ffff_ffffn,
      BigInt(dice.below(300)),
    ],
  ])
  const bytes = new Uint8Array(own.length)
  let rest = BigInt.asUintN(own.length * 8, chosen)
  for (let i = own.length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}

/** A list with one part more, twice or in another order, and a count that says so. */
function changeCount(sample: Bytes, fields: readonly Field[], place: number, dice: Dice): Bytes {
  const { start, end, path } = fields[place] as Field
  const prefix = path === "" ? "" : `${path}.`
  const inside = fields.filter(
    (f) => f.start >= end && f.path.startsWith(prefix) && f.path !== path,
  )
  const firstName = inside[0]?.path.slice(prefix.length).split(".")[0]
  const own = sample.slice(start, end)
  const items = inside.filter(
    (f) => f.path === `${prefix}${firstName}` || f.path.startsWith(`${prefix}${firstName}.`),
  )
  const [from, to] = [items[0]?.start ?? end, items.at(-1)?.end ?? end]
  const item = sample.slice(from, to)
  const step = dice.one([-1, 1, 1, 2])
  own[own.length - 1] = (own[own.length - 1] as number) + step
  const repeated = step < 0 ? [] : Array.from({ length: step + 1 }, () => item)
  return concat(
    sample.subarray(0, start),
    own,
    sample.subarray(end, from),
    ...repeated,
    sample.subarray(to),
  )
}

/** A byte string of another length, with the length before it corrected. */
function resized(sample: Bytes, fields: readonly Field[], place: number, dice: Dice): Bytes {
  const { start, end } = fields[place] as Field
  const before = fields[place - 1]
  const own = sample.slice(start, end)
  const next = dice.one([
    () => new Uint8Array(0),
    () => own.slice(0, dice.below(own.length + 1)),
    () => concat(own, dice.bytes(1 + dice.below(64))),
    () => dice.bytes(dice.below(200)),
    () => Uint8Array.of(0xed, 0xa0, 0x80, 0xc0, 0x80),
    () => new Uint8Array(dice.one([256, 65_536])),
  ])()
  const counts =
    before?.kind === "integer" && before.end === start && before.end - before.start === 4
  if (!counts) return concat(sample.subarray(0, start), next, sample.subarray(end))
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, next.length)
  return concat(sample.subarray(0, before.start), length, next, sample.subarray(end))
}

/** Another field of the same length, of this sample's kind. */
function sameLength(decoder: Decoder, own: Bytes, dice: Dice): Bytes {
  const other = dice.one(decoder.samples)
  const fields = decoder.layout(other)?.filter((f) => f.end - f.start === own.length) ?? []
  if (fields.length === 0) return own
  const { start, end } = dice.one(fields)
  return other.slice(start, end)
}

/** The rest of another sample from where the same field begins, or from anywhere. */
function partOfAnother(decoder: Decoder, { path }: Field, dice: Dice): Bytes {
  const other = dice.one(decoder.samples)
  const fields = decoder.layout(other) ?? []
  const same = fields.filter((field) => field.path === path)
  const from = same.length > 0 ? dice.one(same).start : dice.below(other.length + 1)
  return other.slice(from)
}
