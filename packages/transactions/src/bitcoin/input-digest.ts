import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import { p2pkh, p2sh, p2wpkh } from "@scure/btc-signer"
import { taprootTweakPubkey } from "@scure/btc-signer/utils.js"
import { legacyDigest } from "./legacy-digest.ts"
import { type Psbt, type PsbtInput, readPsbt, type SpentOutput } from "./psbt.ts"

/** What is signed for one input, and by which scheme. */
export type BitcoinInputDigest =
  | {
      readonly scheme: "ecdsa"
      readonly script: "p2wpkh" | "p2sh-p2wpkh" | "p2pkh"
      readonly digest: Bytes
      /** The byte behind the DER signature. */
      readonly sighash: number
    }
  | {
      readonly scheme: "bip340"
      readonly script: "p2tr"
      readonly digest: Bytes
      /** 0 for SIGHASH_DEFAULT, which is not written behind the signature. */
      readonly sighash: number
      /** What the key is tweaked with (BIP341): no bytes without scripts, as BIP86 has it, or 32. */
      readonly merkleRoot: Bytes
    }

export interface BitcoinInput {
  /** A PSBT of version 0 or 2. */
  readonly psbt: Uint8Array
  /** Which of its inputs. */
  readonly input: number
  /**
   * The key that signs: 33 bytes, compressed. A Taproot input also takes the 32 bytes of an x-only
   * key, before any tweak; nothing else takes those.
   */
  readonly publicKey: Uint8Array
}

const SIGHASH_DEFAULT = 0
const SIGHASH_ALL = 1
const SIGHASH_SINGLE = 3
const ANYONE_CAN_PAY = 0x80
const STANDARD: readonly number[] = [0x01, 0x02, 0x03, 0x81, 0x82, 0x83]

/**
 * The digest that is signed for one input of a PSBT: BIP143 for P2WPKH, bare and within P2SH; the
 * older digest for P2PKH; BIP341 for a Taproot key path. Only an output that belongs to the public
 * key is signed for.
 *
 * @throws DecodeError with the path of what is at fault: a PSBT that is not understood in full, an
 *   input that is not there or final already, a spent output that is missing, foreign or of another
 *   kind, a previous transaction of another id, a sighash type that is not standard.
 */
export function bitcoinInputDigest(given: BitcoinInput): BitcoinInputDigest {
  return digestOf(readPsbt(given.psbt), given)
}

/** The same of a PSBT that was read already. */
export function digestOf(
  read: Psbt,
  { input, publicKey }: Omit<BitcoinInput, "psbt">,
): BitcoinInputDigest {
  if (publicKey.length !== 32 && publicKey.length !== 33) {
    throw new RangeError("a public key has 33 bytes, an x-only one 32")
  }
  const path = `inputs.${input}`
  const own = read.inputs[input]
  if (own === undefined) throw new DecodeError("there is no such input", 0, path)
  if (own.isFinal) throw new DecodeError("final already", 0, path)
  const { spent } = own
  if (spent === null) throw new DecodeError("the spent output is missing", 0, path)
  const order = { read, input, own, spent, publicKey, path }
  return isTaproot(spent.script) ? taprootDigest(order) : ecdsaDigest(order)
}

interface Order {
  readonly read: Psbt
  readonly input: number
  readonly own: PsbtInput
  readonly spent: SpentOutput
  readonly publicKey: Uint8Array
  readonly path: string
}

function ecdsaDigest({ read, input, own, spent, publicKey, path }: Order): BitcoinInputDigest {
  if (publicKey.length !== 33) throw new DecodeError("not of this key", 0, path)
  const key = keyScripts(publicKey)
  const sighash = sighashOf(own.sighashType ?? SIGHASH_ALL, STANDARD, read, input)
  const scheme = "ecdsa"
  if (equalBytes(spent.script, key.p2pkh)) {
    // Without it the amount is a claim that the signature does not cover.
    if (!own.hasWholePrevious) {
      throw new DecodeError("a P2PKH input needs its whole previous transaction", 0, path)
    }
    const digest = legacyDigest(read, input, key.p2pkh, sighash)
    return { scheme, script: "p2pkh", digest, sighash }
  }
  const isNested = equalBytes(spent.script, key.nested)
  if (!isNested && !equalBytes(spent.script, key.p2wpkh)) {
    throw new DecodeError("spends no output of this key that can be signed for", 0, path)
  }
  if (isNested && (own.redeemScript === null || !equalBytes(own.redeemScript, key.p2wpkh))) {
    throw new DecodeError("missing or of another key", 0, `${path}.redeemScript`)
  }
  // BIP143: the script code of P2WPKH is the P2PKH script of the same key.
  const digest = read.transaction.preimageWitnessV0(input, key.p2pkh, sighash, spent.amount)
  const script = isNested ? "p2sh-p2wpkh" : "p2wpkh"
  return { scheme, script, digest: new Uint8Array(digest), sighash }
}

function keyScripts(publicKey: Uint8Array) {
  const witness = p2wpkh(publicKey)
  return {
    p2wpkh: new Uint8Array(witness.script),
    p2pkh: new Uint8Array(p2pkh(publicKey).script),
    nested: new Uint8Array(p2sh(witness).script),
  }
}

function taprootDigest({ read, input, own, spent, publicKey, path }: Order): BitcoinInputDigest {
  const internalKey = publicKey.length === 33 ? publicKey.subarray(1) : publicKey
  if (own.tapInternalKey !== null && !equalBytes(own.tapInternalKey, internalKey)) {
    throw new DecodeError("not of this key", 0, `${path}.tapInternalKey`)
  }
  const merkleRoot = own.tapMerkleRoot ?? new Uint8Array(0)
  const [outputKey] = taprootTweakPubkey(internalKey, merkleRoot)
  if (!equalBytes(outputKey, spent.script.subarray(2))) {
    throw new DecodeError("spends no output of this key with this Merkle root", 0, path)
  }
  const allowed = [SIGHASH_DEFAULT, ...STANDARD]
  const sighash = sighashOf(own.sighashType ?? SIGHASH_DEFAULT, allowed, read, input)
  // BIP341 covers the amounts and scripts of all inputs, unless anyone may add some.
  const spends = read.inputs.map((other, index) => {
    if (other.spent !== null) return other.spent
    if (sighash & ANYONE_CAN_PAY) return { amount: 0n, script: new Uint8Array(0) }
    throw new DecodeError("the spent output is missing", 0, `inputs.${index}`)
  })
  const digest = read.transaction.preimageWitnessV1(
    input,
    spends.map(({ script }) => script),
    sighash,
    spends.map(({ amount }) => amount),
  )
  return { scheme: "bip340", script: "p2tr", digest: new Uint8Array(digest), sighash, merkleRoot }
}

function sighashOf(
  declared: number,
  allowed: readonly number[],
  { outputs }: Psbt,
  input: number,
): number {
  const path = `inputs.${input}.sighashType`
  if (!allowed.includes(declared)) throw new DecodeError("not a standard type", 0, path)
  // Before Taproot the digest would be the number one, and a signature of it good for any spend.
  if ((declared & 0x1f) === SIGHASH_SINGLE && outputs[input] === undefined) {
    throw new DecodeError("SIGHASH_SINGLE without an output of the same index", 0, path)
  }
  return declared
}

/** OP_1 and a push of 32 bytes: a witness program of version 1. */
const isTaproot = (script: Bytes) =>
  script.length === 34 && script[0] === 0x51 && script[1] === 0x20
