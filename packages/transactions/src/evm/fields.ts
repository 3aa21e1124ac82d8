import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import { RLP } from "micro-eth-signer/core/rlp.js"
import { integerOf } from "../intent/uint256.ts"
import { AUTHORIZATION_FIELDS, type FieldKind, type FieldList } from "./forms.ts"

export type Item = Uint8Array | readonly Item[]

/** A list of fields as its items say it, each under its name. */
export interface Fields {
  readonly integers: ReadonlyMap<string, bigint>
  /** Addresses and data. */
  readonly bytes: ReadonlyMap<string, Bytes>
  readonly accessList: readonly AccessEntry[]
  readonly blobHashes: readonly Bytes[]
  readonly authorizations: readonly Fields[]
}

export interface AccessEntry {
  readonly address: Bytes
  readonly storageKeys: readonly Bytes[]
}

/** The version byte of a blob's hash, EIP-4844 `VERSIONED_HASH_VERSION_KZG`. */
const BLOB_HASH_VERSION = 1

const INTEGER_BYTES: Readonly<Partial<Record<FieldKind, number>>> = {
  u8: 1,
  u64: 8,
  u256: 32,
  "chain-id": 8,
}

/** @throws DecodeError unless the bytes are one list in canonical RLP. */
export function listOf(bytes: Uint8Array): readonly Item[] {
  let list: Item
  try {
    list = RLP.decode(bytes) as Item
  } catch (cause) {
    throw new DecodeError(`not canonical RLP (${textOf(cause)})`, 0)
  }
  if (list instanceof Uint8Array) throw new DecodeError("not a list", 0)
  return list
}

/**
 * Reads items as the fields of a form, which are as many.
 *
 * @param bytes - what the items are views of.
 * @throws DecodeError with the field's name behind `path` and where it stands.
 */
export function readFields(
  bytes: Uint8Array,
  items: readonly Item[],
  form: FieldList,
  path = "",
): Fields {
  const reader = new FieldReader(bytes)
  form.forEach(([name, kind], index) => {
    reader.read(items[index] as Item, name, kind, `${path}${name}`)
  })
  return reader
}

class FieldReader implements Fields {
  readonly integers = new Map<string, bigint>()
  readonly bytes = new Map<string, Bytes>()
  accessList: readonly AccessEntry[] = []
  blobHashes: readonly Bytes[] = []
  authorizations: readonly Fields[] = []
  readonly #input: Uint8Array

  constructor(input: Uint8Array) {
    this.#input = input
  }

  read(item: Item, name: string, kind: FieldKind, path: string): void {
    if (kind === "access-list") this.accessList = this.#accessList(item, path)
    else if (kind === "blob-hashes") this.blobHashes = this.#blobs(item, path)
    else if (kind === "authorizations") this.authorizations = this.#authorizations(item, path)
    else if (kind === "data") this.bytes.set(name, this.#bytes(item, path))
    else if (kind === "recipient" || kind === "address") {
      this.bytes.set(name, this.#address(item, kind, path))
    } else this.integers.set(name, this.#integer(item, kind, path))
  }

  #bytes(item: Item, path: string): Bytes {
    if (item instanceof Uint8Array) return item as Bytes
    return this.#refuse("a list instead of bytes", item, path)
  }

  #address(item: Item, kind: "recipient" | "address", path: string): Bytes {
    const address = this.#bytes(item, path)
    if (address.length === 20 || (address.length === 0 && kind === "recipient")) return address
    return this.#refuse("not an address of 20 bytes", item, path)
  }

  #integer(item: Item, kind: FieldKind, path: string): bigint {
    const digits = this.#bytes(item, path)
    if (digits[0] === 0) this.#refuse("an integer with leading zeros", item, path)
    if (digits.length > (INTEGER_BYTES[kind] ?? 0)) {
      this.#refuse("an integer that is too large", item, path)
    }
    const value = integerOf(digits)
    if (kind === "chain-id" && value === 0n) this.#refuse("no chain", item, path)
    return value
  }

  /** EIP-2930: pairs of an address and a list of 32-byte storage keys. */
  #accessList(list: Item, name: string): readonly AccessEntry[] {
    return this.#list(list, name).map((entry, index) => {
      const path = `${name}.${index}`
      if (entry instanceof Uint8Array || entry.length !== 2) {
        return this.#refuse("not an address and its storage keys", entry, path)
      }
      const [address, keys] = entry as readonly [Item, Item]
      return {
        address: this.#address(address, "address", `${path}.address`),
        storageKeys: this.#hashes(keys, `${path}.storageKeys`),
      }
    })
  }

  #blobs(list: Item, name: string): readonly Bytes[] {
    const hashes = this.#hashes(list, name)
    for (const hash of hashes) {
      if (hash[0] !== BLOB_HASH_VERSION) this.#refuse("a hash of an unknown version", hash, name)
    }
    if (hashes.length === 0) this.#refuse("no blob", list, name)
    return hashes
  }

  #authorizations(list: Item, name: string): readonly Fields[] {
    const items = this.#list(list, name)
    if (items.length === 0) this.#refuse("no authorization", list, name)
    return items.map((entry, index) => {
      const path = `${name}.${index}`
      if (entry instanceof Uint8Array || entry.length !== AUTHORIZATION_FIELDS.length) {
        return this.#refuse("not an authorization's six fields", entry, path)
      }
      return readFields(this.#input, entry, AUTHORIZATION_FIELDS, `${path}.`)
    })
  }

  #hashes(list: Item, path: string): readonly Bytes[] {
    return this.#list(list, path).map((hash, index) => {
      if (hash instanceof Uint8Array && hash.length === 32) return hash as Bytes
      return this.#refuse("not 32 bytes", hash, `${path}.${index}`)
    })
  }

  #list(list: Item, path: string): readonly Item[] {
    if (list instanceof Uint8Array) return this.#refuse("not a list", list, path)
    return list
  }

  #refuse(what: string, item: Item, path: string): never {
    throw new DecodeError(what, offsetOf(item, this.#input), path)
  }
}

/** Items are views into the input, so they know where they stand; an empty list does not. */
function offsetOf(item: Item, bytes: Uint8Array): number {
  if (item instanceof Uint8Array) return item.byteOffset - bytes.byteOffset
  const [first] = item
  return first === undefined ? 0 : offsetOf(first, bytes)
}

export const textOf = (cause: unknown) =>
  cause instanceof Error ? cause.message.slice(0, 80) : "?"
