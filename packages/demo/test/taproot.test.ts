import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, test } from "node:test"
import { type Bytes, fromHex, toHex } from "@lockkeeper/encoding"
import { schnorr } from "@noble/curves/secp256k1.js"
import { Transaction } from "@scure/btc-signer"
import { taprootTweakPrivKey } from "@scure/btc-signer/utils.js"
import { ChainRefused } from "../src/chain-refused.ts"
import { keyPathSighash } from "../src/sighash.ts"
import { spendTaproot, taprootOutput, verifyTaprootSpend } from "../src/taproot.ts"

const secret = new Uint8Array(32).fill(0x11)
const internalKey = new Uint8Array(schnorr.getPublicKey(secret))
const funding = { txid: new Uint8Array(32).map((_, i) => i), index: 1, amount: 100_000n }
const to = taprootOutput(
  new Uint8Array(schnorr.getPublicKey(new Uint8Array(32).fill(0x22))),
).address
const payment = { to, amount: 60_000n, fee: 500n }

function localOwner(tweaked = true) {
  const seen: Bytes[] = []
  return {
    internalKey,
    seen,
    sign: async (sighash: Bytes) => {
      seen.push(sighash)
      return new Uint8Array(schnorr.sign(sighash, tweaked ? taprootTweakPrivKey(secret) : secret))
    },
  }
}

describe("a Taproot spend", () => {
  test("finalises to a transaction that verifies against the funding output", async () => {
    const owner = localOwner()
    const spend = await spendTaproot(owner, funding, payment)
    assert.equal(spend.change, 39_500n)
    assert.equal(spend.fee, 500n)
    assert.deepEqual(owner.seen, [spend.sighash])
    const parsed = Transaction.fromRaw(spend.raw)
    assert.equal(parsed.id, spend.txid)
    assert.equal(parsed.outputsLength, 2)
    assert.equal(parsed.getOutputAddress(0), to)
    assert.equal(parsed.getOutputAddress(1), spend.from)
  })

  test("without change has one output", async () => {
    const spend = await spendTaproot(localOwner(), funding, { ...payment, amount: 99_500n })
    assert.equal(Transaction.fromRaw(spend.raw).outputsLength, 1)
  })

  test("is refused when the key that signs is not tweaked", async () => {
    await assert.rejects(
      spendTaproot(localOwner(false), funding, payment),
      (error) => error instanceof ChainRefused && error.message.includes("Schnorr"),
    )
  })

  test("does not verify once an output amount is changed", async () => {
    const spend = await spendTaproot(localOwner(), funding, payment)
    const altered = new Uint8Array(spend.raw)
    // Version 4, marker and flag 2, input count 1, input 41, output count 1: the first amount.
    altered[49] = (altered[49] as number) ^ 1
    assert.throws(
      () =>
        verifyTaprootSpend(altered, {
          script: taprootOutput(internalKey).script,
          amount: 100_000n,
        }),
      ChainRefused,
    )
  })

  test("does not verify against another funding amount", async () => {
    const spend = await spendTaproot(localOwner(), funding, payment)
    assert.throws(
      () =>
        verifyTaprootSpend(spend.raw, {
          script: taprootOutput(internalKey).script,
          amount: 99_999n,
        }),
      ChainRefused,
    )
  })

  test("is refused when the funding does not cover amount and fee", async () => {
    await assert.rejects(
      spendTaproot(localOwner(), funding, { to, amount: 99_501n, fee: 500n }),
      ChainRefused,
    )
  })
})

// One of the vector's outputs is 32 random bytes: no script, and hashed all the same.
const UNCHECKED = { allowUnknownOutputs: true, disableScriptCheck: true }

interface WalletVector {
  readonly given: {
    readonly rawUnsignedTx: string
    readonly utxosSpent: readonly { scriptPubKey: string; amountSats: number }[]
  }
  readonly inputSpending: readonly {
    readonly given: { txinIndex: number; hashType: number }
    readonly intermediary: { sigHash: string }
  }[]
}

/** BIP341's wallet vector as our own structure, parsed by the library. */
function parsedVector(given: WalletVector["given"]) {
  const parsed = Transaction.fromRaw(fromHex(given.rawUnsignedTx), UNCHECKED)
  const inputs = given.utxosSpent.map((spent, i) => {
    const { txid, index, sequence } = parsed.getInput(i)
    assert.ok(txid !== undefined && index !== undefined && sequence !== undefined)
    const outpoint = { txid: new Uint8Array(txid).toReversed(), index, sequence }
    return { ...outpoint, amount: BigInt(spent.amountSats), script: fromHex(spent.scriptPubKey) }
  })
  const outputs = Array.from({ length: parsed.outputsLength }, (_, i) => {
    const { amount, script } = parsed.getOutput(i)
    assert.ok(amount !== undefined && script !== undefined)
    return { amount, script: new Uint8Array(script) }
  })
  return { version: parsed.version, lockTime: parsed.lockTime, inputs, outputs }
}

describe("our BIP341 sighash", () => {
  test("equals the BIP's published value for every SIGHASH_DEFAULT input", () => {
    const path = new URL("../../../vectors/bip341/wallet-test-vectors.json", import.meta.url)
    const vectors = JSON.parse(readFileSync(path, "utf8")) as { keyPathSpending: WalletVector[] }
    let cases = 0
    for (const { given, inputSpending } of vectors.keyPathSpending) {
      const spend = parsedVector(given)
      for (const input of inputSpending.filter((i) => i.given.hashType === 0)) {
        const sighash = keyPathSighash(spend, input.given.txinIndex)
        assert.equal(toHex(sighash), input.intermediary.sigHash)
        cases += 1
      }
    }
    assert.equal(cases, 1)
  })
})
