import { createPublicKey, verify } from "node:crypto"
import { type Bytes, toBase64url } from "@lockkeeper/encoding"
import {
  AccountRole,
  type Address,
  address,
  appendTransactionMessageInstruction,
  compileTransaction,
  createTransactionMessage,
  getAddressDecoder,
  lamports,
  pipe,
  type SignatureBytes,
  setTransactionMessageFeePayer,
} from "@solana/kit"
import { FailedTransactionMetadata, LiteSVM } from "litesvm"
import { ChainRefused } from "./chain-refused.ts"

const SYSTEM_PROGRAM = address("11111111111111111111111111111111")
const TRANSFER_INSTRUCTION = 2

/** What asks the key servers: 64 bytes of Ed25519 signature over exactly these message bytes. */
export type MessageSigner = (message: Bytes) => Promise<Bytes>

/** A transfer that the Solana runtime executed, with what it takes to check it again. */
export interface SolanaTransfer {
  readonly from: string
  readonly to: string
  readonly lamports: bigint
  readonly fee: bigint
  readonly message: Bytes
  readonly signature: Bytes
}

/** The runtime's own accounts, in this process: nothing is sent to any network. */
export function startSolana(): LiteSVM {
  return new LiteSVM()
}

/** The base58 address of a 32-byte Ed25519 public key. */
export function solanaAddress(publicKey: Uint8Array): Address {
  return getAddressDecoder().decode(publicKey)
}

/** Puts `amount` lamports into an account, as a test network's faucet does. */
export function airdrop(svm: LiteSVM, to: Address, amount: bigint): void {
  const result = svm.airdrop(to, lamports(amount))
  if (result === null || result instanceof FailedTransactionMetadata) {
    throw new ChainRefused(`the runtime refused an airdrop of ${amount} lamports to ${to}`)
  }
}

/**
 * Builds a real transfer, has it signed, checks the signature with node:crypto, executes it on the
 * runtime and checks both balances.
 */
export async function transfer(
  svm: LiteSVM,
  owner: { readonly publicKey: Bytes; readonly sign: MessageSigner },
  to: Address,
  amount: bigint,
): Promise<SolanaTransfer> {
  const from = solanaAddress(owner.publicKey)
  const transaction = compileTransaction(
    pipe(
      createTransactionMessage({ version: 0 }),
      (message) => setTransactionMessageFeePayer(from, message),
      (message) => svm.setTransactionMessageLifetimeUsingLatestBlockhash(message),
      (message) =>
        appendTransactionMessageInstruction(transferInstruction(from, to, amount), message),
    ),
  )
  const message = new Uint8Array(transaction.messageBytes)
  const signature = await owner.sign(message)
  if (!verifyEd25519(owner.publicKey, message, signature)) {
    throw new ChainRefused("node:crypto refuses the Ed25519 signature over the transfer")
  }

  const before = { from: balance(svm, from), to: balance(svm, to) }
  const result = svm.sendTransaction({
    ...transaction,
    signatures: { [from]: signature as Uint8Array as SignatureBytes },
  })
  if (result instanceof FailedTransactionMetadata) {
    throw new ChainRefused(`the Solana runtime refused the transfer: ${result.toString()}`)
  }
  const fee = before.from - balance(svm, from) - amount
  if (balance(svm, to) - before.to !== amount || fee < 0n) {
    throw new ChainRefused("the balances after the transfer do not add up")
  }
  return { from, to, lamports: amount, fee, message, signature }
}

/** Ed25519 verification by OpenSSL through node:crypto: no line of it is ours. */
export function verifyEd25519(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  const key = createPublicKey({
    format: "jwk",
    key: { kty: "OKP", crv: "Ed25519", x: toBase64url(publicKey) },
  })
  return verify(null, message, key, signature)
}

/** The balance in lamports; an account that does not exist holds none. */
export function balance(svm: LiteSVM, of: Address): bigint {
  return svm.getBalance(of) ?? 0n
}

/** SystemInstruction::Transfer: u32 index and u64 lamports, both little-endian. */
function transferInstruction(from: Address, to: Address, amount: bigint) {
  const data = new Uint8Array(12)
  const view = new DataView(data.buffer)
  view.setUint32(0, TRANSFER_INSTRUCTION, true)
  view.setBigUint64(4, amount, true)
  return {
    programAddress: SYSTEM_PROGRAM,
    accounts: [
      { address: from, role: AccountRole.WRITABLE_SIGNER },
      { address: to, role: AccountRole.WRITABLE },
    ],
    data,
  }
}
