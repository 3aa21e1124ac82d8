import {
  type Bytes,
  concat,
  DecodeError,
  fromHex,
  type Json,
  readJson,
  utf8,
} from "@lockkeeper/encoding"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { isEvmAddress } from "../address.ts"
import { DOMAIN, type FieldType, readSchema, type Schema, type StructType } from "./schema.ts"

/** Most values in one message; each costs a hash or a part of one. */
const MAX_VALUES = 4096

/** The members of typed data as `eth_signTypedData_v4` takes it, no more and no fewer. */
const MEMBERS = ["types", "primaryType", "domain", "message"] as const

/**
 * The digest that is signed for EIP-712 typed data: keccak256(0x1901, domain separator, struct hash).
 * Everything in the text is covered by it, and the text has one reading.
 *
 * @param typedData - JSON of `types` (with `EIP712Domain`), `primaryType`, `domain`, `message`.
 * @throws DecodeError with the character's offset and the path of what is at fault: unknown, unused
 *   or cyclic types, aliases, missing or further fields, values out of range, integers that are no
 *   integers or that JSON readers round, duplicate names.
 */
export function evmTypedDataDigest(typedData: string): Bytes {
  const data = readJson(typedData)
  const { types, primaryType, domain, message } = membersOf(data)
  const hasher = new StructHasher(readSchema(types, primaryType))
  const separator = hasher.struct(DOMAIN, domain, "domain")
  const primary = (primaryType as Json & { kind: "string" }).text
  const hash = hasher.struct(primary, message, "message")
  return keccak(concat(Uint8Array.of(0x19, 0x01), separator, hash))
}

function membersOf(data: Json): Record<(typeof MEMBERS)[number], Json> {
  if (data.kind !== "object") throw new DecodeError("not an object", data.at)
  const found: Partial<Record<string, Json>> = {}
  for (const name of MEMBERS) {
    const member = data.members.get(name)
    if (member === undefined) throw new DecodeError("missing", data.at, name)
    found[name] = member
  }
  for (const [name, { at }] of data.members) {
    if (!(MEMBERS as readonly string[]).includes(name)) {
      throw new DecodeError("a member that typed data does not have", at, name.slice(0, 128))
    }
  }
  return found as Record<(typeof MEMBERS)[number], Json>
}

const keccak = (bytes: Uint8Array): Bytes => new Uint8Array(keccak_256(bytes))

/** encodeData and hashStruct of EIP-712, with a limit on how many values they go through. */
class StructHasher {
  readonly #schema: Schema
  #values = 0

  constructor(schema: Schema) {
    this.#schema = schema
  }

  /** hashStruct(s) = keccak256(typeHash, encodeData(s)). */
  struct(name: string, value: Json, path: string): Bytes {
    // The schema has every type that it refers to.
    const type = this.#schema.get(name) as StructType
    if (value.kind !== "object") throw new DecodeError("not an object", value.at, path)
    const parts: Bytes[] = [type.typeHash]
    for (const field of type.fields) {
      const member = value.members.get(field.name)
      const place = `${path}.${field.name}`
      if (member === undefined) throw new DecodeError("missing", value.at, place)
      parts.push(this.#encode(field.type, member, place))
    }
    if (value.members.size !== type.fields.length) {
      const names = new Set(type.fields.map((field) => field.name))
      const extra = [...value.members.keys()].find((member) => !names.has(member)) ?? ""
      throw new DecodeError(
        "a field that the type does not have",
        value.at,
        `${path}.${extra.slice(0, 128)}`,
      )
    }
    return keccak(concat(...parts))
  }

  /** The 32 bytes that stand for a value in its struct. */
  #encode(type: FieldType, value: Json, path: string): Bytes {
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
        return keccak(
          concat(...items.map((item, index) => this.#encode(type.item, item, `${path}.${index}`))),
        )
      }
      case "bool":
        if (value.kind !== "boolean") return refuse("neither true nor false")
        return word(value.value ? 1n : 0n)
      case "integer":
        return word(integerOf(value, type, refuse))
      default: {
        if (value.kind !== "string") return refuse("not text")
        return encodeText(type, value.text, refuse)
      }
    }
  }
}

type Refuse = (what: string) => never

function encodeText(
  type: Extract<FieldType, { kind: "string" | "bytes" | "bool" | "address" | "fixed-bytes" }>,
  text: string,
  refuse: Refuse,
): Bytes {
  if (type.kind === "string") return keccak(utf8(text))
  if (type.kind === "address" && !isEvmAddress(text)) {
    return refuse("no address, or one with a wrong checksum")
  }
  if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(text)) return refuse("not hexadecimal bytes behind 0x")
  const bytes = fromHex(text.slice(2).toLowerCase())
  if (type.kind === "bytes") return keccak(bytes)
  if (type.kind === "address") return concat(new Uint8Array(12), bytes)
  if (type.kind === "fixed-bytes" && bytes.length !== type.length) {
    return refuse("not as many bytes as its type has")
  }
  return concat(bytes, new Uint8Array(32 - bytes.length))
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

/** 32 bytes, two's complement. */
function word(value: bigint): Bytes {
  return fromHex(BigInt.asUintN(256, value).toString(16).padStart(64, "0"))
}
