import {
  type Element,
  type Group,
  groupByName,
  type Identifier,
  isXwingPublicKey,
  type Scalar,
} from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { hasParts, type Judged, judgeForm, right, wrong } from "../judged.ts"
import type { Received } from "../messages/message.ts"
import { areComplaints, type Dealt } from "../reshare/checks.ts"
import { elementOrNull, type Sharing } from "../sharing/sharing.ts"
import type { RepairParams } from "./params.ts"
import {
  type AnswerPayload,
  answerPayloadCodec,
  type OpenPayload,
  openPayloadCodec,
  type SumPayload,
  splitPayloadCodec,
  sumPayloadCodec,
  type VerdictPayload,
  verdictPayloadCodec,
} from "./payloads.ts"

// Everything here judges what a sender signed, from public values alone: participants, coordinator
// and offline verifiers run the same checks and so come to the same reason.

export function checkOpen(message: Received): Judged<OpenPayload> {
  const { header, broadcast } = message
  if (!hasParts(header, [])) return wrong("wrong-recipients", "parts")
  const judged = judgeForm(openPayloadCodec, broadcast)
  if (!judged.ok) return judged
  const usable = isXwingPublicKey(judged.payload.sealingKey)
  return usable ? judged : wrong("malformed-payload", "sealingKey")
}

/** For each key the images of a helper's summands for all helpers but the last. */
export function checkSplit(params: RepairParams, message: Received): Judged<Dealt> {
  const { sender } = message.header
  const others = params.helpers.filter((helper) => helper !== sender)
  if (!hasParts(message.header, others)) return wrong("wrong-recipients", "parts")
  const judged = judgeForm(splitPayloadCodec(params), message.broadcast)
  if (!judged.ok) return judged
  const split: Element[][] = []
  for (const [index, raw] of judged.payload.entries()) {
    const group = groupByName(params.groups[index]!)
    const images: Element[] = []
    for (const bytes of raw) {
      const element = elementOrNull(group, bytes)
      if (!element) return wrong("malformed-payload", String(index))
      images.push(element)
    }
    split.push(images)
  }
  return right(split)
}

/** lambda_i(m) = prod over j != i of (m - j) / (i - j): takes the helpers' shares to the member's. */
export function weightOf(group: Group, params: RepairParams, helper: Identifier): Scalar {
  let numerator = group.one
  let denominator = group.one
  for (const other of params.helpers) {
    if (other === helper) continue
    numerator = group.multiplyScalars(numerator, group.scalarFromInteger(params.member - other))
    denominator = group.multiplyScalars(denominator, group.scalarFromInteger(helper - other))
  }
  return group.multiplyScalars(numerator, group.invertScalar(denominator))
}

/**
 * The image of the summand that `helper` owes `recipient` of one key. For the last helper it is what
 * the others leave of lambda_i * Y_i: so a helper cannot publish summands of anything but its share.
 */
export function summandImage(
  params: RepairParams,
  sharing: Sharing,
  split: { readonly helper: Identifier; readonly images: readonly Element[] },
  recipient: Identifier,
): Element | null {
  const group = groupByName(sharing.group)
  const place = params.helpers.indexOf(recipient)
  if (place < params.helpers.length - 1) return split.images[place]!
  const share = elementOrNull(group, sharing.verifyingShares.get(split.helper)!)
  if (!share) return null
  const whole = group.multiplyPublic(share, weightOf(group, params, split.helper))
  return split.images.reduce((rest, image) => group.subtract(rest, image), whole)
}

/** The image of the sum that `helper` owes the member of one key. @param splits - of all helpers. */
export function sumImage(
  params: RepairParams,
  sharing: Sharing,
  splits: ReadonlyMap<Identifier, readonly Element[]>,
  helper: Identifier,
): Element | null {
  const group = groupByName(sharing.group)
  let sum = group.identity
  for (const [other, images] of splits) {
    const image = summandImage(params, sharing, { helper: other, images }, helper)
    if (!image) return null
    sum = group.add(sum, image)
  }
  return sum
}

/** Whether the bytes are the logarithm of `image`. */
export function isLogarithm(group: Group, image: Element | null, bytes: Bytes): boolean {
  const scalar = judgeForm(group.scalar, bytes)
  return image !== null && scalar.ok && group.equal(group.multiplyBase(scalar.payload), image)
}

export function checkSum(params: RepairParams, message: Received): Judged<SumPayload> {
  const judged = judgeForm(sumPayloadCodec, message.broadcast)
  const complains = judged.ok && judged.payload.kind === "complain"
  if (!hasParts(message.header, complains ? [] : [params.member])) {
    return wrong("wrong-recipients", "parts")
  }
  if (!judged.ok || judged.payload.kind === "sum") return judged
  const others = params.helpers.filter((helper) => helper !== message.header.sender)
  return areComplaints(judged.payload.complaints, others, params.groups.length)
    ? judged
    : wrong("wrong-complaint", "complaints")
}

export function checkVerdict(params: RepairParams, message: Received): Judged<VerdictPayload> {
  if (!hasParts(message.header, [])) return wrong("wrong-recipients", "parts")
  const judged = judgeForm(verdictPayloadCodec, message.broadcast)
  if (!judged.ok || judged.payload.kind === "confirm") return judged
  return areComplaints(judged.payload.complaints, params.helpers, params.groups.length)
    ? judged
    : wrong("wrong-complaint", "complaints")
}

export function checkAnswer(message: Received): Judged<AnswerPayload> {
  if (!hasParts(message.header, [])) return wrong("wrong-recipients", "parts")
  return judgeForm(answerPayloadCodec, message.broadcast)
}
