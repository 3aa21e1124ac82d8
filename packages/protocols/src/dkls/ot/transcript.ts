import { hashValue, hashValueToScalar, type Scalar, secp256k1, sha256 } from "@lockkeeper/crypto"
import { type Bytes, fixedBytes, struct, u8 } from "@lockkeeper/encoding"
import type { Extension } from "./extension.ts"
import { LABELS } from "./labels.ts"

/** What both ends have seen when the sender answers. */
export interface Transcript {
  readonly setupDigest: Bytes
  readonly receiverContext: Bytes
  readonly senderContext: Bytes
  readonly count: number
  /** Digest of the receiver's message as it was sent. */
  readonly receiverDigest: Bytes
}

const fields = {
  setupDigest: fixedBytes(32),
  receiverContext: fixedBytes(32),
  senderContext: fixedBytes(32),
  count: u8,
  receiverDigest: fixedBytes(32),
}
const transcriptCodec = struct<Transcript>(fields)

export function transcriptOf(
  extension: Extension,
  senderContext: Bytes,
  receiverDigest: Bytes,
): Transcript {
  const { setupDigest, context, count } = extension
  return { setupDigest, receiverContext: context, senderContext, count, receiverDigest }
}

/** The public AES key of this multiplication's extension hash. */
export function padKey(transcript: Transcript): Bytes {
  return hashValue(LABELS.pads, transcriptCodec, transcript).slice(0, 16)
}

const thetaCodec = struct<Transcript & { corrections: Bytes; index: number }>({
  ...fields,
  corrections: fixedBytes(32),
  index: u8,
})

/** theta, which the sender cannot know before it has fixed its corrections. */
export function thetasOf(transcript: Transcript, corrections: Bytes): [Scalar, Scalar] {
  const digest = sha256(corrections)
  const theta = (index: number) =>
    hashValueToScalar(secp256k1, LABELS.theta, thetaCodec, {
      ...transcript,
      corrections: digest,
      index,
    })
  return [theta(0), theta(1)]
}

const checkCodec = struct<Transcript & { rows: Bytes }>({ ...fields, rows: fixedBytes(32) })

/** mu, the digest of the check rows of all items. */
export function checkDigest(transcript: Transcript, rows: Bytes): Bytes {
  return hashValue(LABELS.multiplication, checkCodec, { ...transcript, rows: sha256(rows) })
}

const maskCodec = struct<Transcript & { randomness: Bytes; index: number }>({
  ...fields,
  randomness: fixedBytes(32),
  index: u8,
})

/** The sender's random third input of item `index`, which masks the two real ones in the check. */
export function maskOf(transcript: Transcript, randomness: Bytes, index: number): Scalar {
  return hashValueToScalar(secp256k1, LABELS.mask, maskCodec, { ...transcript, randomness, index })
}
