import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import type { Evidence } from "../../evidence/evidence.ts"
import type { Judged } from "../../judged.ts"
import { digestsOf, echoDigest } from "../../messages/echo.ts"
import type { Message, Reader, Received } from "../../messages/message.ts"
import { collectRound } from "../../messages/round.ts"
import { type Statement, statementOf } from "../../messages/statement.ts"
import { abort, done, type Outcome } from "../../outcome.ts"
import { collectFirst } from "../first-step.ts"
import type { SetupParams } from "../types.ts"
import {
  isForSetup,
  judgeSetupConfirm,
  judgeSetupExchange,
  judgeSetupOpen,
  type SetupOpenPayload,
  setupNamedBy,
  setupOpenCodec,
} from "./checks.ts"
import { headerStep, setupSession, setupSlot } from "./params.ts"

export interface SetupCollector {
  readonly params: SetupParams
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  readonly senders: readonly Identifier[]
  readonly reader: Reader
}

type Statements = ReadonlyMap<Identifier, Statement>
type Messages = ReadonlyMap<Identifier, Received>

function judgeEach(
  messages: Messages,
  judge: (message: Received) => Judged<unknown>,
  evidenceOf: (message: Received) => Evidence,
): Outcome<Messages> {
  const wrong = [...messages.values()].flatMap((message) => {
    const judged = judge(message)
    return judged.ok ? [] : [{ message, judged }]
  })
  const [first] = wrong
  if (!first) return done(messages)
  return abort(first.judged.reason, {
    culprits: wrong.map(({ message }) => message.header.sender),
    evidence: wrong.map(({ message }) => evidenceOf(message)),
    field: first.judged.field,
  })
}

/** Step 1. */
export function collectSetupOpens(
  { params, verifyKeys, senders, reader }: SetupCollector,
  messages: readonly Message[],
): Outcome<Messages> {
  const { rosterEpoch } = params
  const first = { step: headerStep(1), rosterEpoch, senders, verifyKeys, reader }
  const collected = collectFirst(first, messages)
  if (!collected.ok) return collected
  for (const { broadcast } of collected.value.values()) {
    if (!isForSetup(params, broadcast)) return abort("wrong-session", { field: "params" })
  }
  return judgeEach(
    collected.value,
    (message) => judgeSetupOpen(params, message),
    (message) => {
      const named = setupNamedBy(params, message.header.sender, message.broadcast)
      return { kind: "dkls-setup-open", params: named, open: statementOf(message) }
    },
  )
}

/** What openings that were judged before say. */
export function openPayloads(opens: Statements): ReadonlyMap<Identifier, SetupOpenPayload> {
  return new Map([...opens].map(([id, { broadcast }]) => [id, decode(setupOpenCodec, broadcast)]))
}

export function sessionOf(params: SetupParams, opens: Statements): Bytes {
  return setupSession({ params, openings: digestsOf(opens) })
}

/** A message with no other parts than these. */
function cut({ signed, broadcast, sealed }: Received, recipients: readonly Identifier[]): Message {
  const parts = new Map([...sealed].filter(([recipient]) => recipients.includes(recipient)))
  return { header: signed, broadcast, sealed: parts }
}

/** Evidence of what is wrong with an exchange, or with the part for one recipient. */
export function exchangeEvidence(
  params: SetupParams,
  opens: Statements,
  message: Received,
  recipients: readonly Identifier[],
): Evidence {
  return { kind: "dkls-setup-exchange", params, opens, message: cut(message, recipients) }
}

/** Step 2: everything but what is in the parts. */
export function collectSetupExchanges(
  { params, verifyKeys, senders, reader }: SetupCollector,
  opens: Statements,
  messages: readonly Message[],
): Outcome<Messages> {
  const slot = setupSlot(params, 2, sessionOf(params, opens))
  const previousDigest = echoDigest(digestsOf(opens))
  const collected = collectRound({ ...slot, senders, verifyKeys, previousDigest, reader }, messages)
  if (!collected.ok) return collected
  const payloads = openPayloads(opens)
  return judgeEach(
    collected.value,
    (message) => judgeSetupExchange(params, payloads, message),
    (message) => exchangeEvidence(params, opens, message, []),
  )
}

/** Step 3. */
export function collectSetupConfirms(
  { params, verifyKeys, senders, reader }: SetupCollector,
  opens: Statements,
  exchanges: Statements,
  messages: readonly Message[],
): Outcome<Messages> {
  const slot = setupSlot(params, 3, sessionOf(params, opens))
  const previousDigest = echoDigest(digestsOf(exchanges))
  const collected = collectRound({ ...slot, senders, verifyKeys, previousDigest, reader }, messages)
  if (!collected.ok) return collected
  const payloads = openPayloads(opens)
  return judgeEach(
    collected.value,
    (message) => judgeSetupConfirm(params, payloads, message),
    (message) => ({ kind: "dkls-setup-confirm", params, opens, confirm: statementOf(message) }),
  )
}
