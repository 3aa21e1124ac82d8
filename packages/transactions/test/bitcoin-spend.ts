import { secp256k1 } from "@noble/curves/secp256k1.js"
import { p2pkh, p2sh, p2tr, p2wpkh, Transaction } from "@scure/btc-signer"

/** A key that tests sign with outside of Lock Keeper. */
export const secretKey = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
export const publicKey = secp256k1.getPublicKey(secretKey)
export const otherKey = secp256k1.getPublicKey(Uint8Array.from({ length: 32 }, () => 7))

export const SCRIPTS = ["p2wpkh", "p2sh-p2wpkh", "p2pkh", "p2tr"] as const
export type Script = (typeof SCRIPTS)[number]

/** The output script of a key, and what an input that spends it has to say about it. */
export function paymentTo(script: Script, key: Uint8Array = publicKey) {
  switch (script) {
    case "p2wpkh":
      return p2wpkh(key)
    case "p2sh-p2wpkh":
      return p2sh(p2wpkh(key))
    case "p2pkh":
      return p2pkh(key)
    case "p2tr":
      return p2tr(key.subarray(1))
  }
}

export interface SpendOptions {
  readonly key?: Uint8Array
  readonly sighashType?: number
  readonly psbtVersion?: 0 | 2
  readonly outputs?: number
}

/** A transaction that pays `script`, for an input to spend; and one whose inputs spend such outputs. */
export function previousOf(script: Script, key: Uint8Array, salt: number): Transaction {
  const previous = new Transaction()
  previous.addInput({ txid: new Uint8Array(32).fill(salt + 1), index: 0 })
  previous.addOutput({ script: paymentTo(script, key).script, amount: 100_000n + BigInt(salt) })
  return previous
}

export function spend(scripts: readonly Script[], options: SpendOptions = {}): Transaction {
  const { key = publicKey, sighashType, psbtVersion = 0, outputs = 2 } = options
  const transaction = new Transaction({ PSBTVersion: psbtVersion, lockTime: 17 })
  scripts.forEach((script, index) => {
    const payment = paymentTo(script, key)
    const previous = previousOf(script, key, index)
    const whole = script !== "p2tr"
    transaction.addInput({
      txid: previous.id,
      index: 0,
      sequence: 0xffff_fffd - index,
      ...(whole ? { nonWitnessUtxo: previous.unsignedTx } : {}),
      ...(script === "p2pkh"
        ? {}
        : { witnessUtxo: { script: payment.script, amount: 100_000n + BigInt(index) } }),
      ...("redeemScript" in payment ? { redeemScript: payment.redeemScript as Uint8Array } : {}),
      ...(script === "p2tr" ? { tapInternalKey: key.subarray(1) } : {}),
      ...(sighashType === undefined ? {} : { sighashType }),
    })
  })
  for (let i = 0; i < outputs; i++) {
    transaction.addOutput({
      script: paymentTo("p2wpkh", otherKey).script,
      amount: 1000n + BigInt(i),
    })
  }
  return transaction
}
