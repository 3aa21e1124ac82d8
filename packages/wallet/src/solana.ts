import {
  type Address,
  getAddressDecoder,
  type MessagePartialSigner,
  type SignatureBytes,
  type SignatureDictionary,
  type TransactionPartialSigner,
} from "@solana/kit"
import { type ChildPath, Signatory, type WalletKey, type WalletSession } from "./signing.ts"

export interface SolanaSignerOptions {
  /** The child that signs; the key itself when it is left out. */
  readonly path?: ChildPath
}

/**
 * A signer of @solana/kit whose key nobody has. The key servers are handed the whole message: of a
 * transaction its compiled message, which is what Solana's runtime checks the signature over.
 *
 * @param key - of the type ed25519.
 * @throws LockKeeperError `invalid-request` for other keys and paths.
 */
export function createLockKeeperSigner(
  session: WalletSession,
  key: WalletKey,
  { path = [] }: SolanaSignerOptions = {},
): MessagePartialSigner & TransactionPartialSigner {
  const signatory = new Signatory(session, key, path, ["ed25519"])
  const address: Address = getAddressDecoder().decode(signatory.publicKey)
  // One after the other: a flow that is cancelled signs nothing more.
  const signAll = async (messages: readonly Uint8Array[], signal: AbortSignal | undefined) => {
    const signed: SignatureDictionary[] = []
    for (const bytes of messages) {
      const content = { kind: "message", message: new Uint8Array(bytes) } as const
      const signature = await signatory.schnorr({ content, ...(signal ? { signal } : {}) })
      signed.push(Object.freeze({ [address]: signature as Uint8Array as SignatureBytes }))
    }
    return signed
  }
  return Object.freeze({
    address,
    signMessages: (messages, config) =>
      signAll(
        messages.map(({ content }) => content),
        config?.abortSignal,
      ),
    signTransactions: (transactions, config) =>
      signAll(
        transactions.map(({ messageBytes }) => new Uint8Array(messageBytes)),
        config?.abortSignal,
      ),
  } satisfies MessagePartialSigner & TransactionPartialSigner)
}
