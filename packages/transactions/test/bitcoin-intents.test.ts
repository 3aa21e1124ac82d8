import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, DecodeError, toHex } from "@lockkeeper/encoding"
import {
  type BitcoinAccount,
  type BitcoinContext,
  bitcoinInputDigest,
  bitcoinInputIntent,
  bitcoinOutput,
  fingerprintOf,
} from "@lockkeeper/transactions"
import { HDKey } from "@scure/bip32"
import { Transaction } from "@scure/btc-signer"
import {
  otherKey,
  paymentTo,
  previousOf,
  publicKey,
  SCRIPTS,
  type Script,
  spend,
} from "./bitcoin-spend.ts"

const master = HDKey.fromMasterSeed(new Uint8Array(32).fill(5))
const keyAt = (path: readonly number[]) =>
  path.reduce((parent, number) => parent.deriveChild(number), master).publicKey as Uint8Array
const fingerprint = fingerprintOf(master.publicKey as Uint8Array)

const account: BitcoinAccount = { fingerprint, childKey: keyAt }

interface Output {
  readonly script: Uint8Array
  readonly amount: bigint
  readonly bip32Derivation?: unknown
  readonly tapBip32Derivation?: unknown
}

const derivationOf = (path: readonly number[], key = keyAt(path), of = fingerprint) =>
  [[key, { fingerprint: new DataView(of.buffer).getUint32(0), path: [...path] }]] as const

/** A PSBT whose one input spends 100 000 satoshi of the signing key. */
function psbtWith(outputs: readonly Output[], script: Script = "p2wpkh", change: object = {}) {
  const transaction = spend([script], { outputs: 0 })
  transaction.updateInput(0, change as never, true)
  for (const output of outputs) transaction.addOutput(output as never)
  return transaction.toPSBT()
}

function read(psbt: Uint8Array, context: BitcoinContext = { account }, input = 0) {
  const { intent, unsignedId, ...signed } = bitcoinInputIntent({ psbt, input, publicKey }, context)
  assert.deepEqual(signed, bitcoinInputDigest({ psbt, input, publicKey }))
  assert.ok(intent.details.some(({ value }) => value === toHex(unsignedId)))
  const paid = intent.actions.filter(({ kind }) => kind !== "spend")
  const warnings = intent.warnings.map(({ kind, at }) => `${kind} ${at}`)
  return { ...intent, warnings, paid: paid.map(({ kind, to, amount }) => [kind, to, amount]) }
}

function refused(psbt: Uint8Array, what: RegExp, path: string): void {
  assert.throws(
    () => bitcoinInputIntent({ psbt, input: 0, publicKey }, { account }),
    (error) => {
      assert.ok(error instanceof DecodeError, String(error))
      assert.match(error.message, what)
      assert.equal(error.path, path)
      return true
    },
  )
}

const foreign = { script: paymentTo("p2wpkh", otherKey).script, amount: 60_000n }
const foreignAddress = bitcoinOutput(otherKey, "p2wpkh").address

test("inputs, outputs, fee and fee rate are those of the transaction", () => {
  const path = [1, 7]
  const change = { script: paymentTo("p2wpkh", keyAt(path)).script, amount: 39_000n }
  const psbt = psbtWith([foreign, { ...change, bip32Derivation: derivationOf(path) }])
  const { actions, paid, warnings, from, feeCeiling, details } = read(psbt)
  assert.deepEqual(actions[0], {
    ...{ kind: "spend", from, to: null, asset: { kind: "native" }, amount: 100_000n },
    details: [
      { name: "output", value: `${previousOf("p2wpkh", publicKey, 0).id}:0` },
      { name: "sequence", value: String(0xffff_fffd) },
      { name: "signed now", value: "yes" },
    ],
  })
  assert.equal(from, bitcoinOutput(publicKey, "p2wpkh").address)
  assert.deepEqual(paid, [
    ["transfer", foreignAddress, 60_000n],
    ["change", bitcoinOutput(keyAt(path), "p2wpkh").address, 39_000n],
  ])
  assert.deepEqual(actions.at(-1)?.details, [{ name: "path", value: "m/1/7" }])
  assert.deepEqual([feeCeiling, warnings], [1000n, []])
  // Two P2WPKH outputs and one such input are 140.5 virtual bytes.
  const shown = new Map(details.map(({ name, value }) => [name, value]))
  assert.equal(shown.get("fee rate, about"), "7.092 satoshi a virtual byte")
  assert.equal(shown.get("sighash"), "ALL")
  assert.equal(shown.get("lock time"), "17")
})

test("change is recognised for every script that the signing key's scheme can spend", () => {
  for (const script of SCRIPTS) {
    for (const paid of SCRIPTS) {
      const key = keyAt([0])
      const own = { script: paymentTo(paid, key).script, amount: 39_000n }
      const der = derivationOf([0])[0][1]
      const claim =
        paid === "p2tr"
          ? { tapBip32Derivation: [[key.subarray(1), { hashes: [], der }]] }
          : { bip32Derivation: derivationOf([0]) }
      const {
        paid: [, second],
        warnings,
      } = read(psbtWith([foreign, { ...own, ...claim }], script))
      // Neither scheme can spend what the other can.
      const isOwn = (script === "p2tr") === (paid === "p2tr")
      assert.equal(second?.[0], isOwn ? "change" : "transfer", `${script} ${paid}`)
      const not = ["false-change outputs.1", "change-not-recognised outputs"]
      assert.deepEqual(warnings, isOwn ? [] : not)
    }
  }
})

test("what only claims to be change is a transfer, with a warning", () => {
  const claims: readonly (readonly [object, readonly string[]])[] = [
    // Our path, another's script.
    [{ bip32Derivation: derivationOf([1, 7], otherKey) }, ["false-change outputs.1"]],
    [{ bip32Derivation: derivationOf([1, 8]) }, ["false-change outputs.1"]],
    // Another account's path, and none.
    [{ bip32Derivation: derivationOf([1, 7], otherKey, fingerprintOf(otherKey)) }, []],
    [{}, []],
    // What nobody can derive from public keys.
    [{ bip32Derivation: derivationOf([0x8000_0000], otherKey) }, []],
  ]
  for (const [claim, expected] of claims) {
    const { paid, warnings } = read(psbtWith([foreign, { ...foreign, amount: 39_000n, ...claim }]))
    assert.deepEqual(paid[1], ["transfer", foreignAddress, 39_000n])
    assert.deepEqual(warnings, [...expected, "change-not-recognised outputs"])
  }
})

test("the signing key's own output and the account's paths are change without any claim", () => {
  const change = { script: paymentTo("p2wpkh", publicKey).script, amount: 39_000n }
  const back = read(psbtWith([foreign, change]), {})
  assert.deepEqual([back.paid[1]?.[0], back.warnings], ["change", []])
  assert.equal(back.actions.at(-1)?.details[0]?.value, "the key that signs")
  const at = { script: paymentTo("p2pkh", keyAt([4])).script, amount: 39_000n }
  const told = read(psbtWith([foreign, at]), { account: { ...account, paths: [[4]] } })
  assert.deepEqual([told.paid[1]?.[0], told.warnings], ["change", []])
  const untold = read(psbtWith([foreign, at]))
  assert.deepEqual(untold.warnings, ["change-not-recognised outputs"])
  // One output is a payment, and nothing is missing.
  assert.deepEqual(read(psbtWith([{ ...foreign, amount: 99_000n }])).warnings, [])
})

test("paths are counted from the account's origin, and far ones are warned of", () => {
  const origin = [0x8000_0054, 0x8000_0000]
  const far: readonly number[] = [0, 1_000_001]
  const own = { script: paymentTo("p2wpkh", keyAt(far)).script, amount: 39_000n }
  const claim = { bip32Derivation: derivationOf([...origin, ...far], keyAt(far)) }
  const psbt = psbtWith([foreign, { ...own, ...claim }])
  const within = read(psbt, { account: { ...account, origin } })
  assert.deepEqual([within.paid[1]?.[0], within.warnings], ["change", ["unusual-path outputs.1"]])
  assert.deepEqual(read(psbt).warnings, ["change-not-recognised outputs"])
})

test("high fees, unknown ones and outputs of more than the inputs do not pass", () => {
  const pay = (amount: bigint) => psbtWith([{ ...foreign, amount }])
  assert.deepEqual(read(pay(80_000n)).warnings, [])
  assert.deepEqual(read(pay(79_999n)).warnings, ["high-fee outputs"])
  refused(pay(100_001n), /more than the inputs/, "outputs")
  refused(pay(21_000_000n * 100_000_000n + 1n), /no amount of satoshi/, "outputs.0")
  const two = spend(["p2wpkh", "p2wpkh"], { outputs: 1 })
  two.updateInput(1, { witnessUtxo: undefined, nonWitnessUtxo: undefined } as never, true)
  const { warnings, feeCeiling, actions } = read(two.toPSBT())
  assert.deepEqual(warnings, ["others-inputs inputs.1", "fee-unknown inputs"])
  assert.deepEqual([feeCeiling, actions[1]?.amount], [null, null])
})

test("outputs may be more than the inputs only where others can add theirs", () => {
  const outputs = [{ ...foreign, amount: 100_001n }]
  const build = (sighashType: number) => psbtWith(outputs, "p2wpkh", { sighashType })
  refused(build(0x01), /more than the inputs/, "outputs")
  const { feeCeiling, paid, warnings } = read(build(0x81))
  assert.deepEqual([feeCeiling, paid], [null, [["transfer", foreignAddress, 100_001n]]])
  assert.deepEqual(warnings, ["sighash-anyone-can-pay inputs.0", "fee-unknown inputs"])
  const most = psbtWith([{ ...foreign, amount: 1n << 60n }], "p2wpkh", { sighashType: 0x81 })
  refused(most, /no amount of satoshi/, "outputs.0")
})

test("amounts of other inputs are claims unless their transactions or Taproot cover them", () => {
  const build = (own: Script) => {
    const transaction = spend([own, "p2wpkh"], { outputs: 0 })
    transaction.updateInput(1, { nonWitnessUtxo: undefined } as never, true)
    transaction.addOutput({ ...foreign, amount: 199_000n })
    return read(transaction.toPSBT()).warnings
  }
  const claim = "amounts-not-covered inputs"
  assert.deepEqual(build("p2wpkh"), [claim])
  assert.deepEqual(build("p2pkh"), [claim])
  assert.deepEqual(build("p2tr"), ["others-inputs inputs.1"])
})

test("a sighash type that leaves outputs open says that the rest may go anywhere", () => {
  const build = (script: Script, sighashType: number) => {
    const transaction = spend([script, script], { outputs: 0, sighashType })
    for (const amount of [60_000n, 30_000n, 9000n]) transaction.addOutput({ ...foreign, amount })
    return transaction.toPSBT()
  }
  for (const script of SCRIPTS) {
    const of = (type: number) => read(build(script, type), { account }, 1)
    const open = of(0x02)
    assert.deepEqual(open.paid, [["transfer", null, 100_001n]])
    assert.deepEqual(open.warnings, ["sighash-none inputs.1", "fee-unknown inputs"])
    assert.equal(open.actions.filter(({ kind }) => kind === "spend").length, 2)
    const single = of(0x03)
    assert.deepEqual(single.paid, [
      ["transfer", foreignAddress, 30_000n],
      ["transfer", null, 70_001n],
    ])
    assert.deepEqual(single.warnings, ["sighash-single inputs.1", "fee-unknown inputs"])
    const any = of(0x81)
    assert.deepEqual(
      any.paid.map(([, , amount]) => amount),
      [60_000n, 30_000n, 9000n],
    )
    assert.deepEqual(any.warnings, [
      ...["change-not-recognised outputs", "sighash-anyone-can-pay inputs.1", "fee-unknown inputs"],
    ])
    assert.equal(any.actions.filter(({ kind }) => kind === "spend").length, 1)
    const nothing = of(0x82)
    assert.deepEqual(nothing.warnings, [
      ...["sighash-none inputs.1", "sighash-anyone-can-pay inputs.1", "fee-unknown inputs"],
    ])
  }
})

test("scripts without an address are shown as bytes, and data is no payment", () => {
  const data = { script: Uint8Array.of(0x6a, 2, 0xca, 0xfe), amount: 0n }
  const bare = { script: concat(Uint8Array.of(0x51, 0x87)), amount: 99_000n }
  const transaction = new Transaction({ disableScriptCheck: true, allowUnknownOutputs: true })
  transaction.addInput({
    ...{ txid: new Uint8Array(32).fill(9), index: 0 },
    witnessUtxo: { script: paymentTo("p2wpkh").script, amount: 100_000n },
  })
  for (const output of [data, bare]) transaction.addOutput(output)
  const { paid, actions, warnings } = read(transaction.toPSBT())
  assert.deepEqual(paid, [
    ["data", null, 0n],
    ["transfer", null, 99_000n],
  ])
  assert.deepEqual(actions[1]?.details, [{ name: "script", value: "0x6a02cafe" }])
  assert.deepEqual(actions[2]?.details, [{ name: "script", value: `0x${toHex(bare.script)}` }])
  assert.deepEqual(warnings, ["unknown-script outputs.1", "change-not-recognised outputs"])
})

test("addresses are the network's", () => {
  const psbt = psbtWith([{ ...foreign, amount: 99_000n }])
  for (const network of ["mainnet", "testnet", "regtest"] as const) {
    const { paid, chain } = read(psbt, { network })
    assert.equal(paid[0]?.[1], bitcoinOutput(otherKey, "p2wpkh", network).address)
    assert.deepEqual(chain, { kind: "bitcoin", network })
  }
})

test("a PSBT that has every output looked for is refused", () => {
  const outputs = Array.from({ length: 513 }, (_, i) => ({
    ...{ script: paymentTo("p2wpkh", otherKey).script, amount: 1n },
    bip32Derivation: derivationOf([0, i], otherKey),
  }))
  const quick = { ...account, childKey: () => null }
  assert.throws(
    () => bitcoinInputIntent({ psbt: psbtWith(outputs), input: 0, publicKey }, { account: quick }),
    { name: "DecodeError", path: "outputs.512" },
  )
})
