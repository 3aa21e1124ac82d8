import { type Codec, decode, equalBytes, struct } from "@lockkeeper/encoding"
import type { Judged } from "../judged.ts"
import { slotMismatch } from "../messages/header.ts"
import type { Received } from "../messages/message.ts"
import { openingMismatch } from "../messages/opening.ts"
import { openStatement, type Statement, statementCodec } from "../messages/statement.ts"
import { checkDeal, checkOpen, checkVerdict } from "../reshare/checks.ts"
import {
  checkParams,
  openingStep,
  participantsOf,
  type ReshareParams,
  type ReshareRunId,
  type ReshareStep,
  receiversOf,
  reshareParamsCodec,
  reshareRunIdCodec,
  runSession,
  slotOf,
} from "../reshare/params.ts"
import { type OpenPayload, openPayloadCodec } from "../reshare/payloads.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/** An opening that its own signer made wrong. */
export interface ReshareOpenEvidence {
  readonly kind: "reshare-open"
  readonly params: ReshareParams
  readonly open: Statement
}

/** A dealing that is wrong by itself or does not fit what the same sender opened with. */
export interface ReshareDealEvidence {
  readonly kind: "reshare-deal"
  readonly run: ReshareRunId
  readonly open: Statement
  readonly deal: Statement
}

/** A verdict of no permitted form. */
export interface ReshareVerdictEvidence {
  readonly kind: "reshare-verdict"
  readonly run: ReshareRunId
  readonly verdict: Statement
}

export const reshareOpenCodec: Codec<Omit<ReshareOpenEvidence, "kind">> = struct({
  params: reshareParamsCodec,
  open: statementCodec,
})

export const reshareDealCodec: Codec<Omit<ReshareDealEvidence, "kind">> = struct({
  run: reshareRunIdCodec,
  open: statementCodec,
  deal: statementCodec,
})

export const reshareVerdictCodec: Codec<Omit<ReshareVerdictEvidence, "kind">> = struct({
  run: reshareRunIdCodec,
  verdict: statementCodec,
})

export type Authentic =
  | { readonly ok: true; readonly message: Received }
  | { readonly ok: false; readonly verdict: Verdict }

function sendersOf(run: ReshareRunId, step: ReshareStep): readonly number[] {
  switch (step) {
    case "open":
      return participantsOf(run.params)
    case "verdict":
      return receiversOf(run)
    case "deal":
    case "answer":
      return run.params.dealers
  }
}

/** The statement, if somebody whose turn it was in this run signed it for this step of it. */
export function authenticIn(
  run: ReshareRunId,
  step: ReshareStep,
  statement: Statement,
  verifyKeys: VerifyKeys,
): Authentic {
  const refuse = (why: string): Authentic => ({ ok: false, verdict: worthless(`${step}: ${why}`) })
  // Nobody honest signs anything in a run that cannot be, and judging one could take for ever.
  const possible = checkParams(run.params)
  if (!possible.ok) return refuse(possible.abort.reason)
  const opened = openStatement(statement, verifyKeys)
  if (!opened.ok) return refuse(opened.abort.reason)
  const { header } = opened.value
  const mismatch =
    step === "open"
      ? openingMismatch(header, openingStep(run.params))
      : slotMismatch(header, slotOf(run.params, step, runSession(run), header.sender))
  if (mismatch) return refuse(mismatch)
  if (!sendersOf(run, step).includes(header.sender)) return refuse("not-a-participant")
  return { ok: true, message: opened.value }
}

function judged(message: Received, checked: Judged<unknown>): Verdict {
  if (checked.ok) return worthless("nothing is wrong with the statement")
  return culprit(message.header.sender, checked.reason)
}

export function verifyReshareOpen(
  { params, open }: Omit<ReshareOpenEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authenticIn({ params, openings: new Map() }, "open", open, verifyKeys)
  return found.ok ? judged(found.message, checkOpen(params, found.message)) : found.verdict
}

export type AuthenticOpening =
  | { readonly ok: true; readonly message: Received; readonly payload: OpenPayload }
  | { readonly ok: false; readonly verdict: Verdict }

/** A faultless opening that is one of those the run's session is the hash of. */
export function authenticOpening(
  run: ReshareRunId,
  open: Statement,
  verifyKeys: VerifyKeys,
): AuthenticOpening {
  const found = authenticIn(run, "open", open, verifyKeys)
  if (!found.ok) return found
  const { message } = found
  const listed = run.openings.get(message.header.sender)
  if (!listed || !equalBytes(listed, message.digest)) {
    return { ok: false, verdict: worthless("the opening is not of this session") }
  }
  // A faulty opening has evidence of its own; nothing can be judged by it.
  if (!checkOpen(run.params, message).ok) {
    return { ok: false, verdict: worthless("the opening is faulty") }
  }
  return { ok: true, message, payload: decode(openPayloadCodec, message.broadcast) }
}

export function verifyReshareDeal(
  { run, open, deal }: Omit<ReshareDealEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const opening = authenticOpening(run, open, verifyKeys)
  if (!opening.ok) return opening.verdict
  const found = authenticIn(run, "deal", deal, verifyKeys)
  if (!found.ok) return found.verdict
  if (opening.message.header.sender !== found.message.header.sender) {
    return worthless("opening and dealing have different senders")
  }
  return judged(found.message, checkDeal(run, opening.payload, found.message))
}

export function verifyReshareVerdict(
  { run, verdict }: Omit<ReshareVerdictEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authenticIn(run, "verdict", verdict, verifyKeys)
  return found.ok ? judged(found.message, checkVerdict(run, found.message)) : found.verdict
}
