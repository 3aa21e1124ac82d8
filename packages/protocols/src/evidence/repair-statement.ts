import { type Codec, oneOf, struct } from "@lockkeeper/encoding"
import { type Statement, statementCodec } from "../messages/statement.ts"
import { checkOpen, checkSplit, checkSum, checkVerdict } from "../repair/checks.ts"
import {
  checkParams,
  openingStep,
  type RepairParams,
  type RepairRunId,
  type RepairStep,
  repairParamsCodec,
  repairRunIdCodec,
  runSession,
  sendersOf,
  slotOf,
} from "../repair/params.ts"
import type { OpenPayload } from "../repair/payloads.ts"
import { authentic, judged, type StatedRun } from "./authentic.ts"
import type { Verdict, VerifyKeys } from "./verdict.ts"

/** An opening that its own signer made wrong. */
export interface RepairOpenEvidence {
  readonly kind: "repair-open"
  readonly params: RepairParams
  readonly open: Statement
}

const SAID_STEPS = ["split", "sum", "verdict"] as const

/** A later message that is wrong by itself. */
export interface RepairSaidEvidence {
  readonly kind: "repair-said"
  readonly run: RepairRunId
  readonly step: (typeof SAID_STEPS)[number]
  readonly said: Statement
}

export const repairOpenCodec: Codec<Omit<RepairOpenEvidence, "kind">> = struct({
  params: repairParamsCodec,
  open: statementCodec,
})

export const repairSaidCodec: Codec<Omit<RepairSaidEvidence, "kind">> = struct({
  run: repairRunIdCodec,
  step: oneOf(...SAID_STEPS),
  said: statementCodec,
})

/** A run as its statements are judged by it. */
export function repairRun(run: RepairRunId): StatedRun<RepairStep, OpenPayload> {
  const { params, openings } = run
  return {
    openings,
    checkParams: () => checkParams(params),
    openingStep: () => openingStep(params),
    slotOf: (step, sender) => slotOf(params, step, runSession(run), sender),
    sendersOf: (step) => sendersOf(params, step),
    checkOpen,
  }
}

export function verifyRepairOpen(
  { params, open }: Omit<RepairOpenEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authentic(repairRun({ params, openings: new Map() }), "open", open, verifyKeys)
  return found.ok ? judged(found.message, checkOpen(found.message)) : found.verdict
}

export function verifyRepairSaid(
  { run, step, said }: Omit<RepairSaidEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authentic(repairRun(run), step, said, verifyKeys)
  if (!found.ok) return found.verdict
  const check = { split: checkSplit, sum: checkSum, verdict: checkVerdict }[step]
  return judged(found.message, check(run.params, found.message))
}
