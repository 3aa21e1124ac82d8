import { type Codec, struct } from "@lockkeeper/encoding"
import { checkOpen, checkReveal, checkVerdict } from "../dkg/checks.ts"
import {
  checkParams,
  type DkgParams,
  type DkgRunId,
  type DkgStep,
  dkgParamsCodec,
  dkgRunIdCodec,
  everyoneIn,
  openingStep,
  runSession,
  slotOf,
} from "../dkg/params.ts"
import type { OpenPayload } from "../dkg/payloads.ts"
import { type Statement, statementCodec } from "../messages/statement.ts"
import { authentic, authenticOpening, judged, type StatedRun } from "./authentic.ts"
import { type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

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

/** A run as its statements are judged by it. */
export function dkgRun(run: DkgRunId): StatedRun<DkgStep, OpenPayload> {
  const { params, openings } = run
  return {
    openings,
    checkParams: () => checkParams(params),
    openingStep: () => openingStep(params),
    slotOf: (step, sender) => slotOf(params, step, runSession(run), sender),
    sendersOf: () => everyoneIn(params),
    checkOpen,
  }
}

export function verifyDkgOpen(
  { params, open }: Omit<DkgOpenEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authentic(dkgRun({ params, openings: new Map() }), "open", open, verifyKeys)
  return found.ok ? judged(found.message, checkOpen(found.message)) : found.verdict
}

export function verifyDkgReveal(
  { run, open, reveal }: Omit<DkgRevealEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const opening = authenticOpening(dkgRun(run), open, verifyKeys)
  if (!opening.ok) return opening.verdict
  const found = authentic(dkgRun(run), "reveal", reveal, verifyKeys)
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
  const found = authentic(dkgRun(run), "verdict", verdict, verifyKeys)
  return found.ok ? judged(found.message, checkVerdict(run.params, found.message)) : found.verdict
}
