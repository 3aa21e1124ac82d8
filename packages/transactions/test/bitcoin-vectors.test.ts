import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { fromHex, toHex } from "@lockkeeper/encoding"
import { bitcoinInputDigest, bitcoinOutput } from "@lockkeeper/transactions"
import { RawPSBTV0 } from "@scure/btc-signer/psbt.js"
import { RawOldTx } from "@scure/btc-signer/script.js"

interface Spent {
  readonly script: string
  readonly amount: bigint
}

/** A PSBT of version 0 for an unsigned transaction, with the outputs that it spends. */
function psbtOf(unsigned: string, spent: readonly Spent[], extra: (index: number) => object) {
  const unsignedTx = RawOldTx.decode(fromHex(unsigned))
  return RawPSBTV0.encode({
    global: { unsignedTx },
    inputs: spent.map(({ script, amount }, index) => ({
      witnessUtxo: { script: fromHex(script), amount },
      ...extra(index),
    })),
    outputs: unsignedTx.outputs.map(() => ({})),
  })
}

test("BIP143's native P2WPKH example has the digest that the BIP states", () => {
  const unsigned =
    "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffff" +
    "ef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206" +
    "000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42db" +
    "ee7e4dbe6a21b2d50ce2f0167faa815988ac11000000"
  const spent = [
    {
      script: "2103c9f4836b9a4f77fc0d81f7bcb01b7f1b35916864b9476c241ce9fc198bd25432ac",
      amount: 625_000_000n,
    },
    { script: "00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1", amount: 600_000_000n },
  ]
  const publicKey = fromHex("025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357")
  const psbt = psbtOf(unsigned, spent, () => ({}))
  const derived = bitcoinInputDigest({ psbt, input: 1, publicKey })
  assert.equal(derived.script, "p2wpkh")
  assert.equal(
    toHex(derived.digest),
    "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670",
  )
})

test("BIP143's P2SH-P2WPKH example has the digest that the BIP states", () => {
  const unsigned =
    "0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a54770100000000feffffff" +
    "02b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a9" +
    "14fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac92040000"
  const spent = [
    { script: "a9144733f37cf4db86fbc2efed2500b4f4e49f31202387", amount: 1_000_000_000n },
  ]
  const redeemScript = fromHex("001479091972186c449eb1ded22b78e40d009bdf0089")
  const publicKey = fromHex("03ad1d8e89212f0b92c74d23bb710c00662ad1470198ac48c43f7d6f93a2a26873")
  const psbt = psbtOf(unsigned, spent, () => ({ redeemScript }))
  const derived = bitcoinInputDigest({ psbt, input: 0, publicKey })
  assert.equal(derived.script, "p2sh-p2wpkh")
  assert.equal(
    toHex(derived.digest),
    "64f3b0f4dd2bb3aa1ce8566d220cc74dda9df97d8490cc81d89d735c92e59fb6",
  )
})

interface Bip341 {
  readonly scriptPubKey: readonly {
    readonly given: { readonly internalPubkey: string; readonly scriptTree: unknown }
    readonly expected: { readonly scriptPubKey: string; readonly bip350Address: string }
  }[]
  readonly keyPathSpending: readonly {
    readonly given: {
      readonly rawUnsignedTx: string
      readonly utxosSpent: readonly { readonly scriptPubKey: string; readonly amountSats: number }[]
    }
    readonly inputSpending: readonly {
      readonly given: {
        readonly txinIndex: number
        readonly merkleRoot: string | null
        readonly hashType: number
      }
      readonly intermediary: { readonly internalPubkey: string; readonly sigHash: string }
    }[]
  }[]
}

const file = new URL("../../../vectors/bip341/wallet-test-vectors.json", import.meta.url)
const bip341 = JSON.parse(readFileSync(file, "utf8")) as Bip341

test("BIP341's key path spends have the digests and Merkle roots that its vectors state", () => {
  let count = 0
  for (const { given, inputSpending } of bip341.keyPathSpending) {
    const spent = given.utxosSpent.map(({ scriptPubKey, amountSats }) => ({
      script: scriptPubKey,
      amount: BigInt(amountSats),
    }))
    const psbt = psbtOf(given.rawUnsignedTx, spent, (index) => {
      const own = inputSpending.find((spend) => spend.given.txinIndex === index)
      if (own === undefined) return {}
      const { merkleRoot, hashType } = own.given
      return {
        tapInternalKey: fromHex(own.intermediary.internalPubkey),
        ...(merkleRoot === null ? {} : { tapMerkleRoot: fromHex(merkleRoot) }),
        ...(hashType === 0 ? {} : { sighashType: hashType }),
      }
    })
    for (const { given: own, intermediary } of inputSpending) {
      const publicKey = fromHex(intermediary.internalPubkey)
      const derived = bitcoinInputDigest({ psbt, input: own.txinIndex, publicKey })
      assert.ok(derived.scheme === "bip340")
      assert.equal(toHex(derived.digest), intermediary.sigHash)
      assert.equal(toHex(derived.merkleRoot), own.merkleRoot ?? "")
      assert.equal(derived.sighash, own.hashType)
      count += 1
    }
  }
  assert.equal(count, 7)
})

test("BIP341's output of a key without scripts has the address that its vectors state", () => {
  const bare = bip341.scriptPubKey.filter(({ given }) => given.scriptTree === null)
  for (const { given, expected } of bare) {
    const output = bitcoinOutput(fromHex(given.internalPubkey), "p2tr")
    assert.equal(toHex(output.script), expected.scriptPubKey)
    assert.equal(output.address, expected.bip350Address)
  }
  assert.equal(bare.length, 1)
})
