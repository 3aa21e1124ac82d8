import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import { keccak_256 } from "@noble/hashes/sha3.js"

/**
 * The digest that is signed for a message, EIP-191 version 0x45, as `personal_sign` and
 * `eth_sign` have it. Its first byte, 0x19, begins no transaction.
 */
export function evmMessageDigest(message: Uint8Array): Bytes {
  const prefix = utf8(`\x19Ethereum Signed Message:\n${message.length}`)
  return new Uint8Array(keccak_256(concat(prefix, message)))
}
