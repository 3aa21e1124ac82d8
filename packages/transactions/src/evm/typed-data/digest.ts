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
import { DOMAIN, readSchema } from "./schema.ts"
import { type TypedValue, ValueReader } from "./values.ts"

/** The members of typed data as `eth_signTypedData_v4` takes it, no more and no fewer. */
const MEMBERS = ["types", "primaryType", "domain", "message"] as const

type Struct = TypedValue & { readonly kind: "struct" }

/** Typed data that was read in full. */
export interface TypedData {
  readonly primaryType: string
  readonly domain: Struct
  readonly message: Struct
  readonly digest: Bytes
}

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
  return readTypedData(typedData).digest
}

/** @throws DecodeError likewise. */
export function readTypedData(typedData: string): TypedData {
  const { types, primaryType, domain, message } = membersOf(readJson(typedData))
  const reader = new ValueReader(readSchema(types, primaryType))
  const domainValue = reader.struct(DOMAIN, domain, "domain")
  const primary = (primaryType as Json & { kind: "string" }).text
  const value = reader.struct(primary, message, "message")
  const digest = keccak(concat(Uint8Array.of(0x19, 0x01), encoded(domainValue), encoded(value)))
  return { primaryType: primary, domain: domainValue, message: value, digest }
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

/** The 32 bytes that stand for a value in its struct: encodeData and hashStruct of EIP-712. */
function encoded(value: TypedValue): Bytes {
  switch (value.kind) {
    case "struct":
      // hashStruct(s) = keccak256(typeHash, encodeData(s)).
      return keccak(concat(value.type.typeHash, ...value.fields.map(encoded)))
    case "array":
      return keccak(concat(...value.items.map(encoded)))
    case "bool":
      return word(value.value ? 1n : 0n)
    case "integer":
      return word(value.value)
    case "string":
      return keccak(utf8(value.text))
    case "bytes":
      return keccak(value.bytes)
    case "address":
      return concat(new Uint8Array(12), value.bytes)
    case "fixed-bytes":
      return concat(value.bytes, new Uint8Array(32 - value.bytes.length))
  }
}

/** 32 bytes, two's complement. */
function word(value: bigint): Bytes {
  return fromHex(BigInt.asUintN(256, value).toString(16).padStart(64, "0"))
}
