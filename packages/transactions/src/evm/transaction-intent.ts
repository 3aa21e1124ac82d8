import { type Bytes, concat, DecodeError } from "@lockkeeper/encoding"
import { authorization } from "micro-eth-signer"
import { type Action, actionOf, bytesShown, type Detail } from "../intent/action.ts"
import { NATIVE } from "../intent/asset.ts"
import { bounded, type Intent } from "../intent/intent.ts"
import { MAX_UINT256 } from "../intent/uint256.ts"
import type { Warning, WarningKind } from "../intent/warning.ts"
import { evmAddress, evmAddressOf, ZERO_ADDRESS } from "./address.ts"
import { callActions, type Warn } from "./call-actions.ts"
import type { Fields } from "./fields.ts"
import { ALL_FORMS } from "./forms.ts"
import { type EvmTransaction, readTransaction } from "./transaction.ts"

/** What a signature would do, and the digest that it is of. */
export interface EvmIntent {
  readonly intent: Intent
  readonly digest: Bytes
}

/** EIP-4844 `GAS_PER_BLOB`. */
const GAS_PER_BLOB = 131_072n

/** A price of gas in wei that no chain has asked for a day long. */
const HIGH_GAS_PRICE = 5_000_000_000_000n

/** EIP-7825: what one transaction may use at most on Ethereum. */
const HIGH_GAS_LIMIT = 1n << 24n

/**
 * What an unsigned EVM transaction does: as `evmTransactionDigest` has it, with EIP-7702 beside.
 *
 * @param publicKey - of the account that signs, 33 or 65 bytes: the bytes do not name it.
 * @throws DecodeError also for calls of known functions whose arguments are not as the ABI encodes
 *   them, with the path of the argument, as in `data.to`.
 */
export function evmTransactionIntent(
  transaction: Uint8Array,
  publicKey: Uint8Array | null = null,
): EvmIntent {
  const read = readTransaction(transaction, ALL_FORMS)
  const from = publicKey === null ? null : evmAddress(publicKey)
  const warnings: Warning[] = []
  const warn = (kind: WarningKind, at: string) => void warnings.push({ kind, at })
  const actions = [...actionsOf(read.fields, from, warn), ...delegationsOf(read.fields, warn)]
  const intent: Intent = {
    chain: { kind: "evm", chainId: read.fields.integers.get("chainId") ?? null },
    kind: "transaction",
    from,
    actions,
    feeCeiling: feeCeilingOf(read, warn),
    nonce: read.fields.integers.get("nonce") ?? null,
    warnings,
    details: detailsOf(read),
  }
  return { intent: bounded(intent), digest: read.digest }
}

function actionsOf(
  { bytes, integers }: Fields,
  from: string | null,
  warn: Warn,
): readonly Action[] {
  const recipient = bytes.get("to") as Bytes
  const data = bytes.get("data") as Bytes
  const amount = integers.get("value") as bigint
  if (recipient.length === 0) {
    warn("contract-creation", "to")
    const details = bytesShown("init code", data)
    return [actionOf("create", { from, asset: NATIVE, amount, details })]
  }
  const to = evmAddressOf(recipient)
  if (to === ZERO_ADDRESS) warn("to-zero-address", "to")
  const transfer = actionOf("transfer", { from, to, asset: NATIVE, amount })
  if (data.length === 0) return [transfer]
  const calls = callActions({ from, contract: to, data }, warn)
  return amount === 0n ? calls : [transfer, ...calls]
}

/** EIP-7702: accounts whose code becomes that of an address, by signatures of their own. */
function delegationsOf({ authorizations }: Fields, warn: Warn): readonly Action[] {
  return authorizations.map(({ integers, bytes }, index) => {
    const at = `authorizationList.${index}`
    const chainId = integers.get("chainId") as bigint
    const address = evmAddressOf(bytes.get("address") as Bytes)
    const nonce = integers.get("nonce") as bigint
    warn("delegation", at)
    if (chainId === 0n) warn("any-chain", `${at}.chainId`)
    const signature = {
      yParity: Number(integers.get("yParity")),
      r: integers.get("r") as bigint,
      s: integers.get("s") as bigint,
    }
    const from = authorityOf({ chainId, address, nonce, ...signature })
    if (from === null) warn("unknown-authority", at)
    const details = [
      { name: "valid on chain", value: chainId === 0n ? "every chain" : String(chainId) },
      { name: "nonce of the account", value: String(nonce) },
      { name: "signature", value: [signature.yParity, signature.r, signature.s].join(" ") },
    ]
    return actionOf("delegate", { from, to: address, details })
  })
}

/** Whose signature an authorization carries; null where it is nobody's, and without effect. */
function authorityOf(item: Parameters<typeof authorization.getAuthority>[0]): string | null {
  try {
    return authorization.getAuthority(item)
  } catch {
    return null
  }
}

function feeCeilingOf({ fields: { integers, blobHashes } }: EvmTransaction, warn: Warn): bigint {
  const integer = (name: string) => integers.get(name) ?? 0n
  const price = integers.get("gasPrice") ?? integer("maxFeePerGas")
  const gas = integer("gasLimit")
  const blobGas = GAS_PER_BLOB * BigInt(blobHashes.length)
  const ceiling = gas * price + blobGas * integer("maxFeePerBlobGas")
  if (ceiling > MAX_UINT256) throw new DecodeError("a fee of more than 256 bits", 0, "gasLimit")
  const isDear = [price, integer("maxFeePerBlobGas")].some((each) => each > HIGH_GAS_PRICE)
  if (isDear || gas > HIGH_GAS_LIMIT) warn("high-fee", "gasLimit")
  if (blobHashes.length > 0) warn("blob-transaction", "blobVersionedHashes")
  return ceiling
}

function detailsOf({ form, fields }: EvmTransaction): readonly Detail[] {
  const details: Detail[] = [{ name: "form", value: form.name }]
  for (const name of [
    ...["gasLimit", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas", "maxFeePerBlobGas"],
  ]) {
    const value = fields.integers.get(name)
    if (value !== undefined) details.push({ name, value: String(value) })
  }
  fields.accessList.forEach(({ address, storageKeys }, index) => {
    const name = `accessList.${index}`
    details.push({ name: `${name}.address`, value: evmAddressOf(address) })
    details.push(...bytesShown(`${name}.storageKeys`, concat(...storageKeys)))
  })
  fields.blobHashes.forEach((hash, index) => {
    details.push(...bytesShown(`blobVersionedHashes.${index}`, hash))
  })
  return details
}
