import {
  type Element,
  hashValue,
  hashValueToScalar,
  type Scalar,
  Secret,
  secp256k1,
} from "@lockkeeper/crypto"
import { type Bytes, type Codec, DecodeError, fixedBytes, struct, u8 } from "@lockkeeper/encoding"
import { secretCodec } from "../../keys.ts"
import { hashToPoint } from "./hash-to-point.ts"
import { LABELS } from "./labels.ts"
import { assertContext, OT_COUNT, SEED_LENGTH, SEEDS_LENGTH } from "./sizes.ts"

/**
 * Endemic oblivious transfer (Masny and Rindal, eprint 2019/706, the Diffie-Hellman instance), 128
 * times at once over secp256k1. For choice bit b the receiver sends r_0 and r_1 with r_b = a*G -
 * H_b(r_(1-b)) and r_(1-b) random, so that it knows the logarithm of only one of M_k = r_k +
 * H_k(r_(1-k)); the sender answers B = y*G; the seeds are hashes of y*M_0 and y*M_1.
 */

const POINT_LENGTH = 33
const PAIR_LENGTH = 2 * POINT_LENGTH

export const BASE_OT_RECEIVER_RANDOMNESS = 32
export const BASE_OT_SENDER_RANDOMNESS = 32
export const BASE_OT_RECEIVER_MESSAGE_LENGTH = OT_COUNT * PAIR_LENGTH
export const BASE_OT_SENDER_MESSAGE_LENGTH = OT_COUNT * POINT_LENGTH

/** Taken once: `receiverSeeds` wipes it. */
export interface BaseOtReceiver {
  readonly choice: Secret
  /** The 128 scalars a. */
  readonly exponents: Secret
  readonly message: Bytes
}

/** Taken once: `senderSeeds` wipes it. */
export interface BaseOtSender {
  /** The 128 scalars y. */
  readonly exponents: Secret
  readonly message: Bytes
}

export const baseOtReceiverCodec: Codec<BaseOtReceiver> = struct<BaseOtReceiver>({
  choice: secretCodec(SEED_LENGTH),
  exponents: secretCodec(OT_COUNT * 32),
  message: fixedBytes(BASE_OT_RECEIVER_MESSAGE_LENGTH),
})

export const baseOtSenderCodec: Codec<BaseOtSender> = struct<BaseOtSender>({
  exponents: secretCodec(OT_COUNT * 32),
  message: fixedBytes(BASE_OT_SENDER_MESSAGE_LENGTH),
})

type Purpose = 0 | 1 | 2

const scalarCodec = struct<{
  context: Bytes
  randomness: Bytes
  index: number
  purpose: Purpose
}>({
  context: fixedBytes(32),
  randomness: fixedBytes(32),
  index: u8,
  purpose: u8 as Codec<Purpose>,
})

const EXPONENT_OF_CHOICE = 0
const EXPONENT_OF_OTHER = 1
const EXPONENT_OF_SENDER = 2

function exponent(context: Bytes, randomness: Bytes, index: number, purpose: Purpose): Scalar {
  const input = { context, randomness, index, purpose }
  return hashValueToScalar(secp256k1, LABELS.baseScalar, scalarCodec, input)
}

const point = fixedBytes(POINT_LENGTH) as Codec<Element>
const branchCodec = struct<{ context: Bytes; index: number; branch: number; other: Element }>({
  context: fixedBytes(32),
  index: u8,
  branch: u8,
  other: point,
})

/** H_k(r_(1-k)) of transfer `index`. */
export function branchPoint(
  context: Bytes,
  index: number,
  branch: number,
  other: Element,
): Element {
  const input = { context, index, branch, other }
  return hashToPoint(hashValue(LABELS.basePoint, branchCodec, input))
}

interface SeedInput {
  readonly context: Bytes
  readonly index: number
  readonly branch: number
  readonly first: Element
  readonly second: Element
  readonly answer: Element
  readonly shared: Element
}

const seedCodec = struct<SeedInput>({
  context: fixedBytes(32),
  index: u8,
  branch: u8,
  first: point,
  second: point,
  answer: point,
  shared: point,
})

function seedOf(input: SeedInput): Bytes {
  return hashValue(LABELS.baseSeed, seedCodec, input).subarray(0, SEED_LENGTH)
}

function elementAt(message: Bytes, start: number): Element {
  try {
    return secp256k1.decodeElement(message.subarray(start, start + POINT_LENGTH))
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new DecodeError("not a point", start)
  }
}

function checkLength(message: Bytes, length: number): void {
  if (message.length !== length) throw new DecodeError(`message is not ${length} bytes`, 0)
}

function checkInputs(context: Bytes, randomness: Bytes): void {
  assertContext(context)
  if (randomness.length !== 32) throw new RangeError("randomness is not 32 bytes")
}

/** `first` where the bit is zero, `second` where it is one, by arithmetic. */
function select(bit: number, first: Uint8Array, second: Uint8Array): Bytes {
  const mask = -bit
  return Uint8Array.from(first, (byte, k) => byte ^ ((byte ^ (second[k] as number)) & mask))
}

function bitAt(choice: Bytes, index: number): number {
  return ((choice[index >> 3] as number) >> (index & 7)) & 1
}

/**
 * The receiver's message for 128 choice bits.
 *
 * @param context - 32 bytes that name setup session, receiver and sender.
 * @param choice - 16 uniform bytes; transfer k uses bit k mod 8 of byte k / 8.
 * @param randomness - 32 fresh uniform bytes.
 */
export function baseOtReceive(
  context: Bytes,
  choice: Secret,
  randomness: Bytes,
): { state: BaseOtReceiver; message: Bytes } {
  checkInputs(context, randomness)
  if (choice.length !== SEED_LENGTH) throw new RangeError("choice is not 16 bytes")
  const bits = choice.expose()
  const message = new Uint8Array(BASE_OT_RECEIVER_MESSAGE_LENGTH)
  const exponents = new Uint8Array(OT_COUNT * 32)
  for (let index = 0; index < OT_COUNT; index++) {
    const bit = bitAt(bits, index)
    const a = exponent(context, randomness, index, EXPONENT_OF_CHOICE)
    const blind = exponent(context, randomness, index, EXPONENT_OF_OTHER)
    // Anyone sees r_0 and r_1, so the time of H_b(r_(1-b)) alone would tell b: both are computed.
    const other = secp256k1.multiplyBase(blind)
    const chosen = secp256k1.subtract(
      secp256k1.multiplyBase(a),
      branchPoint(context, index, bit, other),
    )
    branchPoint(context, index, 1 - bit, chosen)
    message.set(select(bit, chosen, other), index * PAIR_LENGTH)
    message.set(select(bit, other, chosen), index * PAIR_LENGTH + POINT_LENGTH)
    exponents.set(a, index * 32)
    a.fill(0)
    blind.fill(0)
  }
  const state = { choice: Secret.copyOf(bits), exponents: new Secret(exponents), message }
  return { state, message }
}

/** The sender's message. Takes the same arguments; depends on nothing the receiver sent. */
export function baseOtSend(
  context: Bytes,
  randomness: Bytes,
): { state: BaseOtSender; message: Bytes } {
  checkInputs(context, randomness)
  const message = new Uint8Array(BASE_OT_SENDER_MESSAGE_LENGTH)
  const exponents = new Uint8Array(OT_COUNT * 32)
  for (let index = 0; index < OT_COUNT; index++) {
    const y = exponent(context, randomness, index, EXPONENT_OF_SENDER)
    exponents.set(y, index * 32)
    message.set(secp256k1.multiplyBase(y), index * POINT_LENGTH)
    y.fill(0)
  }
  return { state: { exponents: new Secret(exponents), message }, message }
}

function takeExponent(exponents: Secret, index: number): Scalar {
  return secp256k1.decodeNonZeroScalar(exponents.expose().subarray(index * 32, (index + 1) * 32))
}

/**
 * Both seeds of every transfer, at the sender.
 *
 * @throws DecodeError when the message is not 256 points, or hides an identity behind them.
 */
export function senderSeeds(
  context: Bytes,
  state: BaseOtSender,
  receiverMessage: Bytes,
): { zero: Secret; one: Secret } {
  assertContext(context)
  checkLength(receiverMessage, BASE_OT_RECEIVER_MESSAGE_LENGTH)
  const seeds = [new Uint8Array(SEEDS_LENGTH), new Uint8Array(SEEDS_LENGTH)] as const
  for (let index = 0; index < OT_COUNT; index++) {
    const start = index * PAIR_LENGTH
    const first = elementAt(receiverMessage, start)
    const second = elementAt(receiverMessage, start + POINT_LENGTH)
    const answer = elementAt(state.message, index * POINT_LENGTH)
    const y = takeExponent(state.exponents, index)
    for (const branch of [0, 1] as const) {
      const [own, other] = branch === 0 ? [first, second] : [second, first]
      const key = secp256k1.add(own, branchPoint(context, index, branch, other))
      if (secp256k1.isIdentity(key)) throw new DecodeError("key is the identity", start)
      const shared = secp256k1.multiply(key, y)
      const seed = seedOf({ context, index, branch, first, second, answer, shared })
      seeds[branch].set(seed, index * SEED_LENGTH)
      seed.fill(0)
      shared.fill(0)
    }
    y.fill(0)
  }
  state.exponents.wipe()
  return { zero: new Secret(seeds[0]), one: new Secret(seeds[1]) }
}

/**
 * The chosen seed of every transfer, at the receiver.
 *
 * @throws DecodeError when the message is not 128 points.
 */
export function receiverSeeds(context: Bytes, state: BaseOtReceiver, senderMessage: Bytes): Secret {
  assertContext(context)
  checkLength(senderMessage, BASE_OT_SENDER_MESSAGE_LENGTH)
  const seeds = new Uint8Array(SEEDS_LENGTH)
  const bits = state.choice.expose()
  for (let index = 0; index < OT_COUNT; index++) {
    const answer = elementAt(senderMessage, index * POINT_LENGTH)
    const a = takeExponent(state.exponents, index)
    const shared = secp256k1.multiply(answer, a)
    const start = index * PAIR_LENGTH
    const first = elementAt(state.message, start)
    const second = elementAt(state.message, start + POINT_LENGTH)
    const branch = bitAt(bits, index)
    const seed = seedOf({ context, index, branch, first, second, answer, shared })
    seeds.set(seed, index * SEED_LENGTH)
    for (const spent of [a, shared, seed]) spent.fill(0)
  }
  state.exponents.wipe()
  state.choice.wipe()
  return new Secret(seeds)
}
