import {
  type Element,
  type Group,
  type GroupName,
  groupByName,
  hashValue,
  type Identifier,
  isXwingPublicKey,
  lagrangeCoefficient,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  struct,
  u16,
} from "@lockkeeper/encoding"
import { hasParts, type Judged, judgeForm, right, wrong } from "../judged.ts"
import type { Received } from "../messages/message.ts"
import { SCALAR_LENGTH, scalarAt } from "../sharing/packed.ts"
import { publicShares } from "../sharing/public-shares.ts"
import { elementOrNull, type Sharing } from "../sharing/sharing.ts"
import { LABELS } from "./labels.ts"
import {
  isDealer,
  isHolder,
  openingDigest,
  type ReshareParams,
  type ReshareRunId,
  receiversOf,
} from "./params.ts"
import {
  type AnswerPayload,
  answerPayloadCodec,
  type Complaint,
  dealPayloadCodec,
  type OpenPayload,
  openPayloadCodec,
  type Vectors,
  type VerdictPayload,
  vectorsCodec,
  verdictPayloadCodec,
  WHOLE_PART,
} from "./payloads.ts"

// Everything here judges what a sender signed, from public values alone: participants, coordinator
// and offline verifiers run the same checks and so come to the same reason.

export function checkOpen(params: ReshareParams, message: Received): Judged<OpenPayload> {
  const { header, broadcast } = message
  if (!hasParts(header, [])) return wrong("wrong-recipients", "parts")
  const judged = judgeForm(openPayloadCodec, broadcast)
  if (!judged.ok) return judged
  const { sealingKey, commitment } = judged.payload
  if ((commitment !== null) !== isDealer(params, header.sender)) {
    return wrong("malformed-payload", "commitment")
  }
  if ((sealingKey !== null) !== isHolder(params, header.sender)) {
    return wrong("malformed-payload", "sealingKey")
  }
  // Honest dealers could not seal to such a key: that is its owner's fault, not theirs.
  if (sealingKey && !isXwingPublicKey(sealingKey)) return wrong("malformed-payload", "sealingKey")
  return judged
}

interface CommitmentInput {
  readonly openingId: Bytes
  readonly sender: Identifier
  readonly vectors: Vectors
  readonly blinding: Bytes
}

/** The hash that step 1 publishes: bound to the run and its sender, so a copied one opens nowhere. */
export function vectorsCommitment(
  params: ReshareParams,
  sender: Identifier,
  vectors: Vectors,
  blinding: Bytes,
): Bytes {
  const codec = struct<CommitmentInput>({
    openingId: fixedBytes(32),
    sender: u16,
    vectors: vectorsCodec(params),
    blinding: fixedBytes(32),
  })
  const openingId = openingDigest(params)
  return hashValue(LABELS.commitment, codec, { openingId, sender, vectors, blinding })
}

/** For each key of the batch its commitments C_1 .. C_(t'-1), validated. */
export type Dealt = readonly (readonly Element[])[]

/**
 * The form of a dealing and that it is the one committed to: all that costs no curve arithmetic.
 *
 * @param open - what the same sender published in step 1.
 */
export function checkDealForm(
  run: ReshareRunId,
  open: OpenPayload,
  message: Received,
): Judged<Vectors> {
  const { sender } = message.header
  const recipients = receiversOf(run).filter((holder) => holder !== sender)
  if (!hasParts(message.header, recipients)) return wrong("wrong-recipients", "parts")
  const judged = judgeForm(dealPayloadCodec(run.params), message.broadcast)
  if (!judged.ok) return judged
  const { vectors, blinding } = judged.payload
  const commitment = vectorsCommitment(run.params, sender, vectors, blinding)
  // Dealings are fixed before any is seen, so that nobody can steer what they add up to.
  if (!open.commitment || !equalBytes(commitment, open.commitment)) {
    return wrong("wrong-opening", "vectors")
  }
  return right(vectors)
}

/** The commitments in a dealing's broadcast, whatever else is wrong with the dealing. */
export function elementsOf(params: ReshareParams, broadcast: Bytes): Judged<Dealt> {
  const judged = judgeForm(dealPayloadCodec(params), broadcast)
  return judged.ok ? validate(params, judged.payload.vectors) : judged
}

function validate(params: ReshareParams, vectors: Vectors): Judged<Dealt> {
  const dealt: Element[][] = []
  for (const [index, raw] of vectors.entries()) {
    const group = groupByName(params.groups[index]!)
    const vector: Element[] = []
    for (const bytes of raw) {
      const element = elementOrNull(group, bytes)
      if (!element) return wrong("malformed-payload", `vectors.${index}`)
      vector.push(element)
    }
    dealt.push(vector)
  }
  return right(dealt)
}

/** The whole dealing: also that its commitments are elements of their groups. */
export function checkDeal(run: ReshareRunId, open: OpenPayload, message: Received): Judged<Dealt> {
  const form = checkDealForm(run, open, message)
  return form.ok ? validate(run.params, form.payload) : form
}

/** The vectors of a dealing that was checked before, or is the own one. */
export function vectorsIn(params: ReshareParams, broadcast: Bytes): Dealt {
  return decode(dealPayloadCodec(params), broadcast).vectors as Dealt
}

/**
 * Whether `share` is what `dealer` owes `recipient` of one key: a share of lambda_i * s_i by the
 * polynomial committed to. The constant term is no word of the dealer's but lambda_i * Y_i of the
 * sharing as it was, so a dealing of any other secret is a wrong dealing.
 */
export function isDealtShare(
  { sharing, dealers }: { readonly sharing: Sharing; readonly dealers: readonly Identifier[] },
  dealt: { readonly dealer: Identifier; readonly vector: readonly Element[] },
  recipient: Identifier,
  share: Bytes,
): boolean {
  const group = groupByName(sharing.group)
  const constant = constantTerm(group, sharing, dealers, dealt.dealer)
  if (!constant) return false
  const expected = publicShares(group, [constant, ...dealt.vector], [recipient]).get(recipient)!
  const scalar = judgeForm(group.scalar, share)
  return scalar.ok && group.equal(group.multiplyBase(scalar.payload), expected)
}

/** C_(i,0) = lambda_i * Y_i; null when the sharing holds no element there. */
function constantTerm(
  group: Group,
  sharing: Sharing,
  dealers: readonly Identifier[],
  dealer: Identifier,
): Element | null {
  const image = elementOrNull(group, sharing.verifyingShares.get(dealer)!)
  return image && group.multiplyPublic(image, lagrangeCoefficient(group, dealer, dealers))
}

/** Whether the bytes are a reduced scalar for each key: what an honest dealer seals. */
export function areShares(groups: readonly GroupName[], payload: Bytes): boolean {
  if (payload.length !== groups.length * SCALAR_LENGTH) return false
  return groups.every((name, index) => {
    const scalar = scalarAt(groupByName(name), payload, index)
    scalar?.fill(0)
    return scalar !== null
  })
}

/** Form only; whether a confirmation is of the right outcome is judged with the outcome. */
export function checkVerdict(run: ReshareRunId, message: Received): Judged<VerdictPayload> {
  if (!hasParts(message.header, [])) return wrong("wrong-recipients", "parts")
  const judged = judgeForm(verdictPayloadCodec, message.broadcast)
  if (!judged.ok || judged.payload.kind === "confirm") return judged
  const others = run.params.dealers.filter((dealer) => dealer !== message.header.sender)
  return areComplaints(judged.payload.complaints, others, run.params.groups.length)
    ? judged
    : wrong("wrong-complaint", "complaints")
}

/** Whether these are complaints of some of `dealers`, one each and in order, about keys that exist. */
export function areComplaints(
  complaints: readonly Complaint[],
  dealers: readonly Identifier[],
  keys: number,
): boolean {
  const valid = complaints.every(
    ({ dealer, index }, i) =>
      dealers.includes(dealer) &&
      (i === 0 || dealer > complaints[i - 1]!.dealer) &&
      (index === WHOLE_PART || index < keys),
  )
  return valid && complaints.length > 0
}

export function checkAnswer(message: Received): Judged<AnswerPayload> {
  if (!hasParts(message.header, [])) return wrong("wrong-recipients", "parts")
  return judgeForm(answerPayloadCodec, message.broadcast)
}

/** The bytes of a dealing's broadcast. */
export function encodeDeal(params: ReshareParams, vectors: Vectors, blinding: Bytes): Bytes {
  return encode(dealPayloadCodec(params), { blinding, vectors })
}
