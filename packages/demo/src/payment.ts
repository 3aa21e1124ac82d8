import type { Bytes } from "@lockkeeper/encoding"
import { NETWORK, Transaction } from "@scure/btc-signer"
import { ChainRefused } from "./chain-refused.ts"

export const SEQUENCE_FINAL = 0xffff_ffff

/** Money to spend: an output that pays the owner's address. */
export interface Funding {
  /** As block explorers show it; serialised in the reverse order. */
  readonly txid: Bytes
  readonly index: number
  readonly amount: bigint
}

export interface Payment {
  readonly to: string
  readonly amount: bigint
  readonly fee: bigint
}

/** Where the money comes from and the change goes to. */
export interface OwnOutput {
  readonly address: string
  readonly script: Bytes
}

/** A transaction with one input, its payment, and change where there is any. */
export function unsignedPayment(
  funding: Funding,
  { script }: OwnOutput,
  { to, amount, fee }: Payment,
  input: { readonly tapInternalKey?: Bytes } = {},
): { readonly transaction: Transaction; readonly change: bigint } {
  const change = funding.amount - amount - fee
  if (change < 0n) throw new ChainRefused("the funding output does not cover amount and fee")
  const transaction = new Transaction({ version: 2 })
  transaction.addInput({
    txid: funding.txid,
    index: funding.index,
    sequence: SEQUENCE_FINAL,
    witnessUtxo: { script, amount: funding.amount },
    ...input,
  })
  transaction.addOutputAddress(to, amount, NETWORK)
  if (change > 0n) transaction.addOutput({ script, amount: change })
  return { transaction, change }
}

/** What a finalised spend did. */
export interface Spend {
  readonly txid: string
  readonly from: string
  readonly to: string
  readonly amount: bigint
  readonly change: bigint
  readonly fee: bigint
  readonly raw: Bytes
}
