import {
  type Bytes,
  bytes,
  type Codec,
  list,
  struct,
  text,
  u16,
  u32,
  union,
} from "@lockkeeper/encoding"

/** Longest message that is signed as it is, bytes. */
export const MAX_MESSAGE = 16_384

/** Longest transaction or typed data, bytes. */
export const MAX_TRANSACTION = 98_304

/** Most steps from a key to its child. */
export const MAX_PATH_DEPTH = 10

/** First number of the hardened children, which a shared key does not have (BIP32). */
export const FIRST_HARDENED = 0x8000_0000

/**
 * The child that signs, as non-hardened BIP32 numbers; none for the key itself. Hardened numbers
 * decode, so that a server can say what is wrong with them.
 */
export const childPath: Codec<readonly number[]> = list(u32, MAX_PATH_DEPTH)

/**
 * What is to be signed, always whole: each server derives from it, by itself, the bytes or the digest
 * that the signature covers. A request never carries a digest beside the content.
 */
export type SignContent =
  /** Ed25519: the message, for Solana the whole transaction. bip340 and ecdsa: a 32-byte digest. */
  | { readonly kind: "message"; readonly message: Bytes }
  /** An unsigned EVM transaction as it is hashed: legacy with EIP-155, EIP-2930, 1559 or 4844. */
  | { readonly kind: "evm-transaction"; readonly transaction: Bytes }
  /** EIP-191 version 0x45, `personal_sign`. */
  | { readonly kind: "evm-message"; readonly message: Bytes }
  /** EIP-712: the JSON object of types, primaryType, domain and message. */
  | { readonly kind: "evm-typed-data"; readonly typedData: string }
  /** One input of a PSBT, which holds what the input spends. */
  | { readonly kind: "bitcoin-input"; readonly psbt: Bytes; readonly input: number }

export const signContent: Codec<SignContent> = union<SignContent>({
  message: struct({ message: bytes(MAX_MESSAGE) }),
  "evm-transaction": struct({ transaction: bytes(MAX_TRANSACTION) }),
  "evm-message": struct({ message: bytes(MAX_MESSAGE) }),
  "evm-typed-data": struct({ typedData: text(MAX_TRANSACTION) }),
  "bitcoin-input": struct({ psbt: bytes(MAX_TRANSACTION), input: u16 }),
})
