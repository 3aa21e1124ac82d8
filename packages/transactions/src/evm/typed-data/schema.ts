import { type Bytes, DecodeError, type Json, utf8 } from "@lockkeeper/encoding"
import { keccak_256 } from "@noble/hashes/sha3.js"

/** A type of EIP-712; aliases such as `uint` are none. */
export type FieldType =
  | { readonly kind: "string" | "bytes" | "bool" | "address" }
  | { readonly kind: "fixed-bytes"; readonly length: number }
  | { readonly kind: "integer"; readonly signed: boolean; readonly bits: number }
  | { readonly kind: "array"; readonly item: FieldType; readonly length: number | null }
  | { readonly kind: "struct"; readonly name: string }

export interface Field {
  readonly name: string
  readonly type: FieldType
  /** As it is written in the schema and hashed with it. */
  readonly typeText: string
}

export interface StructType {
  readonly fields: readonly Field[]
  /** EIP-712's encodeType: the struct with all that it refers to. */
  readonly encodeType: string
  /** keccak256(encodeType), 32 bytes. */
  readonly typeHash: Bytes
}

export type Schema = ReadonlyMap<string, StructType>

export const DOMAIN = "EIP712Domain"

/** The domain's fields, each at most once and in this order (EIP-712, "Definition of domainSeparator"). */
const DOMAIN_FIELDS: readonly (readonly [name: string, type: string])[] = [
  ["name", "string"],
  ["version", "string"],
  ["chainId", "uint256"],
  ["verifyingContract", "address"],
  ["salt", "bytes32"],
]

const MAX_TYPES = 64
const MAX_FIELDS = 256
const MAX_NAME = 128
const MAX_ARRAY_DEPTH = 8

const NAME = /^[A-Za-z_$][A-Za-z0-9_$]*$/
const WORDS: readonly string[] = ["string", "bytes", "bool", "address"]

type Fields = ReadonlyMap<string, readonly Field[]>

/**
 * The schema of a typed message: every type is the domain, the primary type or used by it, each
 * reference leads to a type, and none to itself.
 *
 * @throws DecodeError
 */
export function readSchema(types: Json, primaryType: Json): Schema {
  const declared = readTypes(types)
  checkDomain(declared.get(DOMAIN), types.at)
  if (primaryType.kind !== "string")
    throw new DecodeError("not text", primaryType.at, "primaryType")
  const primary = primaryType.text
  if (primary === DOMAIN || !declared.has(primary)) {
    throw new DecodeError("none of the types", primaryType.at, "primaryType")
  }
  const used = new Map<string, ReadonlySet<string>>()
  for (const name of [DOMAIN, primary]) collect(name, declared, used, [], types.at)
  const schema = new Map<string, StructType>()
  for (const [name, fields] of declared) {
    const references = used.get(name)
    if (references === undefined) {
      throw new DecodeError("a type that nothing uses", types.at, `types.${name}`)
    }
    // encodeType: the type itself, then all that it refers to in alphabetical order.
    const text = [name, ...[...references].sort()].map((n) => typeText(n, declared)).join("")
    const typeHash = new Uint8Array(keccak_256(utf8(text)))
    schema.set(name, { fields, encodeType: text, typeHash })
  }
  return schema
}

function typeText(name: string, declared: Fields): string {
  const fields = (declared.get(name) ?? []).map((field) => `${field.typeText} ${field.name}`)
  return `${name}(${fields.join(",")})`
}

function readTypes(types: Json): Fields {
  if (types.kind !== "object") throw new DecodeError("not an object", types.at, "types")
  if (types.members.size > MAX_TYPES) throw new DecodeError("too many types", types.at, "types")
  const names = new Set(types.members.keys())
  const declared = new Map<string, readonly Field[]>()
  for (const [name, fields] of types.members) {
    const path = `types.${name.slice(0, MAX_NAME)}`
    if (!isName(name) || primitive(name) !== null || WORDS.includes(name)) {
      throw new DecodeError("no name for a type", fields.at, path)
    }
    if (fields.kind !== "array") throw new DecodeError("not a list of fields", fields.at, path)
    const { length } = fields.items
    if (length === 0 || length > MAX_FIELDS) {
      throw new DecodeError(`not 1 to ${MAX_FIELDS} fields`, fields.at, path)
    }
    const read = fields.items.map((field, index) => readField(field, names, `${path}.${index}`))
    if (new Set(read.map((field) => field.name)).size < length) {
      throw new DecodeError("two fields of one name", fields.at, path)
    }
    declared.set(name, read)
  }
  return declared
}

function readField(field: Json, names: ReadonlySet<string>, path: string): Field {
  const refuse = (what: string): never => {
    throw new DecodeError(what, field.at, path)
  }
  if (field.kind !== "object" || field.members.size !== 2) return refuse("not a name and a type")
  const name = field.members.get("name")
  const type = field.members.get("type")
  if (name?.kind !== "string" || type?.kind !== "string") return refuse("not a name and a type")
  if (!isName(name.text)) return refuse("no name for a field")
  const parsed = parseType(type.text, names, 0)
  if (parsed === null) return refuse("an unknown type")
  return { name: name.text, type: parsed, typeText: type.text }
}

function parseType(text: string, names: ReadonlySet<string>, depth: number): FieldType | null {
  const array = /^(.+)\[([1-9][0-9]{0,5})?\]$/.exec(text)
  if (array !== null) {
    if (depth === MAX_ARRAY_DEPTH) return null
    const item = parseType(array[1] as string, names, depth + 1)
    return item && { kind: "array", item, length: array[2] === undefined ? null : Number(array[2]) }
  }
  if (WORDS.includes(text)) return { kind: text as "string" }
  return (
    primitive(text) ?? (names.has(text) && text !== DOMAIN ? { kind: "struct", name: text } : null)
  )
}

/** Types with a width: bytes1 to bytes32, uint8 to uint256, int8 to int256. */
function primitive(text: string): FieldType | null {
  const found = /^(bytes|u?int)([1-9][0-9]{0,2})$/.exec(text)
  if (found === null) return null
  const width = Number(found[2])
  if (found[1] === "bytes") return width <= 32 ? { kind: "fixed-bytes", length: width } : null
  if (width > 256 || width % 8 !== 0) return null
  return { kind: "integer", signed: found[1] === "int", bits: width }
}

const isName = (text: string) => text.length <= MAX_NAME && NAME.test(text)

function checkDomain(fields: readonly Field[] | undefined, at: number): void {
  const refuse = (what: string): never => {
    throw new DecodeError(what, at, `types.${DOMAIN}`)
  }
  let next = 0
  for (const { name, typeText } of fields ?? refuse("missing")) {
    const index = DOMAIN_FIELDS.findIndex(([n, type]) => n === name && type === typeText)
    if (index < next) refuse("not the domain's fields in their order")
    next = index + 1
  }
}

/** All types that `name` refers to, itself not; a type that leads back to itself is refused. */
function collect(
  name: string,
  declared: Fields,
  known: Map<string, ReadonlySet<string>>,
  from: readonly string[],
  at: number,
): ReadonlySet<string> {
  const already = known.get(name)
  if (already !== undefined) return already
  if (from.includes(name)) throw new DecodeError("a type that contains itself", at, `types.${name}`)
  const all = new Set<string>()
  for (const { type } of declared.get(name) ?? []) {
    const target = structOf(type)
    if (target === null) continue
    all.add(target)
    for (const further of collect(target, declared, known, [...from, name], at)) all.add(further)
  }
  known.set(name, all)
  return all
}

function structOf(type: FieldType): string | null {
  if (type.kind === "array") return structOf(type.item)
  return type.kind === "struct" ? type.name : null
}
