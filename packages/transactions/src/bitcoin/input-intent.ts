import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, toHex } from "@lockkeeper/encoding"
import { RawOldTx } from "@scure/btc-signer/script.js"
import { type Action, actionOf, bytesShown, type Detail } from "../intent/action.ts"
import { NATIVE } from "../intent/asset.ts"
import { bounded, type Intent } from "../intent/intent.ts"
import type { Warning, WarningKind } from "../intent/warning.ts"
import { type BitcoinAccount, Owner } from "./account.ts"
import { type BitcoinNetwork, bitcoinAddress } from "./address.ts"
import { type Fee, feeOf } from "./fee.ts"
import { type BitcoinInput, type BitcoinInputDigest, digestOf } from "./input-digest.ts"
import { type Psbt, type PsbtOutput, readPsbt, type SpentOutput } from "./psbt.ts"

export interface BitcoinContext {
  /** For which addresses are written; a PSBT does not say. */
  readonly network?: BitcoinNetwork
  /** By which change is recognised; without it only what pays the signing key itself. */
  readonly account?: BitcoinAccount | null
}

export type BitcoinIntent = {
  readonly intent: Intent
  /** The id of the transaction before any script is filled in: the same for all of its inputs. */
  readonly unsignedId: Bytes
} & BitcoinInputDigest

const OP_RETURN = 0x6a
const NONE = 2
const SINGLE = 3
const ANYONE_CAN_PAY = 0x80

/** Numbers of a path above this are not looked for by wallets that find their coins again. */
const USUAL_NUMBERS = 1_000_000

const SIGHASH_NAMES: Readonly<Record<number, string>> = {
  0: "DEFAULT",
  1: "ALL",
  2: "NONE",
  3: "SINGLE",
  129: "ALL | ANYONECANPAY",
  130: "NONE | ANYONECANPAY",
  131: "SINGLE | ANYONECANPAY",
}

interface Reading {
  readonly psbt: Psbt
  readonly input: number
  readonly spent: SpentOutput
  readonly signed: BitcoinInputDigest
  readonly owner: Owner
  readonly network: BitcoinNetwork
  readonly warn: (kind: WarningKind, at: string) => void
}

/**
 * What the signature for one input of a PSBT does: inputs and outputs as far as it covers them, and
 * where the rest of the input may go.
 *
 * @throws DecodeError as `bitcoinInputDigest`; for outputs of more than the inputs, and for amounts
 *   that there are not.
 */
export function bitcoinInputIntent(
  given: BitcoinInput,
  { network = "mainnet", account = null }: BitcoinContext = {},
): BitcoinIntent {
  const psbt = readPsbt(given.psbt)
  const signed = digestOf(psbt, given)
  const { input } = given
  const spent = psbt.inputs[input]?.spent
  if (!spent) throw new DecodeError("the spent output is missing", 0, `inputs.${input}`)
  const warnings: Warning[] = []
  const warn = (kind: WarningKind, at: string) => void warnings.push({ kind, at })
  const owner = new Owner(given.publicKey, signed.scheme, account)
  const reading = { psbt, input, spent, signed, owner, network, warn }
  const actions = [...spendsOf(reading), ...paymentsOf(reading)]
  const fee = coveredFee(reading)
  const unsignedId = unsignedIdOf(psbt)
  const intent: Intent = {
    chain: { kind: "bitcoin", network },
    kind: "transaction",
    from: bitcoinAddress(spent.script, network),
    actions,
    feeCeiling: fee?.amount ?? null,
    nonce: null,
    warnings,
    details: detailsOf(reading, fee, unsignedId),
  }
  return { intent: bounded(intent), unsignedId, ...signed }
}

/** The part of a sighash type that says which outputs are covered. */
const scopeOf = ({ sighash }: BitcoinInputDigest) => sighash & 0x1f
const anyoneCanPay = ({ sighash }: BitcoinInputDigest) => (sighash & ANYONE_CAN_PAY) !== 0

function* spendsOf(reading: Reading): Generator<Action> {
  const { psbt, input, signed, owner, network, warn } = reading
  for (const [
    index,
    { spent, txid, index: output, sequence, derivations },
  ] of psbt.inputs.entries()) {
    const isOwn = index === input
    // Others can be exchanged for any.
    if (!isOwn && anyoneCanPay(signed)) continue
    const at = `inputs.${index}`
    if (!isOwn && (spent === null || owner.of(spent, derivations, at).kind !== "own")) {
      warn("others-inputs", at)
    }
    const from = spent === null ? null : bitcoinAddress(spent.script, network)
    const script = spent !== null && from === null ? bytesShown("script", spent.script) : []
    yield actionOf("spend", {
      from,
      asset: NATIVE,
      amount: spent?.amount ?? null,
      details: [
        { name: "output", value: `${toHex(txid)}:${output}` },
        { name: "sequence", value: String(sequence) },
        ...(isOwn ? [{ name: "signed now", value: "yes" }] : []),
        ...script,
      ],
    })
  }
}

function* paymentsOf(reading: Reading): Generator<Action> {
  const { psbt, input, signed, spent, warn } = reading
  const scope = scopeOf(signed)
  let [paid, changes] = [0n, 0]
  for (const [index, output] of psbt.outputs.entries()) {
    if (scope === NONE || (scope === SINGLE && index !== input)) continue
    const action = paymentOf(reading, output, index)
    paid += output.amount
    if (action.kind === "change") changes += 1
    yield action
  }
  if (scope === NONE || scope === SINGLE) {
    warn(scope === NONE ? "sighash-none" : "sighash-single", `inputs.${input}`)
    const amount = spent.amount > paid ? spent.amount - paid : 0n
    const from = bitcoinAddress(spent.script, reading.network)
    const details = [{ name: "recipient", value: "whoever gets the signature" }]
    yield actionOf("transfer", { from, asset: NATIVE, amount, details })
  } else if (changes === 0 && psbt.outputs.length > 1) warn("change-not-recognised", "outputs")
  if (anyoneCanPay(signed)) warn("sighash-anyone-can-pay", `inputs.${input}`)
}

function paymentOf({ owner, network, warn }: Reading, output: PsbtOutput, index: number): Action {
  const { script, amount, derivations } = output
  const at = `outputs.${index}`
  const to = bitcoinAddress(script, network)
  const own = owner.of(output, derivations, at)
  if (own.kind === "own") {
    if (own.path?.some((number) => number > USUAL_NUMBERS)) warn("unusual-path", at)
    const value = own.path === null ? "the key that signs" : ["m", ...own.path].join("/")
    const details = [{ name: "path", value }]
    return actionOf("change", { to, asset: NATIVE, amount, details })
  }
  if (own.kind === "false") warn("false-change", at)
  if (to !== null) return actionOf("transfer", { to, asset: NATIVE, amount })
  const isData = script[0] === OP_RETURN
  if (!isData) warn("unknown-script", at)
  const details = bytesShown("script", script)
  return actionOf(isData ? "data" : "transfer", { asset: NATIVE, amount, details })
}

/** The fee, where the signature covers all of the transaction. */
function coveredFee({ psbt, input, signed, warn }: Reading): Fee | null {
  const isWhole = scopeOf(signed) <= 1 && !anyoneCanPay(signed)
  const fee = feeOf(psbt, isWhole)
  if (fee === null) {
    warn("fee-unknown", "inputs")
    return null
  }
  if (fee.isHigh) warn("high-fee", "outputs")
  // BIP143 and older digests cover the signed input's amount alone; ids of whole transactions do.
  const others = psbt.inputs.filter((_, index) => index !== input)
  if (signed.scheme === "ecdsa" && others.some(({ hasWholePrevious }) => !hasWholePrevious)) {
    warn("amounts-not-covered", "inputs")
  }
  return fee
}

function detailsOf(
  { psbt, input, signed }: Reading,
  fee: Fee | null,
  unsignedId: Bytes,
): readonly Detail[] {
  const { version, lockTime } = psbt
  const rate = fee?.rate ?? null
  return [
    { name: "form", value: "PSBT" },
    { name: "input", value: String(input) },
    { name: "script", value: signed.script },
    { name: "sighash", value: SIGHASH_NAMES[signed.sighash] ?? String(signed.sighash) },
    ...(signed.scheme === "bip340" && signed.merkleRoot.length > 0
      ? bytesShown("Merkle root", signed.merkleRoot)
      : []),
    { name: "version", value: String(version) },
    { name: "lock time", value: String(lockTime) },
    { name: "unsigned transaction id", value: toHex(unsignedId) },
    ...(rate === null ? [] : [{ name: "fee rate, about", value: rateText(rate) }]),
  ]
}

function rateText(milliSatoshi: bigint): string {
  const rest = String(milliSatoshi % 1000n).padStart(3, "0")
  return `${milliSatoshi / 1000n}.${rest} satoshi a virtual byte`
}

/** As block explorers show ids. */
function unsignedIdOf({ version, inputs, outputs, lockTime }: Psbt): Bytes {
  const bytes = RawOldTx.encode({
    version,
    inputs: inputs.map(({ txid, index, sequence }) => ({
      ...{ txid, index, sequence, finalScriptSig: new Uint8Array(0) },
    })),
    outputs: outputs.map(({ amount, script }) => ({ amount, script })),
    lockTime,
  })
  return sha256(sha256(bytes)).reverse() as Bytes
}
