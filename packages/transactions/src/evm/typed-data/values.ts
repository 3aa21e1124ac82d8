import { type Bytes, DecodeError, fromHex, type Json } from "@lockkeeper/encoding"
import { evmAddressOf, isEvmAddress } from "../address.ts"
import type { FieldType, Schema, StructType } from "./schema.ts"

/** A value of typed data, within the range of its type. */
export type TypedValue =
  | { readonly kind: "struct"; readonly type: StructType; readonly fields: readonly TypedValue[] }
  | { readonly kind: "array"; readonly items: readonly TypedValue[] }
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "bytes" | "fixed-bytes" | "address"; readonly bytes: Bytes }

/** Most values in one message; each costs a hash or a part of one. */
const MAX_VALUES = 4096

/** Reads JSON values as those of their types, with a limit on how many there are. */
export class ValueReader {
  readonly #schema: Schema
  #values = 0

  constructor(schema: Schema) {
    this.#schema = schema
  }

  /** @throws DecodeError with the path of the field at fault: missing, further, out of range. */
  struct(name: string, value: Json, path: string): TypedValue & { readonly kind: "struct" } {
    // The schema has every type that it refers to.
    const type = this.#schema.get(name) as StructType
    if (value.kind !== "object") throw new DecodeError("not an object", value.at, path)
    const fields = type.fields.map((field) => {
      const member = value.members.get(field.name)
      const place = `${path}.${field.name}`
      if (member === undefined) throw new DecodeError("missing", value.at, place)
      return this.#read(field.type, member, place)
    })
    if (value.members.size !== type.fields.length) {
      const names = new Set(type.fields.map((field) => field.name))
      const extra = [...value.members.keys()].find((member) => !names.has(member)) ?? ""
      throw new DecodeError(
        "a field that the type does not have",
        value.at,
        `${path}.${extra.slice(0, 128)}`,
      )
    }
    return { kind: "struct", type, fields }
  }

  #read(type: FieldType, value: Json, path: string): TypedValue {
    this.#values += 1
    if (this.#values > MAX_VALUES) throw new DecodeError("too many values", value.at, path)
    const refuse = (what: string): never => {
      throw new DecodeError(what, value.at, path)
    }
    switch (type.kind) {
      case "struct":
        return this.struct(type.name, value, path)
      case "array": {
        if (value.kind !== "array") return refuse("not a list")
        const { items } = value
        if (type.length !== null && items.length !== type.length) {
          return refuse(`not ${type.length} items`)
        }
        const read = items.map((item, index) => this.#read(type.item, item, `${path}.${index}`))
        return { kind: "array", items: read }
      }
      case "bool":
        if (value.kind !== "boolean") return refuse("neither true nor false")
        return { kind: "bool", value: value.value }
      case "integer":
        return { kind: "integer", value: integerOf(value, type, refuse) }
      default: {
        if (value.kind !== "string") return refuse("not text")
        return textValue(type, value.text, refuse)
      }
    }
  }
}

/** The fields of a struct by their names. */
export function fieldsOf(value: TypedValue): ReadonlyMap<string, TypedValue> {
  if (value.kind !== "struct") return new Map()
  const { type, fields } = value
  return new Map(type.fields.map(({ name }, i) => [name, fields[i] as TypedValue]))
}

export function addressIn(value: TypedValue | undefined): string | null {
  return value?.kind === "address" ? evmAddressOf(value.bytes) : null
}

type Refuse = (what: string) => never

function textValue(
  type: Extract<FieldType, { kind: "string" | "bytes" | "bool" | "address" | "fixed-bytes" }>,
  text: string,
  refuse: Refuse,
): TypedValue {
  if (type.kind === "string") return { kind: "string", text }
  if (type.kind === "address" && !isEvmAddress(text)) {
    return refuse("no address, or one with a wrong checksum")
  }
  if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(text)) return refuse("not hexadecimal bytes behind 0x")
  const bytes = fromHex(text.slice(2).toLowerCase())
  if (type.kind === "fixed-bytes" && bytes.length !== type.length) {
    return refuse("not as many bytes as its type has")
  }
  return { kind: type.kind as "bytes", bytes }
}

/** Numbers within 2^53 as JSON numbers; any as decimal text, or hexadecimal where not negative. */
function integerOf(
  value: Json,
  { signed, bits }: { readonly signed: boolean; readonly bits: number },
  refuse: Refuse,
): bigint {
  let integer: bigint
  if (value.kind === "number") {
    if (!/^(?:0|-?[1-9][0-9]{0,15})$/.test(value.digits)) return refuse("not a plain integer")
    if (!Number.isSafeInteger(Number(value.digits))) return refuse("above 2^53: write it as text")
    integer = BigInt(value.digits)
  } else if (value.kind === "string") {
    const { text } = value
    if (!/^(?:0|-?[1-9][0-9]{0,77}|0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63}))$/.test(text)) {
      return refuse("not an integer")
    }
    integer = BigInt(text)
  } else return refuse("not an integer")
  const least = signed ? -(1n << BigInt(bits - 1)) : 0n
  const most = (1n << BigInt(signed ? bits - 1 : bits)) - 1n
  if (integer < least || integer > most) return refuse("outside the range of its type")
  return integer
}
