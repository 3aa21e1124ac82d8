import { type Codec, decode, equalBytes, oneOf, struct } from "@lockkeeper/encoding"
import type { Judged } from "../judged.ts"
import { slotMismatch } from "../messages/header.ts"
import type { Received } from "../messages/message.ts"
import { openingMismatch } from "../messages/opening.ts"
import { openStatement, type Statement, statementCodec } from "../messages/statement.ts"
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
import { type OpenPayload, openPayloadCodec } from "../repair/payloads.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

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

export type AuthenticIn =
  | { readonly ok: true; readonly message: Received }
  | { readonly ok: false; readonly verdict: Verdict }

/** The statement, if somebody whose turn it was in this run signed it for this step of it. */
export function authenticInRepair(
  run: RepairRunId,
  step: RepairStep,
  statement: Statement,
  verifyKeys: VerifyKeys,
): AuthenticIn {
  const refuse = (why: string): AuthenticIn => ({
    ok: false,
    verdict: worthless(`${step}: ${why}`),
  })
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
  if (!sendersOf(run.params, step).includes(header.sender)) return refuse("not-a-participant")
  return { ok: true, message: opened.value }
}

function judged(message: Received, checked: Judged<unknown>): Verdict {
  if (checked.ok) return worthless("nothing is wrong with the statement")
  return culprit(message.header.sender, checked.reason)
}

export function verifyRepairOpen(
  { params, open }: Omit<RepairOpenEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authenticInRepair({ params, openings: new Map() }, "open", open, verifyKeys)
  return found.ok ? judged(found.message, checkOpen(found.message)) : found.verdict
}

export function verifyRepairSaid(
  { run, step, said }: Omit<RepairSaidEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authenticInRepair(run, step, said, verifyKeys)
  if (!found.ok) return found.verdict
  const check = { split: checkSplit, sum: checkSum, verdict: checkVerdict }[step]
  return judged(found.message, check(run.params, found.message))
}

export type AuthenticRepairOpening =
  | { readonly ok: true; readonly message: Received; readonly payload: OpenPayload }
  | { readonly ok: false; readonly verdict: Verdict }

/** A faultless opening that is one of those the run's session is the hash of. */
export function authenticRepairOpening(
  run: RepairRunId,
  open: Statement,
  verifyKeys: VerifyKeys,
): AuthenticRepairOpening {
  const found = authenticInRepair(run, "open", open, verifyKeys)
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
