import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { Transaction } from "micro-eth-signer"
import { type Fields, type Item, listOf, readFields, textOf } from "./fields.ts"
import { FORMS, type Form } from "./forms.ts"

/** Signature fields after a typed transaction's own: yParity, r, s. */
const SIGNATURE_FIELDS = 3

/**
 * The digest that is signed for an unsigned EVM transaction: Keccak-256 of its bytes, after they
 * were read in full. Legacy transactions carry EIP-155's (chainId, 0, 0); EIP-2930, 1559 and 4844
 * are taken without signature, and 4844 without its blobs.
 *
 * @throws DecodeError on everything else: trailing bytes, RLP that is not canonical, other types,
 *   signed transactions, legacy ones without a chain, which would be valid on every chain.
 */
export function evmTransactionDigest(transaction: Uint8Array): Bytes {
  return readTransaction(transaction, FORMS).digest
}

export interface EvmTransaction {
  readonly form: Form
  readonly fields: Fields
  readonly digest: Bytes
}

/**
 * Reads the whole transaction twice: field by field here, and by micro-eth-signer.
 *
 * @throws DecodeError
 */
export function readTransaction(bytes: Uint8Array, forms: readonly Form[]): EvmTransaction {
  const form = formOf(bytes, forms)
  const fields = readFields(bytes, itemsOf(bytes, form), form.fields)
  const tip = fields.integers.get("maxPriorityFeePerGas") ?? 0n
  if (tip > (fields.integers.get("maxFeePerGas") ?? tip)) {
    throw new DecodeError("more than maxFeePerGas", 0, "maxPriorityFeePerGas")
  }
  readAgain(bytes)
  return { form, fields, digest: new Uint8Array(keccak_256(bytes)) }
}

function formOf(bytes: Uint8Array, forms: readonly Form[]): Form {
  const first = bytes[0]
  if (first === undefined) throw new DecodeError("an empty transaction", 0)
  const type = first >= 0xc0 ? null : first
  const form = forms.find((known) => known.type === type)
  if (form !== undefined) return form
  const types = forms.flatMap((known) => known.type ?? [])
  const listed = `${types.slice(0, -1).join(", ")} or ${types.at(-1)}`
  throw new DecodeError(`no transaction of type ${listed}`, 0, "type")
}

/** The fields' items, once it is certain that they are an unsigned transaction's. */
function itemsOf(bytes: Uint8Array, { type, fields }: Form): readonly Item[] {
  const list = listOf(type === null ? bytes : bytes.subarray(1))
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
