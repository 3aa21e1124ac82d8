import { base58 } from "@scure/base"

export {
  BITCOIN_NETWORKS,
  BITCOIN_SCRIPTS,
  type BitcoinNetwork,
  type BitcoinOutput,
  type BitcoinScript,
  bitcoinOutput,
  evmAddress,
} from "@lockkeeper/transactions"
export { type ExtendedKey, extendedPublicKey } from "./extended-key.ts"
export type {
  ChildPath,
  EcdsaSignature,
  SignContent,
  SignContentOptions,
  SignDigestOptions,
  WalletKey,
  WalletSession,
} from "./signing.ts"

/**
 * The account of an Ed25519 key on Solana.
 *
 * @param publicKey - 32 bytes.
 */
export function solanaAddress(publicKey: Uint8Array): string {
  if (publicKey.length !== 32) throw new RangeError("an Ed25519 public key has 32 bytes")
  return base58.encode(publicKey)
}
