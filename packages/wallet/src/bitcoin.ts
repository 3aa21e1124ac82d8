import { LockKeeperError } from "@lockkeeper/client"
import { type Bytes, concat, DecodeError } from "@lockkeeper/encoding"
import {
  type BitcoinInputDigest,
  type BitcoinNetwork,
  type BitcoinOutput,
  type BitcoinScript,
  bitcoinInputDigest,
  bitcoinOutput,
} from "@lockkeeper/transactions"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { Transaction } from "@scure/btc-signer"
import {
  type ChildPath,
  refusalOf,
  Signatory,
  type WalletKey,
  type WalletSession,
} from "./signing.ts"

export interface SignPsbtOptions {
  /** The child that signs; the key itself when it is left out. */
  readonly path?: ChildPath
  /** Which inputs; without it all that spend an output of this key, at least one. */
  readonly inputs?: readonly number[]
  readonly signal?: AbortSignal
}

export interface BitcoinOutputOptions {
  /** The child that is paid; the key itself when it is left out. */
  readonly path?: ChildPath
  /** Without it P2WPKH for ecdsa-secp256k1 keys and Taproot for bip340 keys. */
  readonly script?: BitcoinScript
  readonly network?: BitcoinNetwork
}

/** What `signPsbt` can spend, by the type of the key; the first is the usual one. */
const SCRIPTS: Readonly<Record<string, readonly [BitcoinScript, ...BitcoinScript[]]>> = {
  "ecdsa-secp256k1": ["p2wpkh", "p2sh-p2wpkh", "p2pkh"],
  bip340: ["p2tr"],
}

/**
 * The output that pays a key or its child, and its address: never one that the key could not spend.
 *
 * @throws LockKeeperError `invalid-request` for scripts of another key type, and paths to no child.
 */
export function outputOf(
  session: WalletSession,
  key: WalletKey,
  { path = [], script, network = "mainnet" }: BitcoinOutputOptions = {},
): BitcoinOutput {
  const { publicKey } = new Signatory(session, key, path, Object.keys(SCRIPTS))
  const scripts = SCRIPTS[key.keyType] ?? ["p2wpkh"]
  if (script !== undefined && !scripts.includes(script)) {
    throw new LockKeeperError("invalid-request", `A ${key.keyType} key cannot spend ${script}.`, {
      field: "script",
      remedy: `Use ${scripts.join(" or ")}.`,
    })
  }
  return bitcoinOutput(publicKey, script ?? scripts[0], network)
}

/** Only what is understood, and whatever a PSBT says about scripts that are not this key's. */
const READ = { allowUnknownOutputs: true, allowUnknownInputs: true } as const

/**
 * Signs inputs of a PSBT: P2WPKH, P2WPKH within P2SH and P2PKH by an ecdsa-secp256k1 key, the key path
 * of Taproot outputs by a bip340 key. What comes back is the same PSBT with the signatures in it; to
 * finalise and to extract it are @scure/btc-signer's.
 *
 * Keys with several addresses sign a PSBT once for each path.
 *
 * @throws LockKeeperError `invalid-request` naming the input, before anything is signed.
 */
export async function signPsbt(
  session: WalletSession,
  key: WalletKey,
  psbt: Uint8Array,
  { path = [], inputs, signal }: SignPsbtOptions = {},
): Promise<Bytes> {
  const signatory = new Signatory(session, key, path, Object.keys(SCRIPTS))
  // Servers refuse fields that they do not understand; the result keeps them.
  const signed = readPsbt(psbt, { ...READ, unknown: "ignore", proprietary: "ignore" })
  const known = new Uint8Array(readPsbt(psbt, READ).toPSBT())
  const scheme = key.keyType === "bip340" ? "bip340" : "ecdsa"
  const orders = digestsOf(known, signed.inputsLength, signatory.publicKey, scheme, inputs)
  for (const [input, order] of orders) {
    const signature = await signatureOf(signatory, { psbt: known, input, order, signal })
    signed.updateInput(input, signature, true)
  }
  return new Uint8Array(signed.toPSBT())
}

function readPsbt(psbt: Uint8Array, options: ConstructorParameters<typeof Transaction>[0]) {
  try {
    return Transaction.fromPSBT(new Uint8Array(psbt), options)
  } catch (cause) {
    throw new LockKeeperError("invalid-request", "That is no PSBT of version 0 or 2.", {
      field: "psbt",
      cause,
    })
  }
}

/** What each input signs. Without a list, inputs of other keys are passed over. */
function digestsOf(
  psbt: Bytes,
  count: number,
  publicKey: Bytes,
  scheme: BitcoinInputDigest["scheme"],
  wanted: readonly number[] | undefined,
): ReadonlyMap<number, BitcoinInputDigest> {
  const orders = new Map<number, BitcoinInputDigest>()
  let first: LockKeeperError | null = null
  for (const input of wanted ?? Array.from({ length: count }, (_, index) => index)) {
    try {
      orders.set(input, digestOf(psbt, input, publicKey, scheme))
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause
      const refusal = refusalOf("psbt", cause)
      if (wanted !== undefined) throw refusal
      first ??= refusal
    }
  }
  if (orders.size > 0) return orders
  const why = first === null ? "None was named." : first.message
  const message = `The PSBT has no input that this key can sign. ${why}`
  throw new LockKeeperError("invalid-request", message, {
    field: "psbt.inputs",
    remedy: "Use the key, or by its path the child, that an input's spent output belongs to.",
  })
}

function digestOf(
  psbt: Bytes,
  input: number,
  publicKey: Bytes,
  scheme: BitcoinInputDigest["scheme"],
): BitcoinInputDigest {
  const order = bitcoinInputDigest({ psbt, input, publicKey })
  if (order.scheme === scheme) return order
  const what = `a key for ${scheme} does not sign for ${order.script}`
  throw new DecodeError(what, 0, `inputs.${input}`)
}

interface InputOrder {
  readonly psbt: Bytes
  readonly input: number
  readonly order: BitcoinInputDigest
  readonly signal: AbortSignal | undefined
}

async function signatureOf(signatory: Signatory, { psbt, input, order, signal }: InputOrder) {
  const content = { kind: "bitcoin-input", psbt, input } as const
  if (order.scheme === "bip340") {
    const { merkleRoot, sighash, digest } = order
    const taproot = merkleRoot.length === 0 ? "key-path" : { merkleRoot }
    const signature = await signatory.schnorr({
      ...{ content, digest, taproot },
      ...(signal ? { signal } : {}),
    })
    // SIGHASH_DEFAULT is not written (BIP341).
    return { tapKeySig: sighash === 0 ? signature : concat(signature, Uint8Array.of(sighash)) }
  }
  const { r, s } = await signatory.ecdsa(content, order.digest, signal)
  const der = secp256k1.Signature.fromBytes(concat(r, s), "compact").toBytes("der")
  const signature = concat(der, Uint8Array.of(order.sighash))
  return { partialSig: [[signatory.publicKey, signature]] as [Uint8Array, Uint8Array][] }
}
