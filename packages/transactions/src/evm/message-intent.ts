import { fromUtf8 } from "@lockkeeper/encoding"
import { actionOf, bytesShown, type Detail } from "../intent/action.ts"
import { bounded, type Intent } from "../intent/intent.ts"
import type { Warning } from "../intent/warning.ts"
import { evmAddress } from "./address.ts"
import { evmMessageDigest } from "./message.ts"
import type { EvmIntent } from "./transaction-intent.ts"

/** Controls but for tab, line feed and carriage return; marks of direction; what has no meaning. */
const UNREADABLE = /[^\P{C}\t\n\r]|[\u2028\u2029]/u

const HASH = 32

/**
 * What an EIP-191 message says: text where it is readable UTF-8, hexadecimal otherwise.
 *
 * @param publicKey - of the account that signs, 33 or 65 bytes.
 */
export function evmMessageIntent(
  message: Uint8Array,
  publicKey: Uint8Array | null = null,
): EvmIntent {
  const text = readableText(message)
  const warnings: Warning[] = []
  if (text === null) warnings.push({ kind: "unreadable-message", at: "" })
  if (message.length === HASH) warnings.push({ kind: "hash-like-message", at: "" })
  const details: readonly Detail[] =
    text === null ? bytesShown("bytes", message) : [{ name: "text", value: text }]
  const from = publicKey === null ? null : evmAddress(publicKey)
  const intent: Intent = {
    chain: { kind: "evm", chainId: null },
    kind: "message",
    from,
    actions: [actionOf("message", { from, details })],
    feeCeiling: null,
    nonce: null,
    warnings,
    details: [{ name: "form", value: "EIP-191, version 0x45" }],
  }
  return { intent: bounded(intent), digest: evmMessageDigest(message) }
}

/** The text that bytes are; null where they are not UTF-8 or hold signs that nobody sees. */
export function readableText(bytes: Uint8Array): string | null {
  try {
    const text = fromUtf8(bytes)
    return UNREADABLE.test(text) ? null : text
  } catch {
    return null
  }
}
