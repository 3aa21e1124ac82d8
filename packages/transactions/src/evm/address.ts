import { toHex } from "@lockkeeper/encoding"
import { addr } from "micro-eth-signer"

export const ZERO_ADDRESS = `0x${"0".repeat(40)}`

/**
 * The account of a public key with its EIP-55 checksum.
 *
 * @param publicKey - a secp256k1 key, 33 or 65 bytes.
 */
export function evmAddress(publicKey: Uint8Array): `0x${string}` {
  return addr.fromPublicKey(publicKey) as `0x${string}`
}

/** 20 bytes, or the integer that they are, as an address with its EIP-55 checksum. */
export function evmAddressOf(account: Uint8Array | bigint): string {
  const digits =
    typeof account === "bigint" ? account.toString(16).padStart(40, "0") : toHex(account)
  return addr.addChecksum(`0x${digits}`)
}

/**
 * Whether text is an EVM address: 40 digits behind 0x, all in one case or with the right EIP-55
 * checksum.
 */
export function isEvmAddress(text: string): boolean {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) return false
  const digits = text.slice(2)
  if (digits === digits.toLowerCase() || digits === digits.toUpperCase()) return true
  return addr.addChecksum(text) === text
}
