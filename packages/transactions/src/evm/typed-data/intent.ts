import { toHex } from "@lockkeeper/encoding"
import { actionOf, type Detail } from "../../intent/action.ts"
import { bounded, type Intent } from "../../intent/intent.ts"
import type { Warning, WarningKind } from "../../intent/warning.ts"
import { evmAddress, evmAddressOf } from "../address.ts"
import type { EvmIntent } from "../transaction-intent.ts"
import { readTypedData, type TypedData } from "./digest.ts"
import { permitActions } from "./permits.ts"
import { addressIn, fieldsOf, type TypedValue } from "./values.ts"

/**
 * What signed EIP-712 typed data allows, where it is one of the known permits; all of its fields in
 * any case.
 *
 * @param typedData - as `evmTypedDataDigest` takes it.
 * @param publicKey - of the account that signs, 33 or 65 bytes.
 * @throws DecodeError likewise.
 */
export function evmTypedDataIntent(
  typedData: string,
  publicKey: Uint8Array | null = null,
): EvmIntent {
  const read = readTypedData(typedData)
  const from = publicKey === null ? null : evmAddress(publicKey)
  const domain = fieldsOf(read.domain)
  const chainId = domain.get("chainId")
  const contract = domain.get("verifyingContract")
  const warnings: Warning[] = []
  const warn = (kind: WarningKind, at: string) => void warnings.push({ kind, at })
  if (chainId === undefined) warn("any-chain", "domain")
  const verifyingContract = contract === undefined ? null : (addressIn(contract) as string)
  const order = { message: read.message, from, verifyingContract, hasChain: chainId !== undefined }
  const known = permitActions(order, warn)
  if (known === null) warn("unknown-typed-data", "message")
  const intent: Intent = {
    chain: { kind: "evm", chainId: chainId?.kind === "integer" ? chainId.value : null },
    kind: "typed-data",
    from,
    actions: known?.actions ?? [actionOf("typed-data", { from, to: verifyingContract })],
    feeCeiling: null,
    nonce: known?.nonce ?? null,
    warnings,
    details: detailsOf(read),
  }
  return { intent: bounded(intent), digest: read.digest }
}

function detailsOf({ primaryType, domain, message }: TypedData): readonly Detail[] {
  return [
    { name: "form", value: `EIP-712, ${primaryType}` },
    { name: "domain's type", value: domain.type.encodeType },
    { name: "type", value: message.type.encodeType },
    ...leavesOf(domain, "domain"),
    ...leavesOf(message, "message"),
  ]
}

/** Every value with its path. */
function* leavesOf(value: TypedValue, path: string): Generator<Detail> {
  switch (value.kind) {
    case "struct":
      for (const [name, field] of fieldsOf(value)) yield* leavesOf(field, `${path}.${name}`)
      return
    case "array":
      if (value.items.length === 0) yield { name: path, value: "an empty list" }
      for (const [index, item] of value.items.entries()) yield* leavesOf(item, `${path}.${index}`)
      return
    case "string":
      yield { name: path, value: value.text }
      return
    case "address":
      yield { name: path, value: evmAddressOf(value.bytes) }
      return
    case "bytes":
    case "fixed-bytes":
      yield { name: path, value: `0x${toHex(value.bytes)}` }
      return
    default:
      yield { name: path, value: String(value.value) }
  }
}
