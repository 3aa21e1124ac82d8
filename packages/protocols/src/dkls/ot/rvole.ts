import {
  constantTimeEqual,
  hashValue,
  hkdfSha512Expand,
  hkdfSha512Extract,
  type Scalar,
  Secret,
  scalarVectors,
  secp256k1,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  concat,
  fixedBytes,
  list,
  mapped,
  struct,
} from "@lockkeeper/encoding"
import { ROW_WORDS } from "./bit-matrix.ts"
import { type BlockHash, blockHash } from "./block-hash.ts"
import {
  type Extension,
  extendReceive,
  extendSend,
  extensionCodec,
  receiverRows,
} from "./extension.ts"
import { GADGET_WEIGHTS } from "./gadget.ts"
import { LABELS } from "./labels.ts"
import type { PairSetup } from "./pair-setup.ts"
import {
  assertContext,
  assertCount,
  choiceLength,
  correctionsLength,
  MAX_COUNT,
  ROWS_PER_ITEM,
  rvoleSenderMessageLength,
  SCALAR_LENGTH,
  WIDTH,
} from "./sizes.ts"
import {
  checkDigest,
  maskOf,
  padKey,
  type Transcript,
  thetasOf,
  transcriptOf,
} from "./transcript.ts"

const {
  addSelected,
  combineTriples,
  differencesPlus,
  factorOfScalar,
  readCanonical,
  selectedSum,
  weightedSum,
} = scalarVectors

/** Row words and pad blocks of one item: 96 bytes, three scalars, from each row. */
const ITEM_WORDS = ROWS_PER_ITEM * ROW_WORDS
const PAD_BLOCKS = (WIDTH * SCALAR_LENGTH) / 16
const ITEM_CHOICE = ROWS_PER_ITEM / 8
const ITEM_CORRECTIONS = correctionsLength(1)
const ITEM_CHECK = ROWS_PER_ITEM * SCALAR_LENGTH

/** Bytes of fresh uniform randomness that `rvoleReceive` takes. */
export function RVOLE_RECEIVER_RANDOMNESS(count: number): number {
  return choiceLength(count)
}

/** Bytes of fresh uniform randomness that `rvoleSend` takes. */
export const RVOLE_SENDER_RANDOMNESS = 32

/** What the receiver keeps until the sender's message comes. Taken once; `rvoleFinish` wipes it. */
export interface RvoleReceiver {
  readonly receiverContext: Bytes
  /** The message that was sent: the extension's columns depend on nothing but seeds and choice. */
  readonly receiverDigest: Bytes
  readonly choice: Secret
  readonly chi: readonly Scalar[]
}

const secretBytes: Codec<Secret> = mapped(
  bytes(choiceLength(MAX_COUNT)),
  (secret: Secret) => secret.expose(),
  (raw) => new Secret(raw),
)

const stateFields = struct<RvoleReceiver>({
  receiverContext: fixedBytes(32),
  receiverDigest: fixedBytes(32),
  choice: secretBytes,
  chi: list(secp256k1.scalar, MAX_COUNT),
})

/** Refuses choice bits of another number than the chi need. */
export const rvoleReceiverCodec: Codec<RvoleReceiver> = {
  write: (writer, value) => stateFields.write(writer, value),
  read(reader) {
    const start = reader.offset
    const value = stateFields.read(reader)
    const count = value.chi.length
    if (count < 1 || value.choice.length !== choiceLength(count)) {
      reader.fail("choice bits do not fit the number of multiplications", start)
    }
    return value
  },
}

function itemsOf<T>(count: number, item: (k: number) => T): T[] {
  return Array.from({ length: count }, (_, k) => item(k))
}

/**
 * Choice bits from the randomness, salted with the extension they are for, so that even repeated
 * randomness gives two senders, or one sender twice, unrelated bits.
 */
function choiceFrom(extension: Extension, randomness: Bytes): Bytes {
  const salt = hashValue(LABELS.choice, extensionCodec, extension)
  const key = hkdfSha512Extract(salt, randomness)
  const choice = hkdfSha512Expand(key, salt, choiceLength(extension.count))
  key.fill(0)
  return choice
}

/**
 * The receiver's side of `count` multiplications by chi, uniform scalars of its own: choice bits
 * beta, chi = <g, beta>, and the message of the transfers' extension (DKLs23 Protocol 5.2, step 1).
 *
 * @param receiverContext - 32 bytes that no other multiplication of the pair in this direction has.
 * @param randomness - `RVOLE_RECEIVER_RANDOMNESS(count)` fresh uniform bytes.
 */
export function rvoleReceive(
  setup: PairSetup,
  receiverContext: Bytes,
  count: number,
  randomness: Bytes,
): { state: RvoleReceiver; chi: readonly Scalar[]; message: Bytes } {
  assertCount(count)
  assertContext(receiverContext)
  if (randomness.length !== RVOLE_RECEIVER_RANDOMNESS(count)) {
    throw new RangeError(`randomness is not ${RVOLE_RECEIVER_RANDOMNESS(count)} bytes`)
  }
  const extension = { setupDigest: setup.setupDigest, context: receiverContext, count }
  const choice = choiceFrom(extension, randomness)
  const message = extendReceive(setup, extension, choice)
  const chi = itemsOf(count, (k) => selectedSum(GADGET_WEIGHTS, itemChoice(choice, k)))
  const { receiverDigest } = transcriptOf(extension, receiverContext, message)
  const state = { receiverContext, receiverDigest, choice: new Secret(choice), chi }
  return { state, chi, message }
}

function itemChoice(choice: Bytes, k: number): Bytes {
  return choice.subarray(k * ITEM_CHOICE, (k + 1) * ITEM_CHOICE)
}

/** One pair of inputs of the sender, multiplied by one chi. */
export interface RvoleInput {
  readonly r: Scalar
  readonly sk: Scalar
}

/** The pads of item k: three values for each of its rows. */
function padsOf(
  hash: BlockHash,
  rows: Uint32Array<ArrayBuffer>,
  k: number,
): Uint32Array<ArrayBuffer> {
  const items = rows.subarray(k * ITEM_WORDS, (k + 1) * ITEM_WORDS)
  return hash(items, k * ROWS_PER_ITEM, PAD_BLOCKS)
}

/** One item at the sender: its corrections tau, and the pads of a zero choice. */
interface SentItem {
  readonly pads: Uint32Array<ArrayBuffer>
  readonly corrections: Bytes
}

/** tau_j = H(q_j) - H(q_j ^ delta) + (r, sk, a^), row by row. */
function sendItem(
  hash: BlockHash,
  rows: Uint32Array<ArrayBuffer>,
  shifted: Uint32Array<ArrayBuffer>,
  k: number,
  inputs: readonly Scalar[],
): SentItem {
  const pads = padsOf(hash, rows, k)
  const others = padsOf(hash, shifted, k)
  const corrections = differencesPlus(pads, others, inputs)
  others.fill(0)
  return { pads, corrections }
}

/**
 * The sender's side (DKLs23 Protocol 5.2, steps 2 to 4): cu + du = r * chi and cv + dv = sk * chi for
 * each input, with du and dv at the receiver. Null when the receiver's message is malformed or its
 * choice bits are inconsistent: the pair is then dead, since the try may have told a bit of delta.
 *
 * @param senderContext - 32 bytes bound to fresh nonces of both ends.
 * @param randomness - `RVOLE_SENDER_RANDOMNESS` fresh uniform bytes.
 */
export function rvoleSend(
  setup: PairSetup,
  options: {
    readonly receiverContext: Bytes
    readonly senderContext: Bytes
    readonly inputs: readonly RvoleInput[]
    readonly randomness: Bytes
  },
  receiverMessage: Bytes,
): { cu: Scalar[]; cv: Scalar[]; message: Bytes } | null {
  const { receiverContext, senderContext, inputs, randomness } = options
  assertCount(inputs.length)
  assertContext(receiverContext)
  assertContext(senderContext)
  if (randomness.length !== RVOLE_SENDER_RANDOMNESS) {
    throw new RangeError(`randomness is not ${RVOLE_SENDER_RANDOMNESS} bytes`)
  }
  const count = inputs.length
  const extension = { setupDigest: setup.setupDigest, context: receiverContext, count }
  const rows = extendSend(setup, extension, receiverMessage)
  if (rows === null) return null
  const transcript = transcriptOf(extension, senderContext, receiverMessage)
  const hash = blockHash(padKey(transcript))
  const shifted = shiftedBy(setup.delta, rows)
  const masks = itemsOf(count, (k) => maskOf(transcript, randomness, k))
  const items = inputs.map(({ r, sk }, k) =>
    sendItem(hash, rows, shifted, k, [r, sk, masks[k] as Scalar]),
  )
  rows.fill(0)
  shifted.fill(0)
  const message = answer(transcript, inputs, masks, items)
  // c_j = -H(q_j), so that c_j + d_j = beta_j * a.
  const shareOf = (column: number) => (item: SentItem) => {
    const sum = weightedSum(GADGET_WEIGHTS, item.pads, WIDTH, column)
    const share = secp256k1.negateScalar(sum)
    sum.fill(0)
    return share
  }
  const shares = { cu: items.map(shareOf(0)), cv: items.map(shareOf(1)), message }
  for (const spent of [...masks, ...items.map((item) => item.pads)]) spent.fill(0)
  return shares
}

function shiftedBy(delta: Secret, rows: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const offset = new Uint32Array(new Uint8Array(delta.expose()).buffer)
  const shifted = new Uint32Array(rows.length)
  for (let at = 0; at < rows.length; at++) {
    shifted[at] = rows[at]! ^ offset[at & (ROW_WORDS - 1)]!
  }
  offset.fill(0)
  return shifted
}

function factorsOf(
  thetas: readonly [Scalar, Scalar],
): [scalarVectors.Factor, scalarVectors.Factor] {
  return [factorOfScalar(thetas[0]), factorOfScalar(thetas[1])]
}

/** Corrections, then u = a^ + theta_0 * r + theta_1 * sk of each item, then mu. */
function answer(
  transcript: Transcript,
  inputs: readonly RvoleInput[],
  masks: readonly Scalar[],
  items: readonly SentItem[],
): Bytes {
  const corrections = concat(...items.map((item) => item.corrections))
  const thetas = thetasOf(transcript, corrections)
  const combined = inputs.map(({ r, sk }, k) => {
    const [first, second] = [
      secp256k1.multiplyScalars(thetas[0], r),
      secp256k1.multiplyScalars(thetas[1], sk),
    ]
    const sum = secp256k1.addScalars(first, second)
    const u = secp256k1.addScalars(sum, masks[k] as Scalar)
    for (const spent of [first, second, sum]) spent.fill(0)
    return u
  })
  const factors = factorsOf(thetas)
  const rows = concat(...items.map((item) => combineTriples(item.pads, factors, null)))
  const mu = checkDigest(transcript, rows)
  rows.fill(0)
  return concat(corrections, ...combined, mu)
}

/** One item at the receiver: d_j = H(t_j) + beta_j * tau_j. */
function receiveItem(
  hash: BlockHash,
  rows: Uint32Array<ArrayBuffer>,
  k: number,
  corrections: scalarVectors.Words,
  choice: Bytes,
): Uint32Array<ArrayBuffer> {
  const pads = padsOf(hash, rows, k)
  addSelected(pads, corrections, choice, WIDTH)
  return pads
}

/**
 * The receiver's outputs (DKLs23 Protocol 5.2, steps 5 and 6), or null when the sender's message is
 * malformed or its inputs differ between rows: the pair is then dead. The state's choice bits are
 * wiped either way.
 */
export function rvoleFinish(
  setup: PairSetup,
  state: RvoleReceiver,
  options: { readonly senderContext: Bytes },
  senderMessage: Bytes,
): { du: Scalar[]; dv: Scalar[] } | null {
  const { senderContext } = options
  assertContext(senderContext)
  const count = state.chi.length
  const message = parseAnswer(count, senderMessage)
  const choice = state.choice.expose()
  const items = message === null ? null : finishItems(setup, state, senderContext, message)
  choice.fill(0)
  state.choice.wipe()
  if (items === null) return null
  const sums = (column: number) =>
    items.map((item) => weightedSum(GADGET_WEIGHTS, item, WIDTH, column))
  const outputs = { du: sums(0), dv: sums(1) }
  for (const item of items) item.fill(0)
  return outputs
}

interface Answer {
  readonly corrections: Bytes
  readonly words: readonly scalarVectors.Words[]
  readonly combined: readonly Scalar[]
  readonly mu: Bytes
}

/** The sender's message, or null when a length is wrong or a scalar is not below the order. */
function parseAnswer(count: number, message: Bytes): Answer | null {
  if (message.length !== rvoleSenderMessageLength(count)) return null
  const corrections = message.subarray(0, correctionsLength(count))
  const tail = message.subarray(corrections.length)
  const combined = tail.subarray(0, count * SCALAR_LENGTH)
  if (readCanonical(combined) === null) return null
  const words: scalarVectors.Words[] = []
  for (let k = 0; k < count; k++) {
    const start = k * ITEM_CORRECTIONS
    const item = readCanonical(corrections.subarray(start, start + ITEM_CORRECTIONS))
    if (item === null) return null
    words.push(item)
  }
  return {
    corrections,
    words,
    combined: itemsOf(count, (k) =>
      secp256k1.decodeScalar(combined.subarray(k * SCALAR_LENGTH, (k + 1) * SCALAR_LENGTH)),
    ),
    mu: tail.subarray(combined.length),
  }
}

/** The values d of every item once their check rows hash to mu; null otherwise. */
function finishItems(
  setup: PairSetup,
  state: RvoleReceiver,
  senderContext: Bytes,
  message: Answer,
): Uint32Array<ArrayBuffer>[] | null {
  const { receiverContext, receiverDigest } = state
  const { setupDigest } = setup
  const count = state.chi.length
  const transcript = { setupDigest, receiverContext, senderContext, count, receiverDigest }
  const hash = blockHash(padKey(transcript))
  const rows = receiverRows(setup, { setupDigest, context: receiverContext, count })
  const choice = state.choice.expose()
  const items = message.words.map((words, k) =>
    receiveItem(hash, rows, k, words, itemChoice(choice, k)),
  )
  rows.fill(0)
  const factors = factorsOf(thetasOf(transcript, message.corrections))
  // d^_j + theta . d_j - beta_j * u is what the sender has of its own, unless an input a differs.
  const check = new Uint8Array(count * ITEM_CHECK)
  items.forEach((item, k) => {
    const subtrahend = { value: message.combined[k] as Scalar, bits: itemChoice(choice, k) }
    const part = combineTriples(item, factors, subtrahend)
    check.set(part, k * ITEM_CHECK)
    part.fill(0)
  })
  const holds = constantTimeEqual(checkDigest(transcript, check), message.mu)
  check.fill(0)
  if (holds) return items
  for (const item of items) item.fill(0)
  return null
}
