import { LockKeeperError, type SignContent } from "@lockkeeper/api"
import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import {
  bitcoinInputDigest,
  evmMessageDigest,
  evmTransactionDigest,
  evmTypedDataDigest,
} from "@lockkeeper/transactions"

/**
 * The digest that each key server will derive from the content by itself; null where the bytes
 * themselves are signed.
 *
 * @throws DecodeError for what no server would sign.
 */
export function digestOf(content: SignContent, publicKey: Bytes): Bytes | null {
  switch (content.kind) {
    case "evm-transaction":
      return evmTransactionDigest(content.transaction)
    case "evm-message":
      return evmMessageDigest(content.message)
    case "evm-typed-data":
      return evmTypedDataDigest(content.typedData)
    case "bitcoin-input": {
      const { psbt, input } = content
      return bitcoinInputDigest({ psbt, input, publicKey }).digest
    }
    case "message":
      return null
  }
}

/**
 * Runs `read` and says for people why what they passed cannot be signed.
 *
 * @param what - as in "The transaction does not parse".
 * @throws LockKeeperError `invalid-request` with the place of the fault.
 */
export function parsed<T>(what: string, field: string, remedy: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw new LockKeeperError("invalid-request", `The ${what} does not parse: ${cause.message}.`, {
      field: cause.path === "" ? field : `${field}.${cause.path}`,
      remedy,
      cause,
    })
  }
}
