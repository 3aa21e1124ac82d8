import type { Element, Group, Scalar } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  concat,
  DecodeError,
  equalBytes,
  type Field,
  layoutOf,
} from "@lockkeeper/encoding"
import { seeded } from "./seeded.ts"

export const MUTATIONS = [
  "bit flip",
  "zero",
  "random",
  "all ones",
  "one more",
  "one less",
  "another participant's",
  "another session's",
  "an earlier step's",
  "identity",
  "generator",
  "negated",
  "non-canonical",
  "longer",
  "shorter",
  "missing",
  "duplicated",
  "reordered",
] as const
export type Mutation = (typeof MUTATIONS)[number]

/** One encoding whose fields are to be changed, and where other values for them come from. */
export interface Subject {
  /** Part of the seed, so that random bytes differ between messages. */
  readonly name: string
  readonly codec: Codec<unknown>
  readonly encoded: Bytes
  /** In which fields of an element's or a scalar's length may be one. */
  readonly group?: Group
  /** The same message of another participant, and of another session. */
  readonly participants?: Bytes
  readonly sessions?: Bytes
  /** Bytes of an earlier step, from which fields of the same length are taken. */
  readonly earlier?: Bytes
}

/** The encoding with one thing changed. */
export interface Mutant {
  /** Path and, where several lie at one path, which of them; "" for the whole. */
  readonly field: string
  readonly mutation: Mutation
  readonly encoded: Bytes
}

interface NamedField extends Field {
  readonly name: string
}

function namedFields(codec: Codec<unknown>, encoded: Bytes): NamedField[] {
  const fields = layoutOf(codec, encoded)
  const total = new Map<string, number>()
  for (const { path } of fields) total.set(path, (total.get(path) ?? 0) + 1)
  const seen = new Map<string, number>()
  return fields.map((field) => {
    const nth = seen.get(field.path) ?? 0
    seen.set(field.path, nth + 1)
    return { ...field, name: total.get(field.path) === 1 ? field.path : `${field.path}#${nth}` }
  })
}

/** Every applicable change of every field, each different from the original and from the others. */
export function mutantsOf(subject: Subject): Mutant[] {
  const { codec, encoded } = subject
  const fields = namedFields(codec, encoded)
  const mutants: Mutant[] = []
  const add = (field: string, mutation: Mutation, changed: Bytes | null) => {
    if (changed === null || equalBytes(changed, encoded)) return
    const twice = mutants.some((m) => m.field === field && equalBytes(m.encoded, changed))
    if (!twice) mutants.push({ field, mutation, encoded: changed })
  }
  for (const [at, field] of fields.entries()) {
    for (const [mutation, value] of valuesFor(subject, field)) {
      if (value) add(field.name, mutation, splice(encoded, field.start, field.end, value))
    }
    for (const [mutation, changed] of resized(encoded, fields, at)) {
      add(field.name, mutation, changed)
    }
    for (const [name, mutation, changed] of recounted(encoded, fields, at)) {
      add(name, mutation, changed)
    }
  }
  add("", "longer", concat(encoded, Uint8Array.of(0)))
  add("", "shorter", encoded.slice(0, -1))
  add("", "missing", new Uint8Array(0))
  add("", "duplicated", concat(encoded, encoded))
  return mutants
}

export function splice(encoded: Bytes, start: number, end: number, value: Bytes): Bytes {
  return concat(encoded.slice(0, start), value, encoded.slice(end))
}

type Valued = readonly (readonly [Mutation, Bytes | null])[]

function valuesFor(subject: Subject, field: NamedField): Valued {
  const value = subject.encoded.slice(field.start, field.end)
  if (value.length === 0) return []
  const common: Valued = [
    ["bit flip", flipped(subject, field, value)],
    ["zero", new Uint8Array(value.length)],
    ["random", seeded(`random/${subject.name}/${field.name}`, value.length)],
    ["all ones", new Uint8Array(value.length).fill(0xff)],
    ["another participant's", sameField(subject, subject.participants, field)],
    ["another session's", sameField(subject, subject.sessions, field)],
    ["an earlier step's", earlierOf(subject, field, value.length)],
  ]
  if (field.kind === "integer") {
    return [...common, ["one more", plus(value, 1n)], ["one less", plus(value, -1n)]]
  }
  return [...common, ...algebraic(subject.group, value)]
}

function flipped({ name }: Subject, field: NamedField, value: Bytes): Bytes {
  const changed = value.slice()
  const pick = new DataView(seeded(`flip/${name}/${field.name}`, 4).buffer).getUint32(0)
  const bit = pick % (8 * value.length)
  changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
  return changed
}

function plus(value: Bytes, step: bigint): Bytes | null {
  const bits = BigInt(8 * value.length)
  let number = value.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + step
  if (number < 0n || number >= 1n << bits) return null
  const changed = new Uint8Array(value.length)
  for (let i = value.length - 1; i >= 0; i--, number >>= 8n) changed[i] = Number(number & 0xffn)
  return changed
}

function sameField(subject: Subject, other: Bytes | undefined, field: NamedField): Bytes | null {
  if (!other) return null
  try {
    const found = namedFields(subject.codec, other).find(({ name }) => name === field.name)
    if (!found || found.end - found.start !== field.end - field.start) return null
    return other.slice(found.start, found.end)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

function earlierOf({ earlier }: Subject, field: NamedField, length: number): Bytes | null {
  if (field.kind === "integer" || !earlier || earlier.length < length) return null
  return earlier.slice(0, length)
}

/** What only group elements and scalars have. A field may be taken for both: it is tried as both. */
function algebraic(group: Group | undefined, value: Bytes): Valued {
  if (!group) return []
  const found: [Mutation, Bytes | null][] = []
  if (value.length === group.elementLength) {
    found.push(["identity", group.identity], ["generator", group.generator])
    found.push(["non-canonical", otherForm(group, value)])
    const element = decoded(() => group.decodeElement(value))
    if (element) found.push(["negated", group.negate(element as Element)])
  }
  if (value.length === group.scalarLength) {
    const scalar = decoded(() => group.decodeScalar(value))
    if (scalar) {
      found.push(["negated", group.negateScalar(scalar as Scalar)])
      found.push(["non-canonical", aboveOrder(group, scalar as Scalar)])
    }
  }
  return found
}

function decoded(decode: () => Bytes): Bytes | null {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/** The same x behind SEC1's prefix of a hybrid point; elsewhere y = 1 + p, the identity unreduced. */
function otherForm(group: Group, value: Bytes): Bytes {
  if (group.elementLength === 33) {
    return concat(Uint8Array.of(((value[0] as number) & 1) | 6), value.slice(1))
  }
  const unreduced = new Uint8Array(32).fill(0xff)
  unreduced[0] = 0xee
  unreduced[31] = 0x7f
  return unreduced
}

/** The same residue, unreduced; null where it does not fit. */
function aboveOrder(group: Group, scalar: Scalar): Bytes | null {
  let number = group.scalarToInteger(scalar) + group.order
  if (number >= 1n << 256n) return null
  const little = new Uint8Array(32)
  for (let i = 0; i < 32; i++, number >>= 8n) little[i] = Number(number & 0xffn)
  return group.name === "secp256k1" ? little.reverse() : little
}

/** One byte more and one less, with the length in front of it corrected where there is one. */
function resized(encoded: Bytes, fields: readonly NamedField[], at: number): Valued {
  const field = fields[at] as NamedField
  if (field.kind === "integer") return []
  const before = fields[at - 1]
  const value = encoded.slice(field.start, field.end)
  const counted = before?.kind === "integer" && before.path === field.path
  const prefixed = counted && readInteger(encoded, before) === value.length
  const withValue = (changed: Bytes): Bytes => {
    const spliced = splice(encoded, field.start, field.end, changed)
    return prefixed ? withInteger(spliced, before, changed.length) : spliced
  }
  const longer = withValue(concat(value, Uint8Array.of(0)))
  if (value.length === 0) return [["longer", longer]]
  const shorter = withValue(value.slice(0, -1))
  return prefixed
    ? [
        ["longer", longer],
        ["shorter", shorter],
        ["missing", withValue(new Uint8Array(0))],
      ]
    : [
        ["longer", longer],
        ["shorter", shorter],
      ]
}

function readInteger(encoded: Bytes, { start, end }: Field): number {
  return encoded.slice(start, end).reduce((sum, byte) => sum * 256 + byte, 0)
}

function withInteger(encoded: Bytes, field: Field, value: number): Bytes {
  const changed = new Uint8Array(field.end - field.start)
  let left = value
  for (let i = changed.length - 1; i >= 0; i--, left = Math.floor(left / 256))
    changed[i] = left & 0xff
  return splice(encoded, field.start, field.end, changed)
}

/** A list or map whose first, last or only item is left out or stands twice, counted right. */
function recounted(
  encoded: Bytes,
  fields: readonly NamedField[],
  at: number,
): readonly (readonly [string, Mutation, Bytes])[] {
  const count = fields[at] as NamedField
  if (count.kind !== "integer" || count.end - count.start !== 4) return []
  const items = itemsOf(fields, at)
  if (items.length === 0 || items.length !== readInteger(encoded, count)) return []
  const changes: (readonly [string, Mutation, Bytes])[] = []
  for (const { name, start, end } of new Set([items[0]!, items.at(-1)!])) {
    const without = splice(encoded, start, end, new Uint8Array(0))
    changes.push([name, "missing", withInteger(without, count, items.length - 1)])
    const twice = splice(encoded, end, end, encoded.slice(start, end))
    changes.push([name, "duplicated", withInteger(twice, count, items.length + 1)])
  }
  if (items.length > 1) {
    const [a, b] = [items[0]!, items[1]!]
    const swapped = concat(encoded.slice(b.start, b.end), encoded.slice(a.start, a.end))
    changes.push([count.name, "reordered", splice(encoded, a.start, b.end, swapped)])
    const none = splice(encoded, items[0]!.start, items.at(-1)!.end, new Uint8Array(0))
    changes.push([count.name, "missing", withInteger(none, count, 0)])
  }
  return changes
}

interface Item {
  readonly name: string
  readonly start: number
  readonly end: number
}

/** The items behind a count: all fields below its path, a map's keys with what they are keys of. */
function itemsOf(fields: readonly NamedField[], at: number): Item[] {
  const { path } = fields[at] as NamedField
  const below = path === "" ? "" : `${path}.`
  const items: { name: string; start: number; end: number }[] = []
  let key: NamedField | null = null
  for (const field of fields.slice(at + 1)) {
    if (field.path === path && field.kind === "integer") {
      key = field
      continue
    }
    if (!field.path.startsWith(below)) break
    const [head] = field.path.slice(below.length).split(".")
    const name = `${below}${head}`
    const last = items.at(-1)
    if (last && key === null && last.name === name) last.end = field.end
    else items.push({ name, start: (key ?? field).start, end: field.end })
    key = null
  }
  return items
}
