import { LockKeeperError, type SignContent } from "@lockkeeper/api"
import type { Element } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import { dkls, type frost } from "@lockkeeper/protocols"
import {
  type BitcoinInput,
  type BitcoinInputDigest,
  bitcoinInputDigest,
  evmMessageDigest,
  evmTransactionDigest,
  evmTypedDataDigest,
} from "@lockkeeper/transactions"

/** How contents are read: each exactly once, for the digest and for whatever else is to be known. */
export interface ContentReader {
  /** Bytes that are signed as they are; `publicKey` is that of the child that signs. */
  message(message: Bytes, keyType: string, publicKey: Element): void
  evmTransaction(transaction: Bytes, publicKey: Element): Bytes
  evmMessage(message: Bytes, publicKey: Element): Bytes
  evmTypedData(typedData: string, publicKey: Element): Bytes
  bitcoinInput(given: BitcoinInput): BitcoinInputDigest
}

/** For accounts whose owner decides alone. */
export const digestsAlone: ContentReader = {
  message: () => undefined,
  evmTransaction: evmTransactionDigest,
  evmMessage: evmMessageDigest,
  evmTypedData: evmTypedDataDigest,
  bitcoinInput: bitcoinInputDigest,
}

/**
 * What a signature by an ECDSA key covers: a digest that this server derives from the whole content.
 *
 * @param publicKey - of the child that signs.
 * @throws LockKeeperError `invalid-request` naming the field of the content that is at fault.
 */
export function ecdsaDigest(
  content: SignContent,
  publicKey: Element,
  reader: ContentReader = digestsAlone,
): Bytes {
  const [field, digest] = ecdsaDigestOf(content, publicKey, reader)
  const checked = dkls.checkDigest(digest)
  if (checked.ok) return digest
  throw new LockKeeperError("invalid-request", "ECDSA cannot sign this digest.", {
    field,
    remedy: "Sign 32 bytes that are not zero and below the group's order.",
  })
}

function ecdsaDigestOf(
  content: SignContent,
  publicKey: Element,
  reader: ContentReader,
): readonly [string, Bytes] {
  switch (content.kind) {
    case "message":
      reader.message(content.message, "ecdsa-secp256k1", publicKey)
      return ["body.content.message", content.message]
    case "evm-transaction": {
      const read = () => reader.evmTransaction(content.transaction, publicKey)
      return ["body.content.transaction", derive("transaction", read)]
    }
    case "evm-message":
      return ["body.content.message", reader.evmMessage(content.message, publicKey)]
    case "evm-typed-data": {
      const read = () => reader.evmTypedData(content.typedData, publicKey)
      return ["body.content.typedData", derive("typedData", read)]
    }
    case "bitcoin-input": {
      const input = bitcoinDigest(content, publicKey, reader)
      if (input.scheme !== "ecdsa") throw wrongScheme("an ECDSA key does not sign Taproot inputs")
      return ["body.content.psbt", input.digest]
    }
  }
}

/** What FROST signs, and the tweak that goes with it. */
export interface FrostContent {
  readonly message: Bytes
  readonly tweak: frost.Tweak
}

/**
 * The same for keys that FROST signs with: a message, or an input that a Taproot key spends.
 *
 * @param merkleRoot - as the request has it.
 * @throws LockKeeperError likewise.
 */
export function frostContent(
  keyType: string,
  content: SignContent,
  merkleRoot: Bytes | null,
  publicKey: Element,
  reader: ContentReader = digestsAlone,
): FrostContent {
  const tweak = tweakOf(merkleRoot)
  if (content.kind === "message") {
    if (keyType === "bip340" && content.message.length !== 32) {
      throw new LockKeeperError("invalid-request", "A bip340 key signs digests of 32 bytes.", {
        field: "body.content.message",
        remedy: "Hash the message, or sign a Bitcoin input as a PSBT.",
      })
    }
    reader.message(content.message, keyType, publicKey)
    return { message: content.message, tweak }
  }
  if (keyType !== "bip340" || content.kind !== "bitcoin-input") {
    throw wrongScheme(`${keyType} keys do not sign ${content.kind}`)
  }
  const input = bitcoinDigest(content, publicKey, reader)
  if (input.scheme !== "bip340") throw wrongScheme("a bip340 key signs Taproot inputs alone")
  if (merkleRoot === null || !equalBytes(merkleRoot, input.merkleRoot)) {
    throw new LockKeeperError("invalid-request", "The input commits to another Merkle root.", {
      field: "body.merkleRoot",
      remedy: "Send the root of the PSBT's input; empty without scripts.",
    })
  }
  return { message: input.digest, tweak }
}

function tweakOf(merkleRoot: Bytes | null): frost.Tweak {
  if (merkleRoot === null) return { kind: "none" }
  if (merkleRoot.length === 0) return { kind: "key-path" }
  if (merkleRoot.length === 32) return { kind: "merkle-root", root: merkleRoot }
  throw new LockKeeperError("invalid-request", "A Merkle root is empty or 32 bytes.", {
    field: "body.merkleRoot",
  })
}

function bitcoinDigest(
  { psbt, input }: Extract<SignContent, { kind: "bitcoin-input" }>,
  publicKey: Element,
  reader: ContentReader,
): BitcoinInputDigest {
  return derive("psbt", () => reader.bitcoinInput({ psbt, input, publicKey }))
}

function wrongScheme(why: string): LockKeeperError {
  return new LockKeeperError("invalid-request", `This key cannot sign this: ${why}.`, {
    field: "body.content",
    remedy: "Use a key of the type that the chain signs with.",
  })
}

/** Reads the content's one field, and says where it is wrong. */
function derive<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const field = `body.content.${name}`
    throw new LockKeeperError("invalid-request", `What is to be signed: ${error.message}.`, {
      field: error.path === "" ? field : `${field}.${error.path}`,
      remedy: "Send it whole, unsigned and as the chain encodes it.",
      cause: error,
    })
  }
}
