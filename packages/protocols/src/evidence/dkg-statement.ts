import { type Codec, decode, equalBytes, struct } from "@lockkeeper/encoding"
import { type Checked, checkOpen, checkReveal, checkVerdict } from "../dkg/checks.ts"
import {
  checkParams,
  type DkgParams,
  type DkgRunId,
  type DkgStep,
  dkgParamsCodec,
  dkgRunIdCodec,
  openingStep,
  runSession,
  slotOf,
} from "../dkg/params.ts"
import { type OpenPayload, openPayloadCodec } from "../dkg/payloads.ts"
import { slotMismatch } from "../messages/header.ts"
import type { Received } from "../messages/message.ts"
import { openingMismatch } from "../messages/opening.ts"
import { openStatement, type Statement, statementCodec } from "../messages/statement.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/** An opening that its own signer made wrong. */
export interface DkgOpenEvidence {
  readonly kind: "dkg-open"
  readonly params: DkgParams
  readonly open: Statement
}

/** A reveal that is wrong by itself or does not fit what the same sender opened with. */
export interface DkgRevealEvidence {
  readonly kind: "dkg-reveal"
  readonly run: DkgRunId
  readonly open: Statement
  readonly reveal: Statement
}

/** A verdict of no permitted form. */
export interface DkgVerdictEvidence {
  readonly kind: "dkg-verdict"
  readonly run: DkgRunId
  readonly verdict: Statement
}

export const dkgOpenEvidenceCodec: Codec<Omit<DkgOpenEvidence, "kind">> = struct({
  params: dkgParamsCodec,
  open: statementCodec,
})

export const dkgRevealEvidenceCodec: Codec<Omit<DkgRevealEvidence, "kind">> = struct({
  run: dkgRunIdCodec,
  open: statementCodec,
  reveal: statementCodec,
})

export const dkgVerdictEvidenceCodec: Codec<Omit<DkgVerdictEvidence, "kind">> = struct({
  run: dkgRunIdCodec,
  verdict: statementCodec,
})

export type Authentic =
  | { readonly ok: true; readonly message: Received }
  | { readonly ok: false; readonly verdict: Verdict }

/** The statement, if a participant of this run signed it for this step of it. */
export function authentic(
  run: DkgRunId,
  step: DkgStep,
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
  if (!run.params.participants.includes(header.sender)) return refuse("not-a-participant")
  return { ok: true, message: opened.value }
}

function judged(message: Received, checked: Checked<unknown>): Verdict {
  if (checked.ok) return worthless("nothing is wrong with the statement")
  return culprit(message.header.sender, checked.reason)
}

export function verifyDkgOpen(
  { params, open }: Omit<DkgOpenEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authentic({ params, openings: new Map() }, "open", open, verifyKeys)
  return found.ok ? judged(found.message, checkOpen(found.message)) : found.verdict
}

export type AuthenticOpen =
  | { readonly ok: true; readonly message: Received; readonly payload: OpenPayload }
  | { readonly ok: false; readonly verdict: Verdict }

/** A faultless opening that is one of those the run's session is the hash of. */
export function authenticOpen(
  run: DkgRunId,
  open: Statement,
  verifyKeys: VerifyKeys,
): AuthenticOpen {
  const found = authentic(run, "open", open, verifyKeys)
  if (!found.ok) return found
  const { message } = found
  const listed = run.openings.get(message.header.sender)
  if (!listed || !equalBytes(listed, message.digest)) {
    return { ok: false, verdict: worthless("the opening is not of this session") }
  }
  // A faulty opening has evidence of its own; nothing can be judged by it.
  if (!checkOpen(message).ok) return { ok: false, verdict: worthless("the opening is faulty") }
  return { ok: true, message, payload: decode(openPayloadCodec, message.broadcast) }
}

export function verifyDkgReveal(
  { run, open, reveal }: Omit<DkgRevealEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const opening = authenticOpen(run, open, verifyKeys)
  if (!opening.ok) return opening.verdict
  const found = authentic(run, "reveal", reveal, verifyKeys)
  if (!found.ok) return found.verdict
  if (opening.message.header.sender !== found.message.header.sender) {
    return worthless("opening and reveal have different senders")
  }
  return judged(found.message, checkReveal(run.params, opening.payload, found.message))
}

export function verifyDkgVerdict(
  { run, verdict }: Omit<DkgVerdictEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authentic(run, "verdict", verdict, verifyKeys)
  return found.ok ? judged(found.message, checkVerdict(run.params, found.message)) : found.verdict
}
