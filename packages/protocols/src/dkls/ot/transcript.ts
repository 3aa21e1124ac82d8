import { hashValue, hashValueToScalar, type Scalar, secp256k1, sha256 } from "@lockkeeper/crypto"
import { type Bytes, fixedBytes, list, struct, u8 } from "@lockkeeper/encoding"
import type { Extension } from "./extension.ts"
import { LABELS } from "./labels.ts"
import { MAX_COUNT, SALT_LENGTH } from "./sizes.ts"

/** One pair of inputs of the sender, multiplied by one chi. */
export interface RvoleInput {
  readonly r: Scalar
  readonly sk: Scalar
}

/** What both ends know before the sender answers. */
interface Occasion {
  readonly setupDigest: Bytes
  readonly receiverContext: Bytes
  readonly senderContext: Bytes
  readonly count: number
  /** Digest of the receiver's message as it was sent. */
  readonly receiverDigest: Bytes
}

/** What all hashes of one answer are bound to. */
export interface Transcript extends Occasion {
  /** The sender's, sent with its answer: two answers on one occasion share no pad. */
  readonly salt: Bytes
}

const occasionFields = {
  setupDigest: fixedBytes(32),
  receiverContext: fixedBytes(32),
  senderContext: fixedBytes(32),
  count: u8,
  receiverDigest: fixedBytes(32),
}
const fields = { ...occasionFields, salt: fixedBytes(SALT_LENGTH) }
const transcriptCodec = struct<Transcript>(fields)

export function occasionOf(
  extension: Extension,
  senderContext: Bytes,
  receiverDigest: Bytes,
): Occasion {
  const { setupDigest, context, count } = extension
  return { setupDigest, receiverContext: context, senderContext, count, receiverDigest }
}

interface SaltInput extends Occasion {
  readonly inputs: readonly RvoleInput[]
  readonly randomness: Bytes
}

const saltCodec = struct<SaltInput>({
  ...occasionFields,
  inputs: list(struct<RvoleInput>({ r: secp256k1.scalar, sk: secp256k1.scalar }), MAX_COUNT),
  randomness: fixedBytes(32),
})

/**
 * A salt that differs when the inputs or the randomness do. Without it a step that ran twice, after a
 * crash or from a copied state, would show the receiver how its two masks differ, and the two u then
 * an equation in r and sk.
 */
export function saltFor(
  occasion: Occasion,
  inputs: readonly RvoleInput[],
  randomness: Bytes,
): Bytes {
  // As a scalar, since that wipes the encoded inputs.
  return hashValueToScalar(secp256k1, LABELS.salt, saltCodec, { ...occasion, inputs, randomness })
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
