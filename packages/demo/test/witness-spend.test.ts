import assert from "node:assert/strict"
import { describe, test } from "node:test"
import type { Bytes } from "@lockkeeper/encoding"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { SigHash, Transaction } from "@scure/btc-signer"
import { ChainRefused } from "../src/chain-refused.ts"
import { spendWitness, verifyWitnessSpend, witnessOutput } from "../src/witness-spend.ts"

const secret = new Uint8Array(32).fill(0x11)
const publicKey = new Uint8Array(secp256k1.getPublicKey(secret, true))
const funding = { txid: new Uint8Array(32).map((_, i) => i), index: 1, amount: 100_000n }
const recipient = secp256k1.getPublicKey(new Uint8Array(32).fill(0x22), true)
const to = witnessOutput(new Uint8Array(recipient)).address
const payment = { to, amount: 60_000n, fee: 500n }
const spent = { script: witnessOutput(publicKey).script, amount: funding.amount }

/** Signs as a wallet that holds the whole key does; the check of it is what is tested. */
const sign = async (psbt: Bytes): Promise<Bytes> => {
  const transaction = Transaction.fromPSBT(psbt)
  transaction.sign(secret, [SigHash.ALL], new Uint8Array(32))
  return new Uint8Array(transaction.toPSBT())
}

const refusal = (words: RegExp) => (error: unknown) =>
  error instanceof ChainRefused && words.test(error.message)

describe("a P2WPKH spend", () => {
  test("finalises to a transaction that verifies against the funding output", async () => {
    const spend = await spendWitness({ publicKey, sign }, funding, payment)
    assert.equal(spend.change, 39_500n)
    assert.equal(spend.fee, 500n)
    const parsed = Transaction.fromRaw(spend.raw)
    assert.equal(parsed.id, spend.txid)
    assert.equal(parsed.getOutputAddress(0), to)
    assert.equal(parsed.getOutputAddress(1), spend.from)
    verifyWitnessSpend(spend.raw, spent)
  })

  test("does not verify once an output amount is changed", async () => {
    const { raw } = await spendWitness({ publicKey, sign }, funding, payment)
    const altered = new Uint8Array(raw)
    // Version 4, marker and flag 2, input count 1, input 41, output count 1: the first amount.
    altered[49] = (altered[49] as number) ^ 1
    assert.throws(() => verifyWitnessSpend(altered, spent), refusal(/does not verify/))
  })

  test("does not verify against another amount or another key's output", async () => {
    const { raw } = await spendWitness({ publicKey, sign }, funding, payment)
    const amount = { ...spent, amount: 99_999n }
    assert.throws(() => verifyWitnessSpend(raw, amount), refusal(/does not verify/))
    const script = { ...spent, script: witnessOutput(new Uint8Array(recipient)).script }
    assert.throws(() => verifyWitnessSpend(raw, script), refusal(/witness's public key/))
  })

  test("does not verify with a signature that leaves outputs out, or with a high s", async () => {
    const { raw } = await spendWitness({ publicKey, sign }, funding, payment)
    const parsed = Transaction.fromRaw(raw)
    const [der, key] = parsed.getInput(0).finalScriptWitness ?? []
    assert.ok(der !== undefined && key !== undefined)
    const rawWith = (signature: Uint8Array) => {
      const changed = Transaction.fromRaw(raw)
      changed.updateInput(0, { finalScriptWitness: [signature, key] }, true)
      return new Uint8Array(changed.toBytes(true, true))
    }
    const none = new Uint8Array(der)
    none[none.length - 1] = SigHash.NONE
    assert.throws(() => verifyWitnessSpend(rawWith(none), spent), refusal(/whole transaction/))
    const { r, s } = secp256k1.Signature.fromBytes(der.subarray(0, -1), "der")
    const high = new secp256k1.Signature(r, secp256k1.Point.Fn.ORDER - s).toBytes("der")
    const highDer = new Uint8Array([...high, SigHash.ALL])
    assert.throws(() => verifyWitnessSpend(rawWith(highDer), spent), refusal(/does not verify/))
  })

  test("does not verify when the witness holds more or less", async () => {
    const { raw } = await spendWitness({ publicKey, sign }, funding, payment)
    const witness = Transaction.fromRaw(raw).getInput(0).finalScriptWitness ?? []
    for (const finalScriptWitness of [witness.slice(0, 1), [...witness, new Uint8Array(1)]]) {
      const changed = Transaction.fromRaw(raw)
      changed.updateInput(0, { finalScriptWitness }, true)
      const bytes = new Uint8Array(changed.toBytes(true, true))
      assert.throws(() => verifyWitnessSpend(bytes, spent), refusal(/one signature and one public/))
    }
  })

  test("is refused when another transaction comes back signed", async () => {
    const other = async () => {
      const transaction = new Transaction({ version: 2 })
      transaction.addInput({ txid: funding.txid, index: 0, witnessUtxo: spent })
      transaction.addOutputAddress(to, 1n)
      return await sign(new Uint8Array(transaction.toPSBT()))
    }
    const spending = spendWitness({ publicKey, sign: other }, funding, payment)
    await assert.rejects(spending, refusal(/another transaction/))
  })

  test("is refused when the funding does not cover amount and fee", async () => {
    const spending = spendWitness({ publicKey, sign }, funding, { ...payment, amount: 99_501n })
    await assert.rejects(spending, refusal(/does not cover/))
  })
})
