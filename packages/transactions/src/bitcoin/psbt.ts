import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import { Transaction } from "@scure/btc-signer"

/** An output that an input spends: satoshi and script. */
export interface SpentOutput {
  readonly amount: bigint
  readonly script: Bytes
}

/** Whose key something is of, as a PSBT claims: BIP32's path from the key with a fingerprint. */
export interface Derivation {
  readonly fingerprint: number
  readonly path: readonly number[]
}

export interface PsbtInput {
  /** In the order in which block explorers show it. */
  readonly txid: Bytes
  readonly index: number
  readonly sequence: number
  /** What it spends, where the PSBT says so. */
  readonly spent: SpentOutput | null
  /** Whether the whole transaction that made the spent output is there; its id was compared. */
  readonly hasWholePrevious: boolean
  readonly redeemScript: Bytes | null
  readonly sighashType: number | null
  readonly tapInternalKey: Bytes | null
  readonly tapMerkleRoot: Bytes | null
  readonly isFinal: boolean
  readonly derivations: readonly Derivation[]
}

export interface PsbtOutput extends SpentOutput {
  readonly derivations: readonly Derivation[]
}

/** A PSBT of version 0 or 2, read in full. */
export interface Psbt {
  readonly version: number
  readonly lockTime: number
  readonly inputs: readonly PsbtInput[]
  readonly outputs: readonly PsbtOutput[]
  /** The library's reading, for its digests. */
  readonly transaction: Transaction
}

const VERSIONS: readonly number[] = [1, 2, 3]

/**
 * Reads a PSBT strictly: fields that are not understood are refused, since they may say how an input
 * is to be signed. Previous transactions must be those that the inputs name, and agree with the
 * outputs given beside them. What a script commits to is left to who signs for it.
 *
 * @throws DecodeError
 */
export function readPsbt(bytes: Uint8Array): Psbt {
  let transaction: Transaction
  try {
    transaction = Transaction.fromPSBT(new Uint8Array(bytes), {
      unknown: "strict",
      proprietary: "strict",
      // Whom an output pays, and how other inputs are signed, is not judged here.
      allowUnknownOutputs: true,
      allowUnknownInputs: true,
      disableScriptCheck: true,
    })
  } catch (cause) {
    throw new DecodeError(`no PSBT that is understood (${textOf(cause)})`, 0)
  }
  const { version, lockTime } = transaction
  if (!VERSIONS.includes(version)) throw new DecodeError("not a standard version", 0, "version")
  const outputs = Array.from({ length: transaction.outputsLength }, (_, index) =>
    outputOf(transaction, index),
  )
  if (outputs.length === 0) throw new DecodeError("none", 0, "outputs")
  const inputs = Array.from({ length: transaction.inputsLength }, (_, index) =>
    inputOf(transaction, index),
  )
  refuseTwice(inputs)
  return { version, lockTime, inputs, outputs, transaction }
}

function outputOf(transaction: Transaction, index: number): PsbtOutput {
  const output = transaction.getOutput(index)
  const { amount, script } = output
  if (amount === undefined || script === undefined) {
    throw new DecodeError("without amount or script", 0, `outputs.${index}`)
  }
  return { amount, script: new Uint8Array(script), derivations: derivationsOf(output) }
}

/** Of keys themselves: BIP371 names the scripts in which other keys are. */
function derivationsOf({
  bip32Derivation = [],
  tapBip32Derivation = [],
}: ReturnType<Transaction["getOutput"]>): readonly Derivation[] {
  const ofKeys = tapBip32Derivation.filter(([, { hashes }]) => hashes.length === 0)
  return [...bip32Derivation.map(([, der]) => der), ...ofKeys.map(([, { der }]) => der)]
}

function inputOf(transaction: Transaction, at: number): PsbtInput {
  const input = transaction.getInput(at)
  const { txid, index, nonWitnessUtxo, witnessUtxo } = input
  if (txid === undefined || index === undefined) {
    throw new DecodeError("spends no output", 0, `inputs.${at}`)
  }
  const spent = nonWitnessUtxo?.outputs[index] ?? witnessUtxo
  const copy = (bytes: Uint8Array | undefined) =>
    bytes === undefined ? null : new Uint8Array(bytes)
  return {
    ...{ txid: new Uint8Array(txid), index, sequence: input.sequence ?? 0xffff_ffff },
    spent: spent ? { amount: spent.amount, script: new Uint8Array(spent.script) } : null,
    hasWholePrevious: nonWitnessUtxo !== undefined,
    redeemScript: copy(input.redeemScript),
    sighashType: input.sighashType ?? null,
    tapInternalKey: copy(input.tapInternalKey),
    tapMerkleRoot: copy(input.tapMerkleRoot),
    derivations: derivationsOf(input),
    isFinal: Boolean(input.finalScriptSig?.length || input.finalScriptWitness?.length),
  }
}

/** One output spent by two inputs: no such transaction is valid. */
function refuseTwice(inputs: readonly PsbtInput[]): void {
  const seen = new Set<string>()
  inputs.forEach(({ txid, index }, at) => {
    const outpoint = `${txid.join()}:${index}`
    if (seen.has(outpoint)) throw new DecodeError("spent twice", 0, `inputs.${at}`)
    seen.add(outpoint)
  })
}

const textOf = (cause: unknown) => (cause instanceof Error ? cause.message.slice(0, 80) : "?")
