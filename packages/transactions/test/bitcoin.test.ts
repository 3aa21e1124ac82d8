import assert from "node:assert/strict"
import { test } from "node:test"
import { bitcoinInputDigest } from "@lockkeeper/transactions"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { taprootTweakPubkey } from "@scure/btc-signer/utils.js"
import { publicKey, SCRIPTS, type Script, secretKey, spend } from "./bitcoin-spend.ts"

const ALL = [0x01, 0x02, 0x03, 0x81, 0x82, 0x83]

/** Signs an input with the library's own signer; the signature must be over our digest. */
function assertAgrees(
  scripts: readonly Script[],
  input: number,
  sighashType?: number,
  v: 0 | 2 = 0,
) {
  const options = { psbtVersion: v, ...(sighashType === undefined ? {} : { sighashType }) }
  const transaction = spend(scripts, options)
  const derived = bitcoinInputDigest({ psbt: transaction.toPSBT(), input, publicKey })
  assert.equal(derived.script, scripts[input])
  transaction.signIdx(secretKey, input, sighashType === undefined ? undefined : [sighashType])
  const { partialSig, tapKeySig } = transaction.getInput(input)
  if (derived.scheme === "bip340") {
    assert.ok(tapKeySig)
    const [outputKey] = taprootTweakPubkey(publicKey.subarray(1), derived.merkleRoot)
    assert.ok(schnorr.verify(tapKeySig.subarray(0, 64), derived.digest, outputKey))
    assert.equal(tapKeySig[64] ?? 0, derived.sighash)
    return
  }
  const [key, signature] = partialSig?.[0] ?? []
  assert.ok(key && signature)
  assert.deepEqual(key, publicKey)
  const der = { prehash: false, format: "der" } as const
  assert.ok(secp256k1.verify(signature.subarray(0, -1), derived.digest, publicKey, der))
  assert.equal(signature.at(-1), derived.sighash)
}

test("btc-signer's own signatures are over our digests, for every script and sighash type", () => {
  let cases = 0
  for (const script of SCRIPTS) {
    for (const psbtVersion of [0, 2] as const) {
      for (const input of [0, 1]) {
        const scripts: Script[] = ["p2wpkh", "p2wpkh", "p2tr"]
        scripts[input] = script
        for (const sighash of [undefined, ...ALL, ...(script === "p2tr" ? [0] : [])]) {
          assertAgrees(scripts, input, sighash, psbtVersion)
          cases += 1
        }
      }
    }
  }
  assert.equal(cases, 4 * 2 * 2 * 7 + 4)
})
