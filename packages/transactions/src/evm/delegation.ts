import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { authorization } from "micro-eth-signer"
import { actionOf } from "../intent/action.ts"
import { bounded, type Intent } from "../intent/intent.ts"
import type { Warning } from "../intent/warning.ts"
import { evmAddress, evmAddressOf } from "./address.ts"
import { listOf, readFields } from "./fields.ts"
import { DELEGATION_FIELDS } from "./forms.ts"
import type { EvmIntent } from "./transaction-intent.ts"

/** EIP-7702's `MAGIC`, which begins no transaction. */
const MAGIC = 0x05

/** EIP-2681: nonces end below this. */
const LAST_NONCE = (1n << 64n) - 1n

/**
 * What the account that signs an EIP-7702 authorization allows: 0x05 || rlp([chain id, address, nonce]).
 *
 * @param publicKey - of that account, 33 or 65 bytes.
 * @throws DecodeError
 */
export function evmDelegationIntent(
  message: Uint8Array,
  publicKey: Uint8Array | null = null,
): EvmIntent {
  if (message[0] !== MAGIC) throw new DecodeError("no authorization, which begins with 05", 0)
  const items = listOf(message.subarray(1))
  if (items.length !== DELEGATION_FIELDS.length) {
    throw new DecodeError(`${items.length} fields instead of ${DELEGATION_FIELDS.length}`, 0)
  }
  const { integers, bytes } = readFields(message, items, DELEGATION_FIELDS)
  const [chainId, nonce] = [integers.get("chainId") as bigint, integers.get("nonce") as bigint]
  if (nonce === LAST_NONCE) throw new DecodeError("an integer that is too large", 0, "nonce")
  const address = evmAddressOf(bytes.get("address") as Bytes)
  const digest = new Uint8Array(keccak_256(message))
  // The library writes the three fields again: its bytes have to be these.
  if (!equalBytes(authorization.getHash({ chainId, address, nonce }), digest)) {
    throw new DecodeError("not the canonical encoding", 0)
  }
  const from = publicKey === null ? null : evmAddress(publicKey)
  const warnings: Warning[] = [{ kind: "delegation", at: "address" }]
  if (chainId === 0n) warnings.push({ kind: "any-chain", at: "chainId" })
  const intent: Intent = {
    chain: { kind: "evm", chainId: chainId === 0n ? null : chainId },
    kind: "delegation",
    from,
    actions: [actionOf("delegate", { from, to: address })],
    feeCeiling: null,
    nonce,
    warnings,
    details: [],
  }
  return { intent: bounded(intent), digest }
}
