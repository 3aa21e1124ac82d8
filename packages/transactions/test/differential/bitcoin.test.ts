import assert from "node:assert/strict"
import { test } from "node:test"
import { equalBytes, Reader, toHex } from "@lockkeeper/encoding"
import { bitcoinInputIntent } from "@lockkeeper/transactions"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { Transaction } from "@scure/btc-signer"
import { taprootTweakPubkey } from "@scure/btc-signer/utils.js"
import fc from "fast-check"
import {
  otherKey,
  paymentTo,
  previousOf,
  publicKey,
  SCRIPTS,
  type Script,
  secretKey,
} from "../bitcoin-spend.ts"
import { encodingOf, readOrRefused, runs, TRANSACTIONS } from "./runs.ts"

interface Made {
  readonly transaction: Transaction
  readonly version: 0 | 2
  readonly scripts: readonly Script[]
  readonly input: number
}

const script = fc.constantFrom(...SCRIPTS)

/** Four outputs of this are what one input has. */
const MOST_PAID = 25_000

/** The part of the transactions that are read once more with a byte changed. */
const CHANGED = 0.25

/** Transactions of one to three inputs that btc-signer builds, of all scripts and sighash types. */
const made: fc.Arbitrary<Made> = fc
  .record({
    version: fc.constantFrom(0 as const, 2 as const),
    scripts: fc.array(script, { minLength: 1, maxLength: 3 }),
    which: fc.nat(),
    sighashType: fc.constantFrom(undefined, 1, 1, 1, 2, 3, 0x81, 0x82, 0x83),
    lockTime: fc.nat(),
    sequences: fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 3, maxLength: 3 }),
    outputs: fc.array(fc.tuple(script, fc.boolean(), fc.integer({ min: 0, max: MOST_PAID })), {
      ...{ minLength: 3, maxLength: 4 },
    }),
  })
  .map(({ version, scripts, which, sighashType, lockTime, sequences, outputs }) => {
    const transaction = new Transaction({ PSBTVersion: version, lockTime })
    scripts.forEach((kind, index) => {
      const payment = paymentTo(kind)
      const previous = previousOf(kind, publicKey, index)
      const witnessUtxo = { script: payment.script, amount: 100_000n + BigInt(index) }
      transaction.addInput({
        ...{ txid: previous.id, index: 0, sequence: sequences[index] as number },
        ...(kind === "p2tr" ? {} : { nonWitnessUtxo: previous.unsignedTx }),
        ...(kind === "p2pkh" ? {} : { witnessUtxo }),
        ...("redeemScript" in payment ? { redeemScript: payment.redeemScript as Uint8Array } : {}),
        ...(kind === "p2tr" ? { tapInternalKey: publicKey.subarray(1) } : {}),
        ...(sighashType === undefined ? {} : { sighashType }),
      })
    })
    for (const [kind, own, amount] of outputs) {
      const key = own ? publicKey : otherKey
      transaction.addOutput({ script: paymentTo(kind, key).script, amount: BigInt(amount) })
    }
    return { transaction, version, scripts, input: which % scripts.length }
  })

/** The address that btc-signer knows for an output; it throws for scripts that have none. */
function addressOf(transaction: Transaction, index: number): string | undefined {
  try {
    return transaction.getOutputAddress(index)
  } catch {
    return undefined
  }
}

/** What btc-signer reads in a PSBT is what the intent says of it. */
function sameAsSigner(psbt: Uint8Array, input: number) {
  const read = bitcoinInputIntent({ psbt, input, publicKey })
  const theirs = Transaction.fromPSBT(psbt, { allowUnknownOutputs: true, disableScriptCheck: true })
  const { intent, sighash } = read
  const all = Array.from({ length: theirs.outputsLength }, (_, i) => theirs.getOutput(i))
  const scope = sighash & 0x1f
  const covered = scope === 2 ? [] : scope === 3 ? [all[input]] : all
  const paid = intent.actions.filter(({ kind }) => kind !== "spend")
  covered.forEach((output, i) => {
    assert.equal(paid[i]?.amount, output?.amount)
    const index = scope === 3 ? input : i
    assert.equal(paid[i]?.to ?? undefined, addressOf(theirs, index))
  })
  assert.equal(paid.length, covered.length + (scope > 1 ? 1 : 0))
  const spent = intent.actions.filter(({ kind }) => kind === "spend")
  if (sighash & 0x80) assert.equal(spent.length, 1)
  else {
    spent.forEach(({ details }, i) => {
      const { txid, index } = theirs.getInput(i)
      assert.equal(details[0]?.value, `${toHex(txid as Uint8Array)}:${index}`)
    })
    assert.equal(spent.length, theirs.inputsLength)
  }
  if (scope <= 1 && !(sighash & 0x80)) assert.equal(intent.feeCeiling, theirs.fee)
  return read
}

test("random PSBTs say what btc-signer reads, and its signatures are over their digests", (t) => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(made, ({ transaction, version, scripts, input }) => {
      const psbt = transaction.toPSBT()
      const read = sameAsSigner(psbt, input)
      encodingOf(read.intent)
      seen.add(`${version} ${scripts[input]}`)
      assert.equal(read.script, scripts[input])
      transaction.signIdx(secretKey, input, [read.sighash])
      const { partialSig, tapKeySig } = transaction.getInput(input)
      if (read.scheme === "bip340") {
        const [outputKey] = taprootTweakPubkey(publicKey.subarray(1), read.merkleRoot)
        const signature = (tapKeySig as Uint8Array).subarray(0, 64)
        assert.ok(schnorr.verify(signature, read.digest, outputKey))
        return
      }
      const signature = partialSig?.[0]?.[1] as Uint8Array
      const der = { prehash: false, format: "der" } as const
      assert.ok(secp256k1.verify(signature.subarray(0, -1), read.digest, publicKey, der))
    }),
    runs(t),
  )
  assert.equal(seen.size, 8)
})

test("the unsigned transaction inside a PSBT of version 0 is the one that is shown", (t) => {
  fc.assert(
    fc.property(
      made.filter(({ version }) => version === 0),
      ({ transaction, input }) => {
        const psbt = transaction.toPSBT()
        const inside = rawTransactionIn(psbt)
        const { actions, details } = bitcoinInputIntent({ psbt, input, publicKey }).intent
        const shown = new Map(details.map(({ name, value }) => [name, value]))
        assert.equal(shown.get("version"), String(inside.version))
        assert.equal(shown.get("lock time"), String(inside.lockTime))
        const signed = actions.find((action) => action.details.some(({ value }) => value === "yes"))
        const own = inside.inputs[input]
        assert.equal(signed?.details[0]?.value, own?.output)
        assert.equal(signed?.details[1]?.value, String(own?.sequence))
      },
    ),
    runs(t, 0.2),
  )
})

test("a changed byte of a PSBT is refused, or shows what btc-signer reads in it", (t) => {
  let [accepted, refused] = [0, 0]
  const change = fc.tuple(made, fc.nat(), fc.integer({ min: 1, max: 255 }))
  fc.assert(
    fc.property(change, ([{ transaction, input }, where, xor]) => {
      const psbt = transaction.toPSBT()
      const changed = Uint8Array.from(psbt)
      const at = where % psbt.length
      changed[at] = (changed[at] as number) ^ xor
      if (readOrRefused(() => bitcoinInputIntent({ psbt: changed, input, publicKey })) === null) {
        refused += 1
        return
      }
      accepted += 1
      const before = bitcoinInputIntent({ psbt, input, publicKey })
      const after = sameAsSigner(changed, input)
      // Another digest is another intent: what is signed is what is shown.
      if (!equalBytes(before.digest, after.digest)) {
        assert.ok(!equalBytes(encodingOf(before.intent), encodingOf(after.intent)))
      }
    }),
    runs(t, CHANGED),
  )
  const [least, few] = [(TRANSACTIONS * CHANGED) / 10, (TRANSACTIONS * CHANGED) / 50]
  assert.ok(refused > least && accepted > few, `${refused} refused, ${accepted} not`)
})

/** A reading of BIP174's first record by hand: PSBT_GLOBAL_UNSIGNED_TX. */
function rawTransactionIn(psbt: Uint8Array) {
  const reader = new Reader(psbt)
  assert.equal(toHex(reader.bytes(7)), "70736274ff0100")
  const little = (length: number) =>
    reader.bytes(length).reduceRight((sum, byte) => sum * 256 + byte, 0)
  const size = () => {
    const first = reader.u8()
    return first < 0xfd ? first : little(first === 0xfd ? 2 : 4)
  }
  const end = size() + reader.offset
  const version = little(4)
  const inputs = Array.from({ length: size() }, () => {
    const txid = toHex(reader.bytes(32).reverse())
    const index = little(4)
    assert.equal(size(), 0)
    return { output: `${txid}:${index}`, sequence: little(4) }
  })
  for (let outputs = size(); outputs > 0; outputs--) {
    reader.bytes(8)
    reader.bytes(size())
  }
  const lockTime = little(4)
  assert.equal(reader.offset, end)
  return { version, inputs, lockTime }
}
