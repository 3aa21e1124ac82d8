import type { Identifier } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import type { Judged } from "../judged.ts"
import type { HeaderDigests } from "../messages/echo.ts"
import { type Slot, slotMismatch } from "../messages/header.ts"
import type { Received } from "../messages/message.ts"
import { type OpeningStep, openingMismatch } from "../messages/opening.ts"
import { openStatement, type Statement } from "../messages/statement.ts"
import type { Outcome } from "../outcome.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/** A run whose session is the hash of its openings, as far as its statements are judged by it. */
export interface StatedRun<Step extends string, Open> {
  /** Whether such a run can be. */
  checkParams(): Outcome<unknown>
  openingStep(): OpeningStep
  /** The slot of `sender`'s message of a later step. */
  slotOf(step: Step, sender: Identifier): Slot
  /** Whose turn a step is. */
  sendersOf(step: Step): readonly Identifier[]
  checkOpen(message: Received): Judged<Open>
  readonly openings: HeaderDigests
}

export type Authentic =
  | { readonly ok: true; readonly message: Received }
  | { readonly ok: false; readonly verdict: Verdict }

export type AuthenticOpening<Open> =
  | { readonly ok: true; readonly message: Received; readonly payload: Open }
  | { readonly ok: false; readonly verdict: Verdict }

/** The statement, if somebody whose turn it was in this run signed it for this step of it. */
export function authentic<Step extends string>(
  run: StatedRun<Step, unknown>,
  step: Step,
  statement: Statement,
  verifyKeys: VerifyKeys,
): Authentic {
  const refuse = (why: string): Authentic => ({ ok: false, verdict: worthless(`${step}: ${why}`) })
  // Nobody honest signs anything in a run that cannot be, and judging one could take for ever.
  const possible = run.checkParams()
  if (!possible.ok) return refuse(possible.abort.reason)
  const opened = openStatement(statement, verifyKeys)
  if (!opened.ok) return refuse(opened.abort.reason)
  const { header } = opened.value
  const mismatch =
    step === "open"
      ? openingMismatch(header, run.openingStep())
      : slotMismatch(header, run.slotOf(step, header.sender))
  if (mismatch) return refuse(mismatch)
  if (!run.sendersOf(step).includes(header.sender)) return refuse("not-a-participant")
  return { ok: true, message: opened.value }
}

/** A faultless opening that is one of those the run's session is the hash of. */
export function authenticOpening<Open>(
  run: StatedRun<"open", Open>,
  open: Statement,
  verifyKeys: VerifyKeys,
): AuthenticOpening<Open> {
  const found = authentic(run, "open", open, verifyKeys)
  if (!found.ok) return found
  const { message } = found
  const listed = run.openings.get(message.header.sender)
  if (!listed || !equalBytes(listed, message.digest)) {
    return { ok: false, verdict: worthless("the opening is not of this session") }
  }
  // A faulty opening has evidence of its own; nothing can be judged by it.
  const checked = run.checkOpen(message)
  if (!checked.ok) return { ok: false, verdict: worthless("the opening is faulty") }
  return { ok: true, message, payload: checked.payload }
}

/** What a statement comes to that is to be wrong by itself. */
export function judged(message: Received, checked: Judged<unknown>): Verdict {
  if (checked.ok) return worthless("nothing is wrong with the statement")
  return culprit(message.header.sender, checked.reason)
}
