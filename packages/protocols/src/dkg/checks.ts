import {
  type Element,
  feldmanVerify,
  type Group,
  hashValue,
  type Identifier,
  isXwingPublicKey,
  type PossessionStatement,
  verifyPossession,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  DecodeError,
  encode,
  equalBytes,
  fixedBytes,
  list,
  struct,
  u16,
} from "@lockkeeper/encoding"
import { hasParts, type Judged, judgeForm, wrong } from "../judged.ts"
import type { Received } from "../messages/message.ts"
import { LABELS } from "./labels.ts"
import { type DkgParams, groupFor, openingDigest, sharesWith, termsOf } from "./params.ts"
import {
  type AnswerPayload,
  answerPayloadCodec,
  type OpenPayload,
  openPayloadCodec,
  type RevealPayload,
  revealPayloadCodec,
  type VerdictPayload,
  verdictPayloadCodec,
} from "./payloads.ts"

// Everything here judges what a sender signed, from public values alone: participants, coordinator
// and offline verifiers run the same checks and so come to the same reason.

export function checkOpen(message: Received): Judged<OpenPayload> {
  if (!hasParts(message.header, [])) return wrong("wrong-recipients", "parts")
  const decoded = judgeForm(openPayloadCodec, message.broadcast)
  if (!decoded.ok) return decoded
  // Honest dealers could not seal to such a key: that is its owner's fault, not theirs.
  if (!isXwingPublicKey(decoded.payload.sealingKey)) return wrong("malformed-payload", "sealingKey")
  return decoded
}

interface CommitmentInput {
  readonly openingId: Bytes
  readonly sender: Identifier
  readonly vector: readonly Element[]
  readonly blinding: Bytes
}

/** The hash that step 1 publishes: bound to the run and its sender, so a copied one opens nowhere. */
export function vectorCommitment(
  params: DkgParams,
  sender: Identifier,
  vector: readonly Element[],
  blinding: Bytes,
): Bytes {
  const codec = struct<CommitmentInput>({
    openingId: fixedBytes(32),
    sender: u16,
    vector: list(groupFor(params).element, 0xff),
    blinding: fixedBytes(32),
  })
  const openingId = openingDigest(params)
  return hashValue(LABELS.commitment, codec, { openingId, sender, vector, blinding })
}

const possessionContext = struct<{ readonly sessionId: Bytes; readonly sender: Identifier }>({
  sessionId: fixedBytes(32),
  sender: u16,
})

/** The statement whose proof step 2 carries: C_0's logarithm is known, in this session, to `sender`. */
export function possessionStatement(
  sessionId: Bytes,
  sender: Identifier,
  constantTerm: Element,
): PossessionStatement {
  const context = encode(possessionContext, { sessionId, sender })
  return { label: LABELS.possession, context, public: constantTerm }
}

/** `open` is what the same sender published in step 1. */
export function checkReveal(
  params: DkgParams,
  open: OpenPayload,
  message: Received,
): Judged<RevealPayload> {
  const { sender, sessionId } = message.header
  const group = groupFor(params)
  if (!hasParts(message.header, sharesWith(params, sender))) {
    return wrong("wrong-recipients", "parts")
  }
  const decoded = judgeForm(revealPayloadCodec(group), message.broadcast)
  if (!decoded.ok) return decoded
  const { vector, blinding, possession } = decoded.payload
  // Any other length is another polynomial degree: a longer one would raise the threshold.
  if (vector.length !== termsOf(params, sender)) return wrong("wrong-vector-length", "vector")
  if (!equalBytes(vectorCommitment(params, sender, vector, blinding), open.commitment)) {
    return wrong("wrong-opening", "vector")
  }
  const statement = possessionStatement(sessionId, sender, vector[0]!)
  if (!verifyPossession(group, statement, possession)) {
    return wrong("wrong-proof-of-possession", "possession")
  }
  return decoded
}

/** Whether the bytes are `recipient`'s share of the polynomial committed to. */
export function isShare(
  group: Group,
  vector: readonly Element[],
  recipient: Identifier,
  payload: Bytes,
): boolean {
  try {
    return feldmanVerify(group, vector, recipient, group.decodeScalar(payload))
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return false
  }
}

/** Form only; whether a confirmation signs the right key is judged with the outcome. */
export function checkVerdict(params: DkgParams, message: Received): Judged<VerdictPayload> {
  if (!hasParts(message.header, [])) return wrong("wrong-recipients", "parts")
  const decoded = judgeForm(verdictPayloadCodec, message.broadcast)
  if (!decoded.ok || decoded.payload.kind === "confirm") return decoded
  const { dealers } = decoded.payload
  const others = sharesWith(params, message.header.sender)
  const valid = dealers.every((d, i) => others.includes(d) && (i === 0 || d > dealers[i - 1]!))
  return valid && dealers.length > 0 ? decoded : wrong("wrong-complaint", "dealers")
}

export function checkAnswer(message: Received): Judged<AnswerPayload> {
  if (!hasParts(message.header, [])) return wrong("wrong-recipients", "parts")
  return judgeForm(answerPayloadCodec, message.broadcast)
}
