import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, DecodeError, toHex } from "@lockkeeper/encoding"
import { bitcoinInputDigest } from "@lockkeeper/transactions"
import { p2pkh, p2sh, p2tr, p2wsh, Transaction } from "@scure/btc-signer"
import {
  otherKey,
  paymentTo,
  previousOf,
  publicKey,
  SCRIPTS,
  type Script,
  spend,
} from "./bitcoin-spend.ts"

function refused(
  psbt: Uint8Array,
  what: RegExp,
  path: string,
  input = 0,
  key: Uint8Array = publicKey,
): void {
  assert.throws(
    () => bitcoinInputDigest({ psbt, input, publicKey: key }),
    (error) => {
      assert.ok(error instanceof DecodeError, String(error))
      assert.match(error.message, what)
      assert.equal(error.path, path)
      return true
    },
  )
}

/** A spend of one input with its fields changed; what the library refuses to build, it throws on. */
function changed(script: Script, change: object, outputs = 2): Uint8Array {
  const transaction = spend([script], { outputs })
  transaction.updateInput(0, change as never, true)
  return transaction.toPSBT()
}

test("an input that is not there, is final or spends something unknown is refused", () => {
  const psbt = spend(["p2wpkh"]).toPSBT()
  for (const input of [1, -1, 0.5, Number.NaN, 65_536]) {
    refused(psbt, /no such input/, `inputs.${input}`, input)
  }
  refused(
    changed("p2wpkh", { finalScriptWitness: [Uint8Array.of(1)] }),
    /final already/,
    "inputs.0",
  )
  refused(changed("p2pkh", { finalScriptSig: Uint8Array.of(1) }), /final already/, "inputs.0")
  const blank = { witnessUtxo: undefined, nonWitnessUtxo: undefined }
  refused(changed("p2wpkh", blank), /output is missing/, "inputs.0")
})

test("an output of another key is not signed for, whatever its script", () => {
  for (const script of SCRIPTS) {
    const psbt = spend([script], { key: otherKey }).toPSBT()
    const path = script === "p2tr" ? "inputs.0.tapInternalKey" : "inputs.0"
    refused(psbt, script === "p2tr" ? /not of this key/ : /no output of this key/, path)
  }
  const untold = changed("p2tr", { tapInternalKey: undefined })
  assert.equal(bitcoinInputDigest({ psbt: untold, input: 0, publicKey }).scheme, "bip340")
  refused(untold, /no output of this key with this Merkle root/, "inputs.0", 0, otherKey)
})

test("scripts that a single key does not spend are refused", () => {
  const unknown = [
    p2wsh(p2pkh(publicKey)).script,
    p2sh(paymentTo("p2pkh")).script,
    // The key itself, and not its hash; and nothing at all.
    concat(Uint8Array.of(0x21), publicKey, Uint8Array.of(0xac)),
    Uint8Array.of(0x51),
    new Uint8Array(0),
    // Witness programs of version 1 with another length, and what only begins like one.
    concat(Uint8Array.of(0x51, 0x20), publicKey.subarray(2)),
    concat(Uint8Array.of(0x51, 0x21), publicKey.subarray(1)),
    concat(Uint8Array.of(0x52, 0x20), publicKey.subarray(1)),
  ]
  for (const script of unknown) {
    const transaction = new Transaction({ disableScriptCheck: true })
    transaction.addInput({
      ...{ txid: new Uint8Array(32).fill(9), index: 0 },
      witnessUtxo: { script, amount: 1000n },
    })
    transaction.addOutput({ script: paymentTo("p2wpkh").script, amount: 900n })
    refused(transaction.toPSBT(), /no output of this key that can be signed for/, "inputs.0")
  }
})

test("an x-only key signs Taproot inputs only", () => {
  for (const script of ["p2wpkh", "p2sh-p2wpkh", "p2pkh"] as const) {
    refused(spend([script]).toPSBT(), /not of this key/, "inputs.0", 0, publicKey.subarray(1))
  }
  const psbt = spend(["p2tr"]).toPSBT()
  const whole = bitcoinInputDigest({ psbt, input: 0, publicKey })
  const xOnly = bitcoinInputDigest({ psbt, input: 0, publicKey: publicKey.subarray(1) })
  assert.deepEqual(whole, xOnly)
  assert.throws(
    () => bitcoinInputDigest({ psbt, input: 0, publicKey: new Uint8Array(31) }),
    RangeError,
  )
})

test("a previous transaction must be the one that the input names", () => {
  const lying = previousOf("p2wpkh", publicKey, 5)
  for (const psbtVersion of [0, 2] as const) {
    const bytes = spend(["p2pkh"], { psbtVersion }).toPSBT()
    const text = toHex(bytes)
    // The amount within the previous transaction; its id is another one then.
    const amount = text.replace("a086010000000000", "a186010000000000")
    assert.notEqual(amount, text)
    refused(Uint8Array.from(Buffer.from(amount, "hex")), /no PSBT that is understood/, "")
  }
  assert.throws(() => changed("p2wpkh", { nonWitnessUtxo: lying.unsignedTx }))
  const both = toHex(spend(["p2wpkh"]).toPSBT())
  // The amount beside it, which stands after it, must agree with the one within.
  const at = both.lastIndexOf("a086010000000000")
  const bytes = Uint8Array.from(Buffer.from(both, "hex"))
  bytes[at / 2] = 0xa1
  refused(bytes, /no PSBT that is understood/, "")
  const bare = {
    nonWitnessUtxo: undefined,
    witnessUtxo: { script: paymentTo("p2pkh").script, amount: 100_000n },
  }
  refused(changed("p2pkh", bare), /needs its whole previous/, "inputs.0")
})

test("P2WPKH within P2SH needs the redeem script of this key", () => {
  refused(
    changed("p2sh-p2wpkh", { redeemScript: undefined }),
    /missing or of another key/,
    "inputs.0.redeemScript",
  )
  const other = paymentTo("p2wpkh", otherKey).script
  assert.throws(() => changed("p2sh-p2wpkh", { redeemScript: other }))
})

test("a Merkle root that the output does not commit to is refused", () => {
  const tapMerkleRoot = new Uint8Array(32).fill(4)
  const leaf = { script: concat(Uint8Array.of(0x20), otherKey.subarray(1), Uint8Array.of(0xac)) }
  const committed = p2tr(publicKey.subarray(1), leaf)
  const build = (script: Uint8Array, extra: object) => {
    const transaction = new Transaction()
    transaction.addInput({
      ...{ txid: new Uint8Array(32).fill(9), index: 0 },
      ...{ witnessUtxo: { script, amount: 1000n }, ...extra },
    })
    transaction.addOutput({ script: paymentTo("p2wpkh").script, amount: 900n })
    return transaction.toPSBT()
  }
  const wrong = /no output of this key with this Merkle root/
  refused(build(paymentTo("p2tr").script, { tapMerkleRoot }), wrong, "inputs.0")
  refused(build(committed.script, { tapMerkleRoot }), wrong, "inputs.0")
  refused(build(committed.script, {}), wrong, "inputs.0")
  const merkleRoot = committed.tapMerkleRoot
  const psbt = build(committed.script, { tapMerkleRoot: merkleRoot })
  const derived = bitcoinInputDigest({ psbt, input: 0, publicKey })
  assert.ok(derived.scheme === "bip340")
  assert.deepEqual(derived.merkleRoot, merkleRoot)
})

test("sighash types that are not standard, or sign no output, are refused", () => {
  const path = "inputs.0.sighashType"
  for (const script of SCRIPTS) {
    for (const sighashType of [0x04, 0x1f, 0x80, 0x84, 0x41, 0xff, 0x101, 0xffff_ffff]) {
      refused(changed(script, { sighashType }), /not a standard type/, path)
    }
    const alone: readonly Script[] = ["p2wpkh", script]
    for (const sighashType of [0x03, 0x83]) {
      const psbt = spend(alone, { sighashType, outputs: 1 }).toPSBT()
      refused(psbt, /SIGHASH_SINGLE without/, "inputs.1.sighashType", 1)
    }
    if (script !== "p2tr") refused(changed(script, { sighashType: 0 }), /not a standard type/, path)
  }
})

test("a Taproot input needs to know what the others spend, unless anyone may add some", () => {
  const build = (sighashType: number) => {
    const transaction = spend(["p2tr", "p2tr"])
    transaction.updateInput(0, { sighashType }, true)
    transaction.updateInput(1, { witnessUtxo: undefined } as never, true)
    return transaction.toPSBT()
  }
  refused(build(0x01), /output is missing/, "inputs.1")
  const derived = bitcoinInputDigest({ psbt: build(0x81), input: 0, publicKey })
  assert.equal(derived.sighash, 0x81)
})

test("fields that are not understood are refused wherever they are", () => {
  const unknown = [[{ type: 0xf0, key: Uint8Array.of(1) }, Uint8Array.of(2)]]
  const proprietary = [[Uint8Array.of(1, 0x61, 0), Uint8Array.of(2)]]
  for (const extra of [{ unknown }, { proprietary }]) {
    const transaction = Transaction.fromPSBT(spend(["p2wpkh"]).toPSBT(), {
      unknown: "ignore",
      proprietary: "ignore",
    })
    transaction.updateInput(0, extra as never, true)
    refused(transaction.toPSBT(), /not allowed in strict mode/, "")
  }
})

test("transactions without outputs, of other versions or that spend one output twice are refused", () => {
  refused(spend(["p2wpkh"], { outputs: 0 }).toPSBT(), /none/, "outputs")
  const build = (version: number, twice: boolean) => {
    const transaction = new Transaction({ version, allowUnknownVersion: true })
    for (let i = 0; i < (twice ? 2 : 1); i++) {
      transaction.addInput({
        ...{ txid: new Uint8Array(32).fill(9), index: 0 },
        witnessUtxo: { script: paymentTo("p2wpkh").script, amount: 1000n },
      })
    }
    transaction.addOutput({ script: paymentTo("p2wpkh").script, amount: 900n })
    return transaction.toPSBT()
  }
  assert.equal(bitcoinInputDigest({ psbt: build(1, false), input: 0, publicKey }).digest.length, 32)
  refused(build(0, false), /not a standard version/, "version")
  refused(build(-1, false), /not a standard version/, "version")
  refused(build(4, false), /no PSBT/, "")
  refused(build(2, true), /spent twice/, "inputs.1")
})

test("bytes that are no PSBT are refused, whole ones with something behind them too", () => {
  for (const psbtVersion of [0, 2] as const) {
    const psbt = spend(["p2wpkh", "p2tr"], { psbtVersion }).toPSBT()
    for (let length = 0; length < psbt.length; length++) {
      refused(psbt.subarray(0, length), /no PSBT that is understood/, "")
    }
    refused(concat(psbt, Uint8Array.of(0x01)), /no PSBT that is understood/, "")
  }
})

test("every changed byte of a PSBT is refused or changes the digest", () => {
  for (const script of SCRIPTS) {
    for (const psbtVersion of [0, 2] as const) {
      const psbt = spend([script], { psbtVersion, outputs: 1 }).toPSBT()
      const digests = new Set([toHex(bitcoinInputDigest({ psbt, input: 0, publicKey }).digest)])
      // BIP370's flags say who may still change the transaction, and are no part of it.
      const flags = toHex(psbt).indexOf("01060103") / 2 + 3
      let [accepted, refusals] = [0, 0]
      for (let at = 0; at < psbt.length; at++) {
        if (psbtVersion === 2 && at === flags) continue
        for (const change of [0x01, 0x80, 0xff]) {
          const bytes = Uint8Array.from(psbt)
          bytes[at] = (bytes[at] as number) ^ change
          try {
            digests.add(toHex(bitcoinInputDigest({ psbt: bytes, input: 0, publicKey }).digest))
            accepted += 1
          } catch (error) {
            assert.ok(error instanceof DecodeError, String(error))
            refusals += 1
          }
        }
      }
      assert.equal(digests.size, accepted + 1, `${script} ${psbtVersion}`)
      assert.ok(refusals > 100 && accepted > 10, `${refusals} refused, ${accepted} not`)
    }
  }
})
