import { LockKeeperError } from "@lockkeeper/client"
import { toHex } from "@lockkeeper/encoding"

export interface TypedDataParts {
  /** Struct types, with or without `EIP712Domain`. */
  readonly types: Readonly<Record<string, readonly TypedDataField[]>>
  readonly primaryType: string
  readonly domain: Readonly<Record<string, unknown>>
  readonly message: Readonly<Record<string, unknown>>
}

export interface TypedDataField {
  readonly name: string
  readonly type: string
}

/** The domain's fields in the order that EIP-712 gives them. */
const DOMAIN_FIELDS: readonly TypedDataField[] = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
  { name: "salt", type: "bytes32" },
]

/**
 * Typed data as the JSON that key servers read: what the signature covers and nothing else. EVM
 * libraries pass over types that nothing uses and fields that no type has; here they are left out, so
 * that servers can refuse them.
 */
export function typedDataText({ types, primaryType, domain, message }: TypedDataParts): string {
  // What the caller says of the domain counts; libraries go by the fields that it has.
  const present = DOMAIN_FIELDS.filter(({ name }) => domain[name] != null)
  const used: Record<string, readonly TypedDataField[]> = {
    EIP712Domain: types["EIP712Domain"] ?? present,
  }
  const visit = (name: string): void => {
    const fields = Object.hasOwn(types, name) ? types[name] : undefined
    if (fields === undefined || Object.hasOwn(used, name)) return
    used[name] = fields.map(({ name: field, type }) => ({ name: field, type }))
    for (const { type } of fields) visit(type.replace(/(?:\[\d*\])*$/, ""))
  }
  visit(primaryType)
  return JSON.stringify({
    types: used,
    primaryType,
    domain: project(domain, "EIP712Domain", used, "domain"),
    message: project(message, primaryType, used, "message"),
  })
}

type Types = Readonly<Record<string, readonly TypedDataField[]>>

/** A value of a type, with integers and bytes as text. */
function project(value: unknown, type: string, types: Types, path: string): unknown {
  const array = /^(.*)\[\d*\]$/.exec(type)
  if (array !== null) {
    if (!Array.isArray(value)) return value
    return value.map((item, i) => project(item, array[1] as string, types, `${path}.${i}`))
  }
  const fields = Object.hasOwn(types, type) ? types[type] : undefined
  if (fields !== undefined) {
    if (typeof value !== "object" || value === null) return value
    const members = value as Record<string, unknown>
    return Object.fromEntries(
      fields.map((field) => [
        field.name,
        project(members[field.name], field.type, types, `${path}.${field.name}`),
      ]),
    )
  }
  if (value instanceof Uint8Array) return `0x${toHex(value)}`
  if (typeof value === "bigint") return value.toString()
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new LockKeeperError("invalid-request", "A number is no exact integer.", {
      field: path,
      remedy: "Pass integers above 2^53 as bigint or text.",
    })
  }
  // Checksums were the library's to check; both spellings of an address are one address.
  if (type === "address" && typeof value === "string") return value.toLowerCase()
  if (/^u?int\d+$/.test(type) && typeof value === "string") return integerText(value)
  return value
}

/** Libraries take spellings such as 0x01; what is no integer at all is left for the check. */
function integerText(text: string): string {
  return /^(?:-?\d+|0x[0-9a-fA-F]+)$/.test(text) ? BigInt(text).toString() : text
}
