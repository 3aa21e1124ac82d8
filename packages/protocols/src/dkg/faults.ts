import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import type { Evidence } from "../evidence/evidence.ts"
import type { Judged } from "../judged.ts"
import { type PublicKeyPackage, verifyConfirmation } from "../keys.ts"
import type { Received } from "../messages/message.ts"
import { type Statement, statementOf } from "../messages/statement.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { checkOpen, checkReveal, checkVerdict } from "./checks.ts"
import type { DkgParams, DkgRunId } from "./params.ts"
import {
  type OpenPayload,
  openPayloadCodec,
  type RevealPayload,
  type VerdictPayload,
} from "./payloads.ts"

// A step's checks over all its messages. Participants and the coordinator both run them, so whoever
// meets a fault first names everyone at fault, each with evidence.

type Messages = ReadonlyMap<Identifier, Received>

function checkEach<T>(
  messages: Messages,
  check: (message: Received, sender: Identifier) => Judged<T>,
  evidenceOf: (statement: Statement, sender: Identifier) => Evidence,
): Outcome<Map<Identifier, T>> {
  const payloads = new Map<Identifier, T>()
  const faults: { sender: Identifier; checked: Judged<T> & { ok: false }; evidence: Evidence }[] =
    []
  for (const [sender, message] of messages) {
    const checked = check(message, sender)
    if (checked.ok) payloads.set(sender, checked.payload)
    else faults.push({ sender, checked, evidence: evidenceOf(statementOf(message), sender) })
  }
  const first = faults[0]
  if (!first) return done(payloads)
  const { reason, field } = first.checked
  return abort(reason, {
    culprits: faults.map(({ sender }) => sender),
    evidence: faults.map(({ evidence }) => evidence),
    field,
  })
}

export function checkOpens(
  params: DkgParams,
  messages: Messages,
): Outcome<Map<Identifier, OpenPayload>> {
  return checkEach(messages, checkOpen, (open) => ({ kind: "dkg-open", params, open }))
}

/** @param opens - openings that were already checked. */
export function checkReveals(
  run: DkgRunId,
  opens: ReadonlyMap<Identifier, Statement>,
  messages: Messages,
): Outcome<Map<Identifier, RevealPayload>> {
  return checkEach(
    messages,
    (message, sender) => {
      const open = decode(openPayloadCodec, opens.get(sender)!.broadcast)
      return checkReveal(run.params, open, message)
    },
    (reveal, sender) => ({ kind: "dkg-reveal", run, open: opens.get(sender)!, reveal }),
  )
}

export function checkVerdicts(
  run: DkgRunId,
  messages: Messages,
): Outcome<Map<Identifier, VerdictPayload>> {
  return checkEach(
    messages,
    (message) => checkVerdict(run.params, message),
    (verdict) => ({ kind: "dkg-verdict", run, verdict }),
  )
}

/** What a confirmation is judged by. */
export interface Confirming {
  readonly run: DkgRunId
  readonly reveals: ReadonlyMap<Identifier, Statement>
  /** The outcome of `reveals`. */
  readonly result: PublicKeyPackage
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** @param messages - whose headers echo `reveals`; `verdicts` are their payloads, all confirming. */
export function checkConfirmations(
  { run, reveals, result, verifyKeys }: Confirming,
  messages: Messages,
  verdicts: ReadonlyMap<Identifier, VerdictPayload>,
): Outcome<Map<Identifier, Bytes>> {
  return checkEach(
    messages,
    (_, sender) => {
      const verdict = verdicts.get(sender)!
      if (verdict.kind === "complain") throw new Error("complaints are answered before this")
      const { confirmation } = verdict
      return verifyConfirmation(sender, verifyKeys.get(sender)!, result, confirmation)
        ? { ok: true, payload: confirmation }
        : { ok: false, reason: "wrong-confirmation", field: "confirmation" }
    },
    (verdict) => ({ kind: "dkg-confirmation", run, reveals, verdict }),
  )
}
