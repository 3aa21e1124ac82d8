import {
  groupByName,
  type Identifier,
  identifierCodec,
  XWING_PUBLIC_KEY_LENGTH,
  XWING_RANDOMNESS_LENGTH,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  numberMap,
  struct,
  u16,
  union,
} from "@lockkeeper/encoding"
import { LIMITS } from "../messages/limits.ts"
import { signatureCodec } from "../messages/signature.ts"
import { inOrder, SCALAR_LENGTH } from "../sharing/packed.ts"
import type { ReshareParams } from "./params.ts"

/** Step 1, to all. The session of its header is a fresh nonce of the sender. */
export interface OpenPayload {
  /** One-session X-Wing key that shares are sealed to; of holders, and of nobody else. */
  readonly sealingKey: Bytes | null
  /** Hash of the commitments that step 2 reveals; of dealers, and of nobody else. */
  readonly commitment: Bytes | null
}

export const openPayloadCodec: Codec<OpenPayload> = struct<OpenPayload>({
  sealingKey: nullable(fixedBytes(XWING_PUBLIC_KEY_LENGTH)),
  commitment: nullable(fixedBytes(32)),
})

/** For each key of the batch C_1 .. C_(t'-1), as raw elements. C_0 is not sent: everyone knows it. */
export type Vectors = readonly (readonly Bytes[])[]

/** Step 2, to all, of a dealer; its shares travel sealed beside it. */
export interface DealPayload {
  readonly blinding: Bytes
  readonly vectors: Vectors
}

/** What of the parameters a dealing's form depends on. */
export type DealForm = Pick<ReshareParams, "groups" | "minSigners">

/** Of exactly as many commitments as the threshold says: a vector of another length does not decode. */
export function vectorsCodec({ groups, minSigners }: DealForm): Codec<Vectors> {
  return inOrder(
    groups.map((name) => {
      const element = fixedBytes(groupByName(name).elementLength)
      return inOrder(Array.from({ length: minSigners - 1 }, () => element))
    }),
  )
}

export function dealPayloadCodec(params: DealForm): Codec<DealPayload> {
  return struct<DealPayload>({ blinding: fixedBytes(32), vectors: vectorsCodec(params) })
}

/** What a dealer seals to one holder: its share of each key of the batch. */
export function sealedSharesCodec({
  groups,
}: Pick<ReshareParams, "groups">): Codec<readonly Bytes[]> {
  return inOrder(groups.map(() => fixedBytes(SCALAR_LENGTH)))
}

/** Instead of the index of a key: the sealed part as a whole does not open or is no list of shares. */
export const WHOLE_PART = 0xffff

/** A dealing that is wrong, by the first key it is wrong for. */
export interface Complaint {
  readonly dealer: Identifier
  readonly index: number
}

export const complaintsCodec: Codec<readonly Complaint[]> = list(
  struct<Complaint>({ dealer: identifierCodec, index: u16 }),
  LIMITS.participants,
)

/** Step 3, to all, of a holder. */
export type VerdictPayload =
  | {
      readonly kind: "confirm"
      /** Root over the new sharings, and the holder's signature on them. */
      readonly root: Bytes
      readonly confirmation: Bytes
    }
  | { readonly kind: "complain"; readonly complaints: readonly Complaint[] }

export const verdictPayloadCodec: Codec<VerdictPayload> = union<VerdictPayload>({
  confirm: struct({ root: fixedBytes(32), confirmation: signatureCodec }),
  complain: struct({ complaints: complaintsCodec }),
})

/** Step 4, to all, only after a complaint: how the disputed parts were sealed, by accuser. */
export interface AnswerPayload {
  readonly randomness: ReadonlyMap<Identifier, Bytes>
}

export const answerPayloadCodec: Codec<AnswerPayload> = struct<AnswerPayload>({
  randomness: numberMap(identifierCodec, fixedBytes(XWING_RANDOMNESS_LENGTH), LIMITS.participants),
})
