import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { Transaction } from "micro-eth-signer"
import { RLP } from "micro-eth-signer/core/rlp.js"

/** What a field of an unsigned transaction may hold; integers are minimal and big-endian. */
type FieldKind =
  | "u64"
  | "u256"
  | "chain-id"
  | "recipient"
  | "address"
  | "data"
  | "access-list"
  | "blob-hashes"

interface Form {
  /** EIP-2718 type byte; null for legacy transactions, which have none. */
  readonly type: number | null
  readonly fields: readonly (readonly [name: string, kind: FieldKind])[]
}

const LEGACY: Form = {
  type: null,
  fields: [
    ["nonce", "u64"],
    ["gasPrice", "u256"],
    ["gasLimit", "u64"],
    ["to", "recipient"],
    ["value", "u256"],
    ["data", "data"],
    ["chainId", "chain-id"],
  ],
}

const EIP_2930: Form = {
  type: 1,
  fields: [
    ["chainId", "chain-id"],
    ["nonce", "u64"],
    ["gasPrice", "u256"],
    ["gasLimit", "u64"],
    ["to", "recipient"],
    ["value", "u256"],
    ["data", "data"],
    ["accessList", "access-list"],
  ],
}

const EIP_1559: Form = {
  type: 2,
  fields: [
    ["chainId", "chain-id"],
    ["nonce", "u64"],
    ["maxPriorityFeePerGas", "u256"],
    ["maxFeePerGas", "u256"],
    ["gasLimit", "u64"],
    ["to", "recipient"],
    ["value", "u256"],
    ["data", "data"],
    ["accessList", "access-list"],
  ],
}

const EIP_4844: Form = {
  type: 3,
  fields: [
    ...EIP_1559.fields.map(([name, kind]) => [name, name === "to" ? "address" : kind] as const),
    ["maxFeePerBlobGas", "u256"],
    ["blobVersionedHashes", "blob-hashes"],
  ],
}

/** The version byte of a blob's hash, EIP-4844 `VERSIONED_HASH_VERSION_KZG`. */
const BLOB_HASH_VERSION = 1

/** Signature fields after a typed transaction's own: yParity, r, s. */
const SIGNATURE_FIELDS = 3

type Item = Uint8Array | readonly Item[]

/**
 * The digest that is signed for an unsigned EVM transaction: Keccak-256 of its bytes, after they
 * were read in full. Legacy transactions carry EIP-155's (chainId, 0, 0); EIP-2930, 1559 and 4844
 * are taken without signature, and 4844 without its blobs.
 *
 * @throws DecodeError on everything else: trailing bytes, RLP that is not canonical, other types,
 *   signed transactions, legacy ones without a chain, which would be valid on every chain.
 */
export function evmTransactionDigest(transaction: Uint8Array): Bytes {
  readTransaction(transaction)
  return new Uint8Array(keccak_256(transaction))
}

/** Reads the whole transaction twice: field by field here, and by micro-eth-signer. */
function readTransaction(bytes: Uint8Array): void {
  const form = formOf(bytes)
  const items = listOf(bytes, form)
  const values = new Map<string, bigint>()
  form.fields.forEach(([name, kind], index) => {
    const value = checkField(bytes, items[index] as Item, name, kind)
    if (value !== null) values.set(name, value)
  })
  const tip = values.get("maxPriorityFeePerGas") ?? 0n
  if (tip > (values.get("maxFeePerGas") ?? tip)) {
    throw new DecodeError("more than maxFeePerGas", 0, "maxPriorityFeePerGas")
  }
  readAgain(bytes)
}

function formOf(bytes: Uint8Array): Form {
  const first = bytes[0]
  if (first === undefined) throw new DecodeError("an empty transaction", 0)
  if (first >= 0xc0) return LEGACY
  const form = [EIP_2930, EIP_1559, EIP_4844].find(({ type }) => type === first)
  if (form === undefined) throw new DecodeError("no transaction of type 1, 2 or 3", 0, "type")
  return form
}

/** The fields' items, once it is certain that they are an unsigned transaction's. */
function listOf(bytes: Uint8Array, { type, fields }: Form): readonly Item[] {
  let list: Item
  try {
    list = RLP.decode(type === null ? bytes : bytes.subarray(1)) as Item
  } catch (cause) {
    throw new DecodeError(`not canonical RLP (${textOf(cause)})`, 0)
  }
  if (list instanceof Uint8Array) throw new DecodeError("not a list", 0)
  const own = fields.length
  if (type !== null) {
    if (list.length === own + SIGNATURE_FIELDS) throw new DecodeError("signed already", 0)
    if (list.length !== own) throw new DecodeError(`${list.length} fields instead of ${own}`, 0)
    return list
  }
  if (list.length === own - 1) {
    throw new DecodeError("without EIP-155 it would be valid on every chain", 0, "chainId")
  }
  if (list.length !== own + 2)
    throw new DecodeError(`${list.length} fields instead of ${own + 2}`, 0)
  for (const empty of list.slice(own)) {
    if (!(empty instanceof Uint8Array) || empty.length > 0)
      throw new DecodeError("signed already", 0)
  }
  return list
}

/** Checks one field; the value of an integer is returned. */
function checkField(bytes: Uint8Array, item: Item, name: string, kind: FieldKind): bigint | null {
  const at = offsetOf(item, bytes)
  const refuse = (what: string): never => {
    throw new DecodeError(what, at, name)
  }
  if (kind === "access-list") return checkAccessList(bytes, item, name)
  if (kind === "blob-hashes") return checkBlobHashes(bytes, item, name)
  if (!(item instanceof Uint8Array)) return refuse("a list instead of bytes")
  if (kind === "data") return null
  if (kind === "recipient" || kind === "address") {
    if (item.length === 20 || (item.length === 0 && kind === "recipient")) return null
    return refuse("not an address of 20 bytes")
  }
  if (item[0] === 0) return refuse("an integer with leading zeros")
  if (item.length > (kind === "u256" ? 32 : 8)) return refuse("an integer that is too large")
  const value = item.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  if (kind === "chain-id" && value === 0n) return refuse("no chain")
  return value
}

/** EIP-2930: pairs of an address and a list of 32-byte storage keys. */
function checkAccessList(bytes: Uint8Array, list: Item, name: string): null {
  if (list instanceof Uint8Array) throw new DecodeError("not a list", offsetOf(list, bytes), name)
  list.forEach((entry, index) => {
    const path = `${name}.${index}`
    if (entry instanceof Uint8Array || entry.length !== 2) {
      throw new DecodeError("not an address and its storage keys", offsetOf(entry, bytes), path)
    }
    const [address, keys] = entry as readonly [Item, Item]
    checkField(bytes, address, `${path}.address`, "address")
    checkHashes(bytes, keys, `${path}.storageKeys`)
  })
  return null
}

function checkBlobHashes(bytes: Uint8Array, list: Item, name: string): null {
  for (const hash of checkHashes(bytes, list, name)) {
    if (hash[0] === BLOB_HASH_VERSION) continue
    throw new DecodeError("a hash of an unknown version", offsetOf(hash, bytes), name)
  }
  if (list.length === 0) throw new DecodeError("no blob", 0, name)
  return null
}

function checkHashes(bytes: Uint8Array, list: Item, path: string): readonly Uint8Array[] {
  if (list instanceof Uint8Array) throw new DecodeError("not a list", offsetOf(list, bytes), path)
  return list.map((hash, index) => {
    if (hash instanceof Uint8Array && hash.length === 32) return hash
    throw new DecodeError("not 32 bytes", offsetOf(hash, bytes), `${path}.${index}`)
  })
}

/**
 * The library's own reading. It knows limits that ours does not spell out, and what it would write
 * for what it read must be the bytes that are signed.
 */
function readAgain(bytes: Uint8Array): void {
  let written: Uint8Array
  try {
    written = Transaction.fromBytes(bytes).toBytes()
  } catch (cause) {
    throw new DecodeError(`outside the protocol's limits (${textOf(cause)})`, 0)
  }
  if (!equalBytes(written, bytes)) throw new DecodeError("not the canonical encoding", 0)
}

/** Items are views into the input, so they know where they stand; an empty list does not. */
function offsetOf(item: Item, bytes: Uint8Array): number {
  if (item instanceof Uint8Array) return item.byteOffset - bytes.byteOffset
  const [first] = item
  return first === undefined ? 0 : offsetOf(first, bytes)
}

const textOf = (cause: unknown) => (cause instanceof Error ? cause.message.slice(0, 80) : "?")
