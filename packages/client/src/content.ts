import {
  type KeyType,
  LockKeeperError,
  MAX_MESSAGE,
  MAX_TRANSACTION,
  type SignContent,
} from "@lockkeeper/api"
import { type Bytes, equalBytes, utf8 } from "@lockkeeper/encoding"
import { dkls } from "@lockkeeper/protocols"
import { bytesOf } from "./key-info.ts"

/** What is to be signed, and the bytes that the signature will be verified against. */
export interface Signable {
  readonly content: SignContent
  /** ed25519: the message; otherwise a 32-byte digest. */
  readonly message: Bytes
}

function refuse(field: string, message: string, remedy = ""): never {
  throw new LockKeeperError("invalid-request", message, { field, remedy })
}

/** The content as the wire takes it. @throws LockKeeperError `invalid-request` naming the field. */
function checked(content: SignContent): SignContent {
  const most = (name: string, length: number, limit: number): void => {
    if (length > limit) refuse(`content.${name}`, "It is too long.", `Sign up to ${limit} bytes.`)
  }
  const bytesIn = (name: string, value: unknown, limit: number): Bytes => {
    const bytes = bytesOf(value, `content.${name}`)
    most(name, bytes.length, limit)
    return bytes
  }
  switch (content.kind) {
    case "message":
    case "evm-message":
      return { kind: content.kind, message: bytesIn("message", content.message, MAX_MESSAGE) }
    case "evm-transaction": {
      const transaction = bytesIn("transaction", content.transaction, MAX_TRANSACTION)
      return { kind: content.kind, transaction }
    }
    case "evm-typed-data": {
      const { typedData } = content
      if (typeof typedData !== "string" || !typedData.isWellFormed()) {
        refuse("content.typedData", "It is no text.", "Give the EIP-712 object as JSON text.")
      }
      most("typedData", utf8(typedData).length, MAX_TRANSACTION)
      return { kind: content.kind, typedData }
    }
    case "bitcoin-input": {
      const { input } = content
      if (!Number.isInteger(input) || input < 0 || input > 0xffff) {
        refuse("content.input", "There is no such input.")
      }
      return { kind: content.kind, psbt: bytesIn("psbt", content.psbt, MAX_TRANSACTION), input }
    }
    default:
      return refuse("content.kind", "There is no such kind of content.")
  }
}

interface Given {
  readonly content: SignContent
  readonly digest: Uint8Array | undefined
}

/** What a FROST key signs. @throws LockKeeperError `invalid-request` naming the field. */
export function frostSignable(keyType: KeyType, { content: given, digest }: Given): Signable {
  const content = checked(given)
  if (keyType === "ed25519") {
    if (content.kind === "message") return { content, message: content.message }
    return refuse("content", "An Ed25519 key signs messages.", "Give the whole transaction as one.")
  }
  if (content.kind === "message") return { content, message: digestIn(content.message) }
  if (content.kind !== "bitcoin-input") {
    return refuse("content", "A bip340 key signs Bitcoin inputs and digests.")
  }
  if (digest === undefined) {
    return refuse("digest", "The input's digest is missing.", "Give the BIP341 sighash.")
  }
  return { content, message: bytesOf(digest, "digest", 32) }
}

function digestIn(message: Bytes): Bytes {
  if (message.length === 32) return message
  return refuse("message", "This key signs a 32-byte digest.", "Hash the transaction first.")
}

/** What an ECDSA key signs. @throws LockKeeperError `invalid-request` naming the field. */
export function ecdsaSignable({ content: given, digest }: Given): Signable {
  const content = checked(given)
  const inContent = content.kind === "message" ? digestIn(content.message) : null
  const message = bytesOf(digest ?? inContent, "digest", 32)
  if (inContent !== null && !equalBytes(inContent, message)) {
    refuse("digest", "The digest is not the message.", "Leave `digest` out for messages.")
  }
  const usable = dkls.checkDigest(message)
  if (usable.ok) return { content, message }
  return refuse("digest", `The digest cannot be signed: ${usable.abort.reason}.`)
}
