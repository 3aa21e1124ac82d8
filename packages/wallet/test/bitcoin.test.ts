import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/client"
import { concat, toHex } from "@lockkeeper/encoding"
import { type BitcoinScript, bitcoinOutput, type WalletKey } from "@lockkeeper/wallet"
import { outputOf, signPsbt } from "@lockkeeper/wallet/bitcoin"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { p2pkh, p2sh, p2tr, p2wpkh, Script, SigHash, Transaction } from "@scure/btc-signer"
import { LocalSession } from "./local-session.ts"

const session = new LocalSession()
const ecdsa = session.createKey("ecdsa-secp256k1")
const taproot = session.createKey("bip340")
const foreign = session.createKey("ecdsa-secp256k1", "foreign")

interface Spent {
  readonly script: BitcoinScript
  readonly publicKey: Uint8Array
  readonly sighashType?: number
  /** A script tree beside the key path. */
  readonly leaf?: Uint8Array
}

const AMOUNT = 100_000n

/** A PSBT whose inputs spend outputs of the keys, as a wallet would build it. */
function psbtOf(spends: readonly Spent[], version: 0 | 2 = 0): Uint8Array {
  const transaction = new Transaction({ PSBTVersion: version })
  spends.forEach(({ script, publicKey, sighashType, leaf }, index) => {
    const payment = {
      p2wpkh: () => p2wpkh(publicKey),
      "p2sh-p2wpkh": () => p2sh(p2wpkh(publicKey)),
      p2pkh: () => p2pkh(publicKey),
      p2tr: () => taprootPayment(publicKey, leaf),
    }[script]()
    const previous = new Transaction()
    previous.addInput({ txid: new Uint8Array(32).fill(index + 1), index: 0 })
    previous.addOutput({ script: payment.script, amount: AMOUNT })
    transaction.addInput({
      ...payment,
      txid: previous.id,
      index: 0,
      ...(script === "p2pkh" ? {} : { witnessUtxo: { script: payment.script, amount: AMOUNT } }),
      ...(script === "p2pkh" || index % 2 === 0 ? { nonWitnessUtxo: previous.unsignedTx } : {}),
      ...(sighashType === undefined ? {} : { sighashType }),
    } as never)
    transaction.addOutput({ script: p2wpkh(foreign.publicKey).script, amount: 1000n })
  })
  return transaction.toPSBT()
}

function taprootPayment(publicKey: Uint8Array, leaf: Uint8Array | undefined) {
  return leaf === undefined ? p2tr(publicKey) : p2tr(publicKey, { script: leaf })
}

/** The library's digest from before segregated witness, which it keeps to itself. */
function legacyDigest(raw: Transaction, input: number, script: Uint8Array, hashType: number) {
  const method = Reflect.get(raw, "preimageLegacy") as (
    ...of: [number, Uint8Array, number]
  ) => Uint8Array
  return method.call(raw, input, script, hashType)
}

const spends = (key: WalletKey, script: BitcoinScript): Spent => ({
  script,
  publicKey: key.publicKey,
})

/** Finalises, extracts, and checks the signature in the raw bytes by @noble/curves. */
function assertSpends(
  psbt: Uint8Array,
  input: number,
  publicKey: Uint8Array,
  all: readonly Spent[],
) {
  const signed = Transaction.fromPSBT(psbt)
  signed.finalize()
  const raw = Transaction.fromRaw(signed.extract(), { allowUnknownOutputs: true })
  const { finalScriptSig, finalScriptWitness } = raw.getInput(input)
  const { script } = all[input] as Spent
  if (script === "p2tr") {
    const [signature, ...rest] = finalScriptWitness ?? []
    assert.ok(signature && rest.length === 0)
    const scripts = all.map((spent) => p2trOrOther(spent))
    const hashType = signature[64] ?? SigHash.DEFAULT
    const amounts = all.map(() => AMOUNT)
    const digest = raw.preimageWitnessV1(input, scripts, hashType, amounts)
    const outputKey = scripts[input]?.subarray(2) as Uint8Array
    assert.ok(schnorr.verify(signature.subarray(0, 64), digest, outputKey))
    return
  }
  const [signature, key] =
    script === "p2pkh"
      ? Script.decode(finalScriptSig ?? new Uint8Array(0))
      : (finalScriptWitness ?? [])
  assert.ok(signature instanceof Uint8Array && key instanceof Uint8Array)
  assert.deepEqual(key, publicKey)
  const scriptCode = p2pkh(publicKey).script
  const hashType = signature.at(-1) ?? 0
  const digest =
    script === "p2pkh"
      ? legacyDigest(raw, input, scriptCode, hashType)
      : raw.preimageWitnessV0(input, scriptCode, hashType, AMOUNT)
  const der = { prehash: false, format: "der" } as const
  assert.ok(secp256k1.verify(signature.subarray(0, -1), digest, publicKey, der))
  assert.equal((finalScriptSig ?? []).length > 0, script !== "p2wpkh")
}

function p2trOrOther({ script, publicKey, leaf }: Spent): Uint8Array {
  return script === "p2tr"
    ? taprootPayment(publicKey, leaf).script
    : bitcoinOutput(publicKey, script).script
}

async function refused(run: () => Promise<unknown>, field: string, what: RegExp) {
  const before = session.signed.length
  await assert.rejects(run, (error) => {
    assert.ok(error instanceof LockKeeperError, String(error))
    assert.equal(error.code, "invalid-request")
    assert.equal(error.field, field)
    assert.match(error.message, what)
    return true
  })
  assert.equal(session.signed.length, before, "something was signed")
}

test("every script of an ECDSA key is spent, with every standard sighash type", async () => {
  for (const version of [0, 2] as const) {
    for (const script of ["p2wpkh", "p2sh-p2wpkh", "p2pkh"] as const) {
      for (const sighashType of [undefined, 0x01, 0x02, 0x03, 0x81, 0x82, 0x83]) {
        const all: Spent[] = [
          spends(ecdsa, "p2wpkh"),
          { ...spends(ecdsa, script), ...(sighashType === undefined ? {} : { sighashType }) },
        ]
        const signed = await signPsbt(session, ecdsa, psbtOf(all, version))
        assertSpends(signed, 1, ecdsa.publicKey, all)
      }
    }
  }
})

test("the key path of Taproot outputs is spent, with scripts beside it and without", async () => {
  // A leaf that a key of its own could spend: push of 32 bytes, OP_CHECKSIG.
  const leaf = concat(Uint8Array.of(0x20), foreign.publicKey.subarray(1), Uint8Array.of(0xac))
  for (const spent of [
    { script: "p2tr", publicKey: taproot.publicKey },
    { script: "p2tr", publicKey: taproot.publicKey, leaf },
    { script: "p2tr", publicKey: taproot.publicKey, sighashType: 0x83 },
    { script: "p2tr", publicKey: taproot.publicKey, leaf, sighashType: 0x01 },
  ] as const) {
    const all = [{ script: "p2tr", publicKey: taproot.publicKey } as const, spent]
    const signed = await signPsbt(session, taproot, psbtOf(all))
    assertSpends(signed, 1, taproot.publicKey, all)
  }
})

test("keys of one transaction sign it one after the other, children by their paths", async () => {
  const path = [0, 5]
  const child = session.keys.childKey(ecdsa, path)
  const all: Spent[] = [
    spends(ecdsa, "p2wpkh"),
    spends(taproot, "p2tr"),
    { script: "p2sh-p2wpkh", publicKey: child.publicKey },
  ]
  let psbt: Uint8Array = psbtOf(all)
  psbt = await signPsbt(session, ecdsa, psbt)
  assert.equal(Transaction.fromPSBT(psbt).getInput(2).partialSig, undefined)
  psbt = await signPsbt(session, taproot, psbt)
  psbt = await signPsbt(session, ecdsa, psbt, { path, inputs: [2] })
  assertSpends(psbt, 0, ecdsa.publicKey, all)
  assertSpends(psbt, 1, taproot.publicKey, all)
  assertSpends(psbt, 2, child.publicKey, all)
})

test("fields that servers do not know stay with the PSBT and are not sent", async () => {
  const transaction = Transaction.fromPSBT(psbtOf([spends(ecdsa, "p2wpkh")]), { unknown: "ignore" })
  const unknown = [[{ type: 0xf0, key: Uint8Array.of(9) }, Uint8Array.of(1, 2, 3)]]
  transaction.updateInput(0, { unknown } as never, true)
  const psbt = transaction.toPSBT()
  const signed = await signPsbt(session, ecdsa, psbt)
  const kept = Transaction.fromPSBT(signed, { unknown: "ignore" }).getInput(0)
  assert.deepEqual(kept.unknown, unknown)
  assert.equal(kept.partialSig?.length, 1)
  const sent = session.signed.at(-1)
  assert.ok(sent?.kind === "bitcoin-input" && !toHex(sent.psbt).includes("010203"))
})

test("a key and its children are paid where they can spend, and nowhere else", () => {
  const path = [1]
  const child = session.keys.childKey(ecdsa, path)
  assert.deepEqual(outputOf(session, ecdsa), bitcoinOutput(ecdsa.publicKey, "p2wpkh"))
  assert.deepEqual(outputOf(session, taproot), bitcoinOutput(taproot.publicKey, "p2tr"))
  assert.deepEqual(
    outputOf(session, ecdsa, { path, script: "p2pkh", network: "regtest" }),
    bitcoinOutput(child.publicKey, "p2pkh", "regtest"),
  )
  const code = { name: "LockKeeperError", code: "invalid-request" }
  assert.throws(() => outputOf(session, ecdsa, { script: "p2tr" }), { ...code, field: "script" })
  assert.throws(() => outputOf(session, taproot, { script: "p2pkh" }), { ...code, field: "script" })
  assert.throws(() => outputOf(session, session.createKey("ed25519")), { ...code, field: "key" })
  assert.throws(() => outputOf(session, ecdsa, { path: [-1] }), { ...code, field: "path" })
})

test("what cannot be signed is refused before anything is", async () => {
  const mine = psbtOf([spends(ecdsa, "p2wpkh")])
  await refused(() => signPsbt(session, foreign, mine), "psbt.inputs", /no output of this key/)
  await refused(
    () => signPsbt(session, foreign, mine, { inputs: [0] }),
    "psbt.inputs.0",
    /no output/,
  )
  await refused(
    () => signPsbt(session, ecdsa, mine, { inputs: [0, 1] }),
    "psbt.inputs.1",
    /no such/,
  )
  await refused(() => signPsbt(session, ecdsa, mine.subarray(0, -3)), "psbt", /no PSBT/)
  await refused(() => signPsbt(session, ecdsa, new Uint8Array(0)), "psbt", /no PSBT/)
  const p2tr33 = psbtOf([{ script: "p2tr", publicKey: ecdsa.publicKey.subarray(1) }])
  await refused(() => signPsbt(session, ecdsa, p2tr33), "psbt.inputs", /does not sign for p2tr/)
  const odd = psbtOf([{ ...spends(ecdsa, "p2wpkh"), sighashType: 0x04 }])
  await refused(
    () => signPsbt(session, ecdsa, odd, { inputs: [0] }),
    "psbt.inputs.0.sighashType",
    /not a standard/,
  )
  const ed25519 = session.createKey("ed25519")
  await refused(() => signPsbt(session, ed25519, mine), "key", /ed25519/)
  await refused(
    () => signPsbt(session, ecdsa, mine, { inputs: [] }),
    "psbt.inputs",
    /None was named/,
  )
  await refused(() => signPsbt(session, ecdsa, mine, { path: [2 ** 31] }), "path", /hardened/)
})
