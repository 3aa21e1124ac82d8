import { type Codec, struct } from "@lockkeeper/encoding"
import { type Statement, statementCodec } from "../messages/statement.ts"
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
import type { OpenPayload } from "../reshare/payloads.ts"
import { authentic, authenticOpening, judged, type StatedRun } from "./authentic.ts"
import { type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

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

/** A run as its statements are judged by it. */
export function reshareRun(run: ReshareRunId): StatedRun<ReshareStep, OpenPayload> {
  const { params, openings } = run
  return {
    openings,
    checkParams: () => checkParams(params),
    openingStep: () => openingStep(params),
    slotOf: (step, sender) => slotOf(params, step, runSession(run), sender),
    sendersOf: (step) => {
      if (step === "open") return participantsOf(params)
      return step === "verdict" ? receiversOf(run) : params.dealers
    },
    checkOpen: (message) => checkOpen(params, message),
  }
}

export function verifyReshareOpen(
  { params, open }: Omit<ReshareOpenEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authentic(reshareRun({ params, openings: new Map() }), "open", open, verifyKeys)
  return found.ok ? judged(found.message, checkOpen(params, found.message)) : found.verdict
}

export function verifyReshareDeal(
  { run, open, deal }: Omit<ReshareDealEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const opening = authenticOpening(reshareRun(run), open, verifyKeys)
  if (!opening.ok) return opening.verdict
  const found = authentic(reshareRun(run), "deal", deal, verifyKeys)
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
  const found = authentic(reshareRun(run), "verdict", verdict, verifyKeys)
  return found.ok ? judged(found.message, checkVerdict(run, found.message)) : found.verdict
}
