import { secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, bytes, type Codec, fixedBytes, struct } from "@lockkeeper/encoding"
import { partialSignatureCodec, point } from "./codec.ts"
import { nonceBodyCodec } from "./online/order.ts"
import {
  CHECK_ROWS,
  columnWords,
  DIGEST_LENGTH,
  OT_COUNT,
  ROWS_PER_ITEM,
  SALT_LENGTH,
  SCALAR_LENGTH,
  WIDTH,
} from "./ot/sizes.ts"
import {
  exchangePayloadCodec,
  openPayloadCodec,
  publishPayloadCodec,
  saidPayloadCodec,
} from "./presign/payloads.ts"
import { setupConfirmCodec, setupOpenCodec } from "./setup/checks.ts"

// Readings of what travels, down to the single point and scalar, for tools that look at or change one
// at a time. Where a protocol takes many of them as one string of bytes, so as to read them at once,
// these codecs have the same bytes as its own.

/**
 * `count` items of one size, one behind the other: the first, the middle and the last one by
 * themselves, since all are alike, and what lies between them as bytes.
 */
function row(item: Codec<Bytes>, length: number, count: number): Codec<readonly Bytes[]> {
  const middle = count >> 1
  const places: readonly (readonly [string, Codec<Bytes>])[] = [
    ["0", item],
    [`1 to ${middle - 1}`, fixedBytes(length * (middle - 1))],
    [`${middle}`, item],
    [`${middle + 1} to ${count - 2}`, fixedBytes(length * (count - middle - 2))],
    [`${count - 1}`, item],
  ]
  return {
    write(writer, values) {
      for (const [i, [, codec]] of places.entries()) codec.write(writer, values[i]!)
    },
    read: (reader) => places.map(([name, codec]) => reader.within(name, () => codec.read(reader))),
  }
}

/** Always `count` items, without a count in front of them. */
function fixedList<T>(item: Codec<T>, count: number): Codec<readonly T[]> {
  return {
    write(writer, values) {
      for (const value of values) item.write(writer, value)
    },
    read: (reader) =>
      Array.from({ length: count }, (_, i) => reader.within(String(i), () => item.read(reader))),
  }
}

/** The base transfers of one direction each, sealed to nobody: step 2 of setup. */
const transfersCodec = struct({
  receiver: row(point as Codec<Bytes>, 33, 2 * OT_COUNT),
  sender: row(point as Codec<Bytes>, 33, OT_COUNT),
})

/** The receiver's message of a batch of multiplications: step 1 of presigning. */
function receiverMessageCodec(count: number) {
  const length = 4 * columnWords(count)
  return struct({
    columns: row(fixedBytes(length), length, OT_COUNT),
    combined: fixedBytes(CHECK_ROWS / 8),
    rows: fixedBytes(DIGEST_LENGTH),
  })
}

/** The sender's message of a batch of multiplications: sealed at step 2 of presigning. */
function senderMessageCodec(count: number) {
  return struct({
    corrections: row(
      secp256k1.scalar as Codec<Bytes>,
      SCALAR_LENGTH,
      ROWS_PER_ITEM * count * WIDTH,
    ),
    combined: fixedList(secp256k1.scalar, count),
    salt: fixedBytes(SALT_LENGTH),
    check: fixedBytes(DIGEST_LENGTH),
  })
}

const nothing: Codec<Bytes> = fixedBytes(0)

/** What one step's message says: to everyone, and in what it sends to one other. */
export interface DklsStepCodecs {
  readonly name: string
  readonly broadcast: Codec<unknown>
  /** What the part for one recipient holds for all alike, once opened; null where there is no part. */
  readonly payload: Codec<unknown> | null
  /** What it holds for this recipient alone. */
  readonly product: Codec<unknown> | null
}

export const setupStepCodecs: readonly DklsStepCodecs[] = [
  { name: "open", broadcast: setupOpenCodec, payload: null, product: null },
  { name: "exchange", broadcast: nothing, payload: null, product: transfersCodec },
  { name: "confirm", broadcast: setupConfirmCodec, payload: null, product: null },
]

/** @param count - of presignatures in the batch. */
export function presignStepCodecs(count: number): readonly DklsStepCodecs[] {
  const said = { broadcast: saidPayloadCodec }
  return [
    {
      name: "open",
      broadcast: openPayloadCodec,
      payload: null,
      product: receiverMessageCodec(count),
    },
    {
      name: "exchange",
      ...said,
      payload: exchangePayloadCodec,
      product: senderMessageCodec(count),
    },
    { name: "publish", ...said, payload: publishPayloadCodec, product: bytes(0) },
    { name: "confirm", ...said, payload: null, product: null },
  ]
}

/** A nonce for an order, and the share that answers the order. */
export const onlineStepCodecs: readonly DklsStepCodecs[] = [
  { name: "nonce", broadcast: nonceBodyCodec, payload: null, product: null },
  { name: "share", broadcast: partialSignatureCodec, payload: null, product: null },
]
