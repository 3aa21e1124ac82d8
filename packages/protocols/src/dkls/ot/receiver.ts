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
  fixedBytes,
  list,
  mapped,
  struct,
} from "@lockkeeper/encoding"
import { blockHash, bytesOf } from "./block-hash.ts"
import { type Extension, extendReceive, extensionCodec, receiverRows } from "./extension.ts"
import { gadgetWeights } from "./gadget.ts"
import {
  factorsOf,
  ITEM_CHECK_WORDS,
  ITEM_WORDS,
  type ItemValues,
  itemChoice,
  itemPart,
  itemsOf,
  outputOf,
  padsOf,
} from "./items.ts"
import { LABELS } from "./labels.ts"
import type { PairSetup } from "./pair-setup.ts"
import {
  assertContext,
  assertCount,
  choiceLength,
  correctionsLength,
  MAX_COUNT,
  rvoleSenderMessageLength,
  SALT_LENGTH,
  SCALAR_LENGTH,
  WIDTH,
} from "./sizes.ts"
import { checkDigest, occasionOf, padKey, type Transcript, thetasOf } from "./transcript.ts"

/** Bytes of fresh uniform randomness that `rvoleReceive` takes. */
export function RVOLE_RECEIVER_RANDOMNESS(count: number): number {
  return choiceLength(count)
}

/** What the receiver keeps until the sender's message comes. Taken once: `rvoleFinish` wipes it. */
export interface RvoleReceiver {
  readonly receiverContext: Bytes
  /** Digest of the message that was sent. */
  readonly receiverDigest: Bytes
  /** beta of every item, and the bits that mask the consistency check. */
  readonly choice: Secret
  readonly chi: readonly Scalar[]
}

const choiceCodec: Codec<Secret> = mapped(
  bytes(choiceLength(MAX_COUNT)),
  (secret: Secret) => secret.expose(),
  (raw) => new Secret(raw),
)

const stateFields = struct<RvoleReceiver>({
  receiverContext: fixedBytes(32),
  receiverDigest: fixedBytes(32),
  choice: choiceCodec,
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
 * beta, chi = <g, beta>, and the message of the transfers' extension (DKLs23 Protocol 5.2).
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
  const { message, digest } = extendReceive(setup, extension, choice)
  const chi = itemsOf(count, (k) =>
    scalarVectors.selectedSum(gadgetWeights(), itemChoice(choice, k)),
  )
  const state = { receiverContext, receiverDigest: digest, choice: new Secret(choice), chi }
  return { state, chi, message }
}

/**
 * The receiver's outputs (DKLs23 Protocol 5.2), or null when the sender's message is malformed or
 * its inputs differ between rows: the pair is then dead. Wipes the state's choice bits either way.
 */
export function rvoleFinish(
  setup: PairSetup,
  state: RvoleReceiver,
  options: { readonly senderContext: Bytes },
  senderMessage: Bytes,
): { du: Scalar[]; dv: Scalar[] } | null {
  assertContext(options.senderContext)
  const answer = parseAnswer(state.chi.length, senderMessage)
  const outputs = answer === null ? null : outputsOf(setup, state, options.senderContext, answer)
  state.choice.wipe()
  return outputs
}

function outputsOf(
  setup: PairSetup,
  { receiverContext, receiverDigest, chi, choice }: RvoleReceiver,
  senderContext: Bytes,
  answer: Answer,
): { du: Scalar[]; dv: Scalar[] } | null {
  const { setupDigest } = setup
  const extension = { setupDigest, context: receiverContext, count: chi.length }
  const occasion = occasionOf(extension, senderContext, receiverDigest)
  const transcript = { ...occasion, salt: answer.salt }
  const bits = choice.expose()
  const items = receiveItems(transcript, receiverRows(setup, extension), bits, answer)
  const outputs = checkPasses(transcript, bits, answer, items)
    ? {
        du: items.map((values) => outputOf(values, 0)),
        dv: items.map((values) => outputOf(values, 1)),
      }
    : null
  for (const values of items) values.fill(0)
  return outputs
}

interface Answer {
  /** As sent, for theta. */
  readonly correctionBytes: Bytes
  /** tau of every row. */
  readonly corrections: scalarVectors.Words
  /** u of every item. */
  readonly combined: scalarVectors.Words
  readonly salt: Bytes
  readonly mu: Bytes
}

/** The sender's message, or null when its length is wrong or a value is not below the order. */
function parseAnswer(count: number, message: Bytes): Answer | null {
  if (message.length !== rvoleSenderMessageLength(count)) return null
  const valuesEnd = correctionsLength(count) + count * SCALAR_LENGTH
  const values = scalarVectors.readCanonical(message.subarray(0, valuesEnd))
  if (values === null) return null
  const correctionWords = correctionsLength(count) / 4
  return {
    correctionBytes: message.subarray(0, correctionsLength(count)),
    corrections: values.subarray(0, correctionWords),
    combined: values.subarray(correctionWords),
    salt: message.subarray(valuesEnd, valuesEnd + SALT_LENGTH),
    mu: message.subarray(valuesEnd + SALT_LENGTH),
  }
}

/** d_j = H(t_j) + beta_j * tau_j of every row, item by item. Wipes the rows. */
function receiveItems(
  transcript: Transcript,
  rows: scalarVectors.Words,
  choice: Bytes,
  answer: Answer,
): ItemValues[] {
  const hash = blockHash(padKey(transcript))
  const items = itemsOf(transcript.count, (k) => {
    const values = padsOf(hash, rows, k)
    const corrections = itemPart(answer.corrections, k, ITEM_WORDS)
    scalarVectors.addSelected(values, corrections, itemChoice(choice, k), WIDTH)
    return values
  })
  rows.fill(0)
  return items
}

/**
 * Whether d_j2 + theta_0 * d_j0 + theta_1 * d_j1 - beta_j * u is in every row what the sender has
 * of its own, which it is not where the sender used another input than in the other rows.
 */
function checkPasses(
  transcript: Transcript,
  choice: Bytes,
  answer: Answer,
  items: readonly ItemValues[],
): boolean {
  const factors = factorsOf(thetasOf(transcript, answer.correctionBytes))
  const rows = new Uint32Array(transcript.count * ITEM_CHECK_WORDS)
  items.forEach((values, k) => {
    const value = itemPart(answer.combined, k, SCALAR_LENGTH / 4)
    const part = itemPart(rows, k, ITEM_CHECK_WORDS)
    scalarVectors.combineTriples(values, factors, { value, bits: itemChoice(choice, k) }, part)
  })
  const digest = checkDigest(transcript, bytesOf(rows))
  rows.fill(0)
  return constantTimeEqual(digest, answer.mu)
}
