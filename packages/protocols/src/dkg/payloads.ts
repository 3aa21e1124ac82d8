import {
  type Element,
  type Group,
  type Identifier,
  identifierCodec,
  type PossessionProof,
  possessionProofCodec,
  XWING_PUBLIC_KEY_LENGTH,
  XWING_RANDOMNESS_LENGTH,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  decode,
  fixedBytes,
  list,
  numberMap,
  struct,
  union,
} from "@lockkeeper/encoding"
import { LIMITS } from "../messages/limits.ts"
import { signatureCodec } from "../messages/signature.ts"

/** Step 1, to all. The session of its header is a fresh nonce of the sender. */
export interface OpenPayload {
  /** One-session X-Wing key: what this participant's shares are sealed to. */
  readonly sealingKey: Bytes
  /** Hash of the commitment vector that step 2 reveals. */
  readonly commitment: Bytes
}

export const openPayloadCodec: Codec<OpenPayload> = struct<OpenPayload>({
  sealingKey: fixedBytes(XWING_PUBLIC_KEY_LENGTH),
  commitment: fixedBytes(32),
})

/** Step 2, to all; each other participant's share travels sealed beside it. */
export interface RevealPayload {
  /** Feldman commitments C_0 .. C_(t-1), constant term first. */
  readonly vector: readonly Element[]
  readonly blinding: Bytes
  /** Of the discrete logarithm of C_0. */
  readonly possession: PossessionProof
}

/** Longer vectors than any threshold decode, so that their sender is named for the right thing. */
const MAX_VECTOR = 2 * LIMITS.participants

const revealCodecs = new Map<string, Codec<RevealPayload>>()

export function revealPayloadCodec(group: Group): Codec<RevealPayload> {
  const known = revealCodecs.get(group.name)
  if (known) return known
  const codec = struct<RevealPayload>({
    vector: list(group.element, MAX_VECTOR),
    blinding: fixedBytes(32),
    possession: possessionProofCodec(group),
  })
  revealCodecs.set(group.name, codec)
  return codec
}

/** Step 3, to all: everything this participant got is right, or these dealings to it are not. */
export type VerdictPayload =
  | { readonly kind: "confirm"; readonly confirmation: Bytes }
  | { readonly kind: "complain"; readonly dealers: readonly Identifier[] }

export const verdictPayloadCodec: Codec<VerdictPayload> = union<VerdictPayload>({
  confirm: struct({ confirmation: signatureCodec }),
  complain: struct({ dealers: list(identifierCodec, LIMITS.participants) }),
})

/** Step 4, to all, only after a complaint: how the disputed parts were sealed, by accuser. */
export interface AnswerPayload {
  readonly randomness: ReadonlyMap<Identifier, Bytes>
}

export const answerPayloadCodec: Codec<AnswerPayload> = struct<AnswerPayload>({
  randomness: numberMap(identifierCodec, fixedBytes(XWING_RANDOMNESS_LENGTH), LIMITS.participants),
})

/** A payload, or null when the bytes are not one. */
export function decodeOrNull<T>(codec: Codec<T>, broadcast: Bytes): T | null {
  try {
    return decode(codec, broadcast)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
