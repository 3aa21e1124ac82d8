import { type Scalar, Secret, scalarVectors, secp256k1 } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { ROW_WORDS } from "./bit-matrix.ts"
import { type BlockHash, blockHash, bytesOf } from "./block-hash.ts"
import { extendSend } from "./extension.ts"
import {
  factorsOf,
  ITEM_CHECK_WORDS,
  ITEM_WORDS,
  type ItemValues,
  itemPart,
  itemsOf,
  outputOf,
  padsOf,
} from "./items.ts"
import type { PairSetup } from "./pair-setup.ts"
import {
  assertContext,
  assertCount,
  correctionsLength,
  rvoleSenderMessageLength,
  SALT_LENGTH,
  SCALAR_LENGTH,
} from "./sizes.ts"
import {
  checkDigest,
  maskOf,
  occasionOf,
  padKey,
  type RvoleInput,
  saltFor,
  type Transcript,
  thetasOf,
} from "./transcript.ts"

/** Bytes of fresh uniform randomness that `rvoleSend` takes. */
export const RVOLE_SENDER_RANDOMNESS = 32

export interface RvoleSenderOptions {
  /** The context of the receiver's message. */
  readonly receiverContext: Bytes
  /** 32 bytes bound to fresh nonces of both ends. */
  readonly senderContext: Bytes
  readonly inputs: readonly RvoleInput[]
  /** `RVOLE_SENDER_RANDOMNESS` fresh uniform bytes. */
  readonly randomness: Bytes
}

function checkOptions(options: RvoleSenderOptions): void {
  assertCount(options.inputs.length)
  assertContext(options.receiverContext)
  assertContext(options.senderContext)
  if (options.randomness.length !== RVOLE_SENDER_RANDOMNESS) {
    throw new RangeError(`randomness is not ${RVOLE_SENDER_RANDOMNESS} bytes`)
  }
}

/**
 * The sender's side of a batch (DKLs23 Protocol 5.2): cu + du = r * chi and cv + dv = sk * chi for
 * each input, with du and dv at the receiver. Null when the receiver's message is malformed or its
 * choice bits are inconsistent: the pair is then dead, since each try may tell a bit of delta.
 */
export function rvoleSend(
  setup: PairSetup,
  options: RvoleSenderOptions,
  receiverMessage: Bytes,
): { cu: Scalar[]; cv: Scalar[]; message: Bytes } | null {
  checkOptions(options)
  const { receiverContext, senderContext, inputs, randomness } = options
  const count = inputs.length
  const extension = { setupDigest: setup.setupDigest, context: receiverContext, count }
  const extended = extendSend(setup, extension, receiverMessage)
  if (extended === null) return null
  const occasion = occasionOf(extension, senderContext, extended.digest)
  const salt = saltFor(occasion, inputs, randomness)
  const transcript = { ...occasion, salt }
  const masks = itemsOf(count, (k) => maskOf(transcript, randomness, k))
  const message = new Uint8Array(rvoleSenderMessageLength(count))
  const items = sendItems(setup.delta, transcript, extended.rows, inputs, masks, message)
  sendCheck(transcript, inputs, masks, items, message)
  // c = -<g, H(q)>, so that c + d = <g, beta> * a.
  const shares = (column: 0 | 1) => items.map((pads) => negated(outputOf(pads, column)))
  const sent = { cu: shares(0), cv: shares(1), message }
  for (const spent of [...masks, ...items]) spent.fill(0)
  return sent
}

function negated(sum: Scalar): Scalar {
  const share = secp256k1.negateScalar(sum)
  sum.fill(0)
  return share
}

/**
 * Writes tau_j = H(q_j) - H(q_j ^ delta) + (r, sk, a^) of every row to the message; gives the pads
 * H(q_j) of every item. Wipes the rows.
 */
function sendItems(
  delta: Secret,
  transcript: Transcript,
  rows: scalarVectors.Words,
  inputs: readonly RvoleInput[],
  masks: readonly Scalar[],
  message: Bytes,
): ItemValues[] {
  const hash: BlockHash = blockHash(padKey(transcript))
  const shifted = shiftedBy(delta, rows)
  const items = inputs.map(({ r, sk }, k) => {
    const pads = padsOf(hash, rows, k)
    const corrections = padsOf(hash, shifted, k)
    scalarVectors.subtractAndAdd(pads, corrections, [r, sk, masks[k]!])
    message.set(bytesOf(corrections), k * ITEM_WORDS * 4)
    return pads
  })
  rows.fill(0)
  shifted.fill(0)
  return items
}

function shiftedBy(delta: Secret, rows: scalarVectors.Words): scalarVectors.Words {
  const copy = Secret.copyOf(delta.expose())
  const offset = new Uint32Array(copy.expose().buffer)
  const shifted = rows.map((word, at) => word ^ offset[at & (ROW_WORDS - 1)]!)
  copy.wipe()
  return shifted
}

/** Writes u = a^ + theta_0 * r + theta_1 * sk of each item, salt and mu behind the corrections. */
function sendCheck(
  transcript: Transcript,
  inputs: readonly RvoleInput[],
  masks: readonly Scalar[],
  items: readonly ItemValues[],
  message: Bytes,
): void {
  const { count, salt } = transcript
  const start = correctionsLength(count)
  const thetas = thetasOf(transcript, message.subarray(0, start))
  const factors = factorsOf(thetas)
  const rows = new Uint32Array(count * ITEM_CHECK_WORDS)
  inputs.forEach(({ r, sk }, k) => {
    const u = combinedInput(thetas, r, sk, masks[k]!)
    message.set(bytesOf(scalarVectors.wordsOfScalar(u)), start + k * SCALAR_LENGTH)
    // H(q_j)_2 + theta_0 * H(q_j)_0 + theta_1 * H(q_j)_1
    const part = itemPart(rows, k, ITEM_CHECK_WORDS)
    scalarVectors.combineTriples(items[k]!, factors, null, part)
  })
  const saltStart = start + count * SCALAR_LENGTH
  message.set(salt, saltStart)
  message.set(checkDigest(transcript, bytesOf(rows)), saltStart + SALT_LENGTH)
  rows.fill(0)
}

function combinedInput(
  thetas: readonly [Scalar, Scalar],
  r: Scalar,
  sk: Scalar,
  mask: Scalar,
): Scalar {
  const first = secp256k1.multiplyScalars(thetas[0], r)
  const second = secp256k1.multiplyScalars(thetas[1], sk)
  const sum = secp256k1.addScalars(first, second)
  const combined = secp256k1.addScalars(sum, mask)
  for (const spent of [first, second, sum]) spent.fill(0)
  return combined
}
