import type { Identifier } from "@lockkeeper/crypto"
import { decode } from "@lockkeeper/encoding"
import type { Evidence } from "../evidence/evidence.ts"
import type { Judged } from "../judged.ts"
import type { Received } from "../messages/message.ts"
import { type Statement, statementOf } from "../messages/statement.ts"
import { type Abort, abort, done, type Outcome } from "../outcome.ts"
import { checkDeal, checkDealForm, checkOpen, checkVerdict, type Dealt } from "./checks.ts"
import type { ReshareParams, ReshareRunId } from "./params.ts"
import {
  type OpenPayload,
  openPayloadCodec,
  type Vectors,
  type VerdictPayload,
} from "./payloads.ts"

// A step's checks over all its messages. Participants and the coordinator both run them, so whoever
// meets a fault first names everyone at fault, each with evidence.

export type Messages = ReadonlyMap<Identifier, Received>

/** Who said what is right, and what the others are stopped for. */
export interface Sorted<T> {
  readonly payloads: ReadonlyMap<Identifier, T>
  /** Null when nobody is at fault. */
  readonly fault: Abort | null
}

/** Judges each message; everyone at fault is named, for the first one's reason. */
export function judgeEach<T>(
  messages: Messages,
  check: (message: Received, sender: Identifier) => Judged<T>,
  evidenceOf: (statement: Statement, sender: Identifier) => Evidence,
): Sorted<T> {
  const payloads = new Map<Identifier, T>()
  const culprits: Identifier[] = []
  const evidence: Evidence[] = []
  let first: Extract<Judged<T>, { ok: false }> | null = null
  for (const [sender, message] of messages) {
    const judged = check(message, sender)
    if (judged.ok) payloads.set(sender, judged.payload)
    else {
      first ??= judged
      culprits.push(sender)
      evidence.push(evidenceOf(statementOf(message), sender))
    }
  }
  const fault = first && abort(first.reason, { culprits, evidence, field: first.field }).abort
  return { payloads, fault }
}

/** The payloads, if nobody is at fault. */
export function faultless<T>({ payloads, fault }: Sorted<T>): Outcome<ReadonlyMap<Identifier, T>> {
  return fault ? { ok: false, abort: fault } : done(payloads)
}

export function judgeOpens(params: ReshareParams, messages: Messages): Sorted<OpenPayload> {
  return judgeEach(
    messages,
    (message) => checkOpen(params, message),
    (open) => ({ kind: "reshare-open", params, open }),
  )
}

type Statements = ReadonlyMap<Identifier, Statement>

/** @param opens - openings that were already checked. */
export function judgeDeals(
  run: ReshareRunId,
  opens: Statements,
  messages: Messages,
): Sorted<Dealt> {
  return judgeEach(
    messages,
    (message, sender) => checkDeal(run, openedBy(opens, sender), message),
    (deal, sender) => ({ kind: "reshare-deal", run, open: opens.get(sender)!, deal }),
  )
}

/** The same without curve arithmetic, for a coordinator: holders check the rest. */
export function judgeDealForms(
  run: ReshareRunId,
  opens: Statements,
  messages: Messages,
): Sorted<Vectors> {
  return judgeEach(
    messages,
    (message, sender) => checkDealForm(run, openedBy(opens, sender), message),
    (deal, sender) => ({ kind: "reshare-deal", run, open: opens.get(sender)!, deal }),
  )
}

export function judgeVerdicts(run: ReshareRunId, messages: Messages): Sorted<VerdictPayload> {
  return judgeEach(
    messages,
    (message) => checkVerdict(run, message),
    (verdict) => ({ kind: "reshare-verdict", run, verdict }),
  )
}

function openedBy(opens: Statements, sender: Identifier): OpenPayload {
  return decode(openPayloadCodec, opens.get(sender)!.broadcast)
}
