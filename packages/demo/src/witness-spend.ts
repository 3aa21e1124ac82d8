import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { NETWORK, p2pkh, p2wpkh, SigHash, Transaction } from "@scure/btc-signer"
import { ChainRefused } from "./chain-refused.ts"
import {
  type Funding,
  type OwnOutput,
  type Payment,
  type Spend,
  unsignedPayment,
} from "./payment.ts"

/** What asks the key servers: a PSBT in, the same with a signature for each of its inputs out. */
export type PsbtSigner = (psbt: Bytes) => Promise<Bytes>

/** The P2WPKH output of a compressed public key. */
export function witnessOutput(publicKey: Bytes): OwnOutput {
  const { address, script } = p2wpkh(publicKey, NETWORK)
  if (address === undefined) throw new ChainRefused("no P2WPKH address for this key")
  return { address, script: new Uint8Array(script) }
}

/**
 * Builds a PSBT that spends `funding` to `to` with change back to the owner, has it signed,
 * finalises and extracts it, and verifies the extracted transaction.
 *
 * @throws ChainRefused when the library does not accept the signature.
 */
export async function spendWitness(
  owner: { readonly publicKey: Bytes; readonly sign: PsbtSigner },
  funding: Funding,
  payment: Payment,
): Promise<Spend> {
  const output = witnessOutput(owner.publicKey)
  const { transaction: unsigned, change } = unsignedPayment(funding, output, payment)

  const signed = Transaction.fromPSBT(await owner.sign(new Uint8Array(unsigned.toPSBT())))
  if (signed.id !== unsigned.id) throw new ChainRefused("what was signed is another transaction")
  signed.finalize()
  const raw = new Uint8Array(signed.extract())
  verifyWitnessSpend(raw, { script: output.script, amount: funding.amount })
  return {
    txid: signed.id,
    from: output.address,
    to: payment.to,
    amount: payment.amount,
    change,
    fee: signed.fee,
    raw,
  }
}

/**
 * Verifies a raw transaction as a node does: parse its bytes, compare the witness's public key with
 * the output it spends, recompute the BIP143 sighash and check the ECDSA signature. Parser, sighash
 * and signature check are @scure/btc-signer's and @noble/curves'.
 */
export function verifyWitnessSpend(raw: Bytes, spent: { script: Bytes; amount: bigint }): void {
  const parsed = Transaction.fromRaw(raw)
  const [signature, publicKey, ...more] = parsed.getInput(0).finalScriptWitness ?? []
  if (signature === undefined || publicKey === undefined || more.length > 0) {
    throw new ChainRefused("the witness is not one signature and one public key")
  }
  if (!equalBytes(new Uint8Array(p2wpkh(publicKey, NETWORK).script), spent.script)) {
    throw new ChainRefused("the spent output is not of the witness's public key")
  }
  if (signature.at(-1) !== SigHash.ALL) {
    throw new ChainRefused("the signature does not cover the whole transaction")
  }
  // BIP143: the script code of a P2WPKH output is the P2PKH script of the same key.
  const scriptCode = p2pkh(publicKey, NETWORK).script
  const sighash = parsed.preimageWitnessV0(0, scriptCode, SigHash.ALL, spent.amount)
  // Strict DER and low s, which nodes relay no transaction without.
  const rule = { format: "der", prehash: false, lowS: true } as const
  if (!secp256k1.verify(signature.subarray(0, -1), sighash, publicKey, rule)) {
    throw new ChainRefused("the ECDSA signature does not verify against the spent output's key")
  }
}
