import { LockKeeperError } from "@lockkeeper/api"
import { type Bytes, equalBytes, toHex } from "@lockkeeper/encoding"
import { signPsbt } from "@lockkeeper/wallet/bitcoin"
import { Transaction } from "@scure/btc-signer"
import type { ChildView, OwnerSession } from "../owner.ts"
import { type Work, walletSession } from "../wallet-session.ts"
import { digestOf, parsed } from "./digest.ts"
import { signedEvmTransaction } from "./evm.ts"
import { missingSignatures, readSolanaTransaction, withSolanaSignature } from "./solana.ts"
import type { Unsigned } from "./unsigned.ts"

/** A transaction with this key's signature in it. */
export interface SignedTransaction extends Work {
  /** As nodes and tools take it: hexadecimal, for Solana and unfinished PSBTs base64. */
  readonly text: string
  /** What it still needs before it can be broadcast; nothing when it is complete. */
  readonly missing: "" | "signatures of others" | "the blobs, which travel beside it"
  /** What was signed; nothing where the whole message was. */
  readonly digests: readonly Bytes[]
}

/** EIP-4844: what is signed holds the hashes of blobs; nodes take it with the blobs beside it. */
const BLOB_TRANSACTION = 3

interface Order {
  readonly session: OwnerSession
  readonly child: ChildView
  /** psbt only: which input; null for each that this key can sign. */
  readonly input: number | null
  readonly signal: AbortSignal
}

/**
 * Reads the transaction as the servers will, has it signed and puts the signature where it belongs.
 *
 * @throws LockKeeperError `invalid-request` for what no server would sign, before any is asked.
 */
export async function signTransaction(
  { format, bytes }: Unsigned,
  order: Order,
): Promise<SignedTransaction> {
  switch (format) {
    case "evm":
      return await signEvm(bytes, order)
    case "psbt":
      return await signBitcoin(bytes, order)
    case "solana":
      return await signSolana(bytes, order)
  }
}

async function signEvm(transaction: Bytes, order: Order): Promise<SignedTransaction> {
  const { session, child, signal } = order
  const content = { kind: "evm-transaction", transaction } as const
  const remedy = "Pass it unsigned: legacy with EIP-155, EIP-2930, EIP-1559 or EIP-4844."
  const digest = parsed("transaction", "file", remedy, () => digestOf(content, child.publicKey))
  const { keyId, path } = child
  const signed = await session.sign({ keyId, path, content, merkleRoot: null }, signal)
  const { signature, recovery, signers, incidents } = signed
  if (recovery !== 0 && recovery !== 1) throw new Error("no recovery id that EVM chains take")
  const whole = signedEvmTransaction(transaction, { signature, recovery })
  return {
    text: `0x${toHex(whole)}`,
    missing: transaction[0] === BLOB_TRANSACTION ? "the blobs, which travel beside it" : "",
    digests: digest === null ? [] : [digest],
    ...{ signers: new Set(signers), incidents: [...incidents] },
  }
}

async function signBitcoin(psbt: Bytes, order: Order): Promise<SignedTransaction> {
  const { session, child, input, signal } = order
  const { wallet, work, contents } = walletSession(session, child, signal)
  const inputs = input === null ? {} : { inputs: [input] }
  const options = { path: child.path, signal, ...inputs }
  const signed = await signPsbt(wallet, child, psbt, options).catch(explain)
  const digests = contents.flatMap((content) => digestOf(content, child.publicKey) ?? [])
  return { ...finished(signed), digests, ...work }
}

/** The wallet's refusals name the place in the PSBT; here is also what to do about it. */
function explain(thrown: unknown): never {
  if (!(thrown instanceof LockKeeperError)) throw thrown
  const { code, message, field } = thrown
  if (thrown.remedy !== "" || !field.startsWith("psbt")) throw thrown
  const remedy =
    "Pass a PSBT with the output that each input spends, and name the key, with --path the child, " +
    "and with --input the input that are meant."
  throw new LockKeeperError(code, message, { field, remedy, cause: thrown })
}

/** The raw transaction, or the PSBT where signatures of others are missing. */
function finished(psbt: Bytes): Pick<SignedTransaction, "text" | "missing"> {
  const options = { allowUnknownOutputs: true, allowUnknownInputs: true } as const
  const transaction = Transaction.fromPSBT(psbt, options)
  try {
    transaction.finalize()
  } catch {
    // Finalising says in no other way that an input is not signed yet.
    return { text: Buffer.from(psbt).toString("base64"), missing: "signatures of others" }
  }
  return { text: toHex(transaction.extract()), missing: "" }
}

async function signSolana(encoded: Bytes, order: Order): Promise<SignedTransaction> {
  const { session, child, signal } = order
  const remedy = "Pass the transaction as wallets exchange it, with room for its signatures."
  const read = parsed("transaction", "file", remedy, () => readSolanaTransaction(encoded))
  const { keyId, path, publicKey } = child
  if (!read.signers.some((signer) => equalBytes(signer, publicKey))) {
    throw new LockKeeperError("invalid-request", "This key is no signer of the transaction.", {
      field: "file",
      remedy: "Name the key, or with --path the child of it, that pays or has to agree.",
    })
  }
  const content = { kind: "message", message: read.message } as const
  const signed = await session.sign({ keyId, path, content, merkleRoot: null }, signal)
  const whole = withSolanaSignature(read, publicKey, signed.signature)
  return {
    text: Buffer.from(whole).toString("base64"),
    missing: missingSignatures(readSolanaTransaction(whole)) > 0 ? "signatures of others" : "",
    digests: [],
    ...{ signers: new Set(signed.signers), incidents: [...signed.incidents] },
  }
}
