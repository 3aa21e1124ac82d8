import {
  groupByName,
  type Identifier,
  identifierCodec,
  XWING_PUBLIC_KEY_LENGTH,
  XWING_RANDOMNESS_LENGTH,
} from "@lockkeeper/crypto"
import { type Bytes, type Codec, fixedBytes, numberMap, struct, union } from "@lockkeeper/encoding"
import { LIMITS } from "../messages/limits.ts"
import { type Complaint, complaintsCodec, type Vectors } from "../reshare/payloads.ts"
import { inOrder } from "../sharing/packed.ts"
import type { RepairParams } from "./params.ts"

/** Step 1, to all. The session of its header is a fresh nonce of the sender. */
export interface OpenPayload {
  /** One-session X-Wing key that summands and sums are sealed to. */
  readonly sealingKey: Bytes
}

export const openPayloadCodec: Codec<OpenPayload> = struct<OpenPayload>({
  sealingKey: fixedBytes(XWING_PUBLIC_KEY_LENGTH),
})

/**
 * Step 2, to all, of a helper: for each key the images of its summands for all helpers but the last,
 * as raw elements. The last one's follows, since all of them add up to what everyone knows.
 */
export function splitPayloadCodec({
  groups,
  helpers,
}: Pick<RepairParams, "groups" | "helpers">): Codec<Vectors> {
  return inOrder(
    groups.map((name) => {
      const element = fixedBytes(groupByName(name).elementLength)
      return inOrder(helpers.slice(1).map(() => element))
    }),
  )
}

/** Step 3, to all, of a helper; beside a sum travels the sealed part for the member. */
export type SumPayload =
  | { readonly kind: "sum" }
  | { readonly kind: "complain"; readonly complaints: readonly Complaint[] }

export const sumPayloadCodec: Codec<SumPayload> = union<SumPayload>({
  sum: struct({}),
  complain: struct({ complaints: complaintsCodec }),
})

/** Step 4, to all, of the member: it has its shares again, or these helpers' sums are wrong. */
export type VerdictPayload =
  | { readonly kind: "confirm" }
  | { readonly kind: "complain"; readonly complaints: readonly Complaint[] }

export const verdictPayloadCodec: Codec<VerdictPayload> = union<VerdictPayload>({
  confirm: struct({}),
  complain: struct({ complaints: complaintsCodec }),
})

/** Step 5, to all, only after a complaint: how the disputed parts were sealed, by accuser. */
export interface AnswerPayload {
  readonly randomness: ReadonlyMap<Identifier, Bytes>
}

export const answerPayloadCodec: Codec<AnswerPayload> = struct<AnswerPayload>({
  randomness: numberMap(identifierCodec, fixedBytes(XWING_RANDOMNESS_LENGTH), LIMITS.participants),
})
