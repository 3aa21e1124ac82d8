import { type Bytes, equalBytes, toHex } from "@lockkeeper/encoding"
import { schnorr } from "@noble/curves/secp256k1.js"
import { NETWORK, p2tr, SigHash, Transaction } from "@scure/btc-signer"
import { ChainRefused } from "./chain-refused.ts"
import {
  type Funding,
  type OwnOutput,
  type Payment,
  SEQUENCE_FINAL,
  type Spend,
  unsignedPayment,
} from "./payment.ts"
import { keyPathSighash } from "./sighash.ts"

/** What asks the key servers: 64 bytes of BIP340 signature, by the key tweaked as BIP341 says. */
export type SighashSigner = (sighash: Bytes) => Promise<Bytes>

/** A finalised Taproot spend, with what it takes to check it again. */
export interface TaprootSpend extends Spend {
  readonly sighash: Bytes
  readonly signature: Bytes
}

/**
 * The key-path-only Taproot output of an x-only public key: BIP341's output key commits to an empty
 * script tree, so nobody can claim that a hidden script path exists.
 */
export function taprootOutput(internalKey: Bytes): OwnOutput {
  const { address, script } = p2tr(internalKey, undefined, NETWORK)
  if (address === undefined) throw new ChainRefused("no Taproot address for this key")
  return { address, script: new Uint8Array(script) }
}

/**
 * Builds a PSBT that spends `funding` to `to` with change back to the owner, has its BIP341 sighash
 * signed, finalises and extracts it, and verifies the extracted transaction.
 *
 * @throws ChainRefused when the library's sighash or the Schnorr check disagrees with ours.
 */
export async function spendTaproot(
  owner: { readonly internalKey: Bytes; readonly sign: SighashSigner },
  funding: Funding,
  payment: Payment,
): Promise<TaprootSpend> {
  const { internalKey: tapInternalKey } = owner
  const output = taprootOutput(tapInternalKey)
  const { transaction, change } = unsignedPayment(funding, output, payment, { tapInternalKey })

  const sighash = sighashOf(transaction, funding, output.script)
  const signature = await owner.sign(sighash)
  transaction.updateInput(0, { tapKeySig: signature })
  transaction.finalize()
  const raw = new Uint8Array(transaction.extract())
  verifyTaprootSpend(raw, { script: output.script, amount: funding.amount })
  return {
    txid: transaction.id,
    from: output.address,
    to: payment.to,
    amount: payment.amount,
    change,
    fee: transaction.fee,
    sighash,
    signature,
    raw,
  }
}

/**
 * Verifies a raw transaction as a node does: parse its bytes, take the output key from the script
 * of the output it spends, recompute the sighash and check the Schnorr signature in its witness.
 * Parser, sighash and signature check are @scure/btc-signer's and @noble/curves'.
 */
export function verifyTaprootSpend(raw: Bytes, spent: { script: Bytes; amount: bigint }): void {
  const parsed = Transaction.fromRaw(raw)
  const witness = parsed.getInput(0).finalScriptWitness
  const signature = witness?.[0]
  if (witness?.length !== 1 || signature?.length !== 64) {
    throw new ChainRefused("the witness is not one 64-byte key-path signature")
  }
  const { script, amount } = spent
  // A version 1 witness program: OP_1, a push of 32 bytes, the x-only output key.
  if (script.length !== 34 || script[0] !== 0x51 || script[1] !== 0x20) {
    throw new ChainRefused("the spent output is not Taproot")
  }
  const sighash = parsed.preimageWitnessV1(0, [script], SigHash.DEFAULT, [amount])
  if (!schnorr.verify(signature, sighash, script.subarray(2))) {
    throw new ChainRefused("the Schnorr signature does not verify against the spent output's key")
  }
}

/** Our own BIP341 sighash, which the library must agree with before anything is signed. */
function sighashOf(transaction: Transaction, funding: Funding, script: Bytes): Bytes {
  const outputs = []
  for (let i = 0; i < transaction.outputsLength; i++) {
    const { amount, script } = transaction.getOutput(i)
    if (amount === undefined || script === undefined) throw new ChainRefused("incomplete output")
    outputs.push({ amount, script: new Uint8Array(script) })
  }
  const input = {
    txid: funding.txid.toReversed(),
    index: funding.index,
    sequence: SEQUENCE_FINAL,
    amount: funding.amount,
    script,
  }
  const spend = { version: 2, lockTime: transaction.lockTime, inputs: [input], outputs }
  const ours = keyPathSighash(spend, 0)
  const theirs = transaction.preimageWitnessV1(0, [script], SigHash.DEFAULT, [funding.amount])
  if (!equalBytes(ours, theirs)) {
    throw new ChainRefused(
      `two computations of the sighash differ: ${toHex(ours)}, ${toHex(theirs)}`,
    )
  }
  return ours
}
