import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import type { KeyCertificate, PublicKeyPackage } from "../keys.ts"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { deliver, type Message, type Received } from "../messages/message.ts"
import { openingRound } from "../messages/opening.ts"
import type { Round } from "../messages/round.ts"
import { statementsOf } from "../messages/statement.ts"
import type { Abort, Outcome } from "../outcome.ts"
import { accusationsOf, type Disputed, judgeAnswers } from "./accusations.ts"
import { checkConfirmations, checkOpens, checkReveals, checkVerdicts } from "./faults.ts"
import {
  checkParams,
  type DkgParams,
  type DkgRunId,
  type DkgStep,
  everyoneIn,
  groupFor,
  openingStep,
  roundOf,
  runSession,
  verifyKeysIn,
} from "./params.ts"
import { revealPayloadCodec } from "./payloads.ts"
import { complete, type DkgResponse, gather, withSilent } from "./responses.ts"
import { publicResult } from "./result.ts"

type Messages = ReadonlyMap<Identifier, Received>
type VerifyKeys = ReadonlyMap<Identifier, Uint8Array>

/** What each participant is to be sent. */
export type Deliveries = ReadonlyMap<Identifier, readonly Message[]>

/** What the coordinator keeps while it waits for answers; nothing in it is secret. */
export interface DkgWaiting {
  readonly params: DkgParams
  readonly verifyKeys: VerifyKeys
  readonly step: DkgStep
  readonly opens: Messages
  readonly reveals: Messages
  readonly disputed: Disputed | null
}

/** What to do next. */
export type DkgTask =
  /** Have each participant run `step` on its deliveries, then `dkgAdvance` with what they answer. */
  | {
      readonly kind: "ask"
      readonly step: DkgStep
      readonly deliveries: Deliveries
      readonly waiting: DkgWaiting
    }
  /** Have each participant run `dkgActivate`; the certificate is complete already. */
  | {
      readonly kind: "activate"
      readonly deliveries: Deliveries
      readonly certificate: KeyCertificate
    }
  /** Start again with `nextAttempt`. */
  | { readonly kind: "aborted"; readonly abort: Abort }

const aborted = (abort: Abort): DkgTask => ({ kind: "aborted", abort })

/** For each recipient the others' messages, with its own part of each. */
function deliveriesTo(recipients: readonly Identifier[], messages: Messages): Deliveries {
  const all = [...messages.values()]
  return new Map(
    recipients.map((recipient) => {
      const others = all.filter(({ header }) => header.sender !== recipient)
      return [recipient, others.map((message) => deliver(asMessage(message), recipient))]
    }),
  )
}

function asMessage({ signed, broadcast, sealed }: Received): Message {
  return { header: signed, broadcast, sealed }
}

/**
 * Begins a run as its coordinator: a pure step machine that says whom to send what. The coordinator
 * is trusted for liveness only, so participants check everything again; it checks what is public in
 * order to stop early, to name whoever is at fault, and to have the evidence.
 */
export function dkgCoordinate(params: DkgParams, servers: VerifyKeys): DkgTask {
  const checked = checkParams(params)
  if (!checked.ok) return aborted(checked.abort)
  const verifyKeys = verifyKeysIn(params, servers)
  const deliveries = deliveriesTo(everyoneIn(params), new Map())
  const none: Messages = new Map()
  return {
    ...{ kind: "ask", step: "open", deliveries },
    waiting: { params, verifyKeys, step: "open", opens: none, reveals: none, disputed: null },
  }
}

/** Takes the answers to the last task and says what to do next. Missing answers are silence. */
export function dkgAdvance(waiting: DkgWaiting, responses: readonly DkgResponse[]): DkgTask {
  switch (waiting.step) {
    case "open":
      return afterOpen(waiting, responses)
    case "reveal":
      return afterReveal(waiting, responses)
    case "verdict":
      return afterVerdict(waiting, responses)
    case "answer":
      return afterAnswer(waiting, responses)
  }
}

function runOf({ params, opens }: DkgWaiting): DkgRunId {
  return { params, openings: digestsOf(statementsOf(opens)) }
}

function echoOf(messages: Messages): Bytes {
  return echoDigest(digestsOf(statementsOf(messages)))
}

function roundFor(waiting: DkgWaiting, previousDigest: Bytes | null): Round {
  const { params, verifyKeys, step } = waiting
  const { disputed } = waiting
  const senders = disputed ? [...disputed.accusations.keys()] : everyoneIn(params)
  const expected = { senders, verifyKeys, reader: "all-parts" as const }
  if (step === "open") return openingRound(openingStep(params), expected)
  return roundOf(params, step, runSession(runOf(waiting)), { ...expected, previousDigest })
}

function ask(waiting: DkgWaiting, deliveries: Deliveries): DkgTask {
  return { kind: "ask", step: waiting.step, deliveries, waiting }
}

function afterOpen(waiting: DkgWaiting, responses: readonly DkgResponse[]): DkgTask {
  const gathered = gather(roundFor(waiting, null), responses)
  if (!gathered.ok) return aborted(gathered.abort)
  const { params } = waiting
  const opens = gathered.value.received
  const checked = complete(gathered.value, checkOpens(params, opens))
  if (!checked.ok) return aborted(checked.abort)
  return ask({ ...waiting, step: "reveal", opens }, deliveriesTo(everyoneIn(params), opens))
}

function afterReveal(waiting: DkgWaiting, responses: readonly DkgResponse[]): DkgTask {
  const gathered = gather(roundFor(waiting, echoOf(waiting.opens)), responses)
  if (!gathered.ok) return aborted(gathered.abort)
  const reveals = gathered.value.received
  const checked = checkReveals(runOf(waiting), statementsOf(waiting.opens), reveals)
  const all = complete(gathered.value, checked)
  if (!all.ok) return aborted(all.abort)
  const everyone = everyoneIn(waiting.params)
  return ask({ ...waiting, step: "verdict", reveals }, deliveriesTo(everyone, reveals))
}

function afterVerdict(waiting: DkgWaiting, responses: readonly DkgResponse[]): DkgTask {
  const gathered = gather(roundFor(waiting, echoOf(waiting.reveals)), responses)
  if (!gathered.ok) return aborted(gathered.abort)
  const { received: verdicts, silent } = gathered.value
  const run = runOf(waiting)
  const checked = checkVerdicts(run, verdicts)
  if (!checked.ok) return aborted(withSilent(checked.abort, silent))

  const accusations = accusationsOf(checked.value)
  if (accusations.size > 0) {
    const { verifyKeys, opens, reveals } = waiting
    const disputed = { run, verifyKeys, opens, reveals, verdicts, accusations }
    return ask({ ...waiting, step: "answer", disputed }, complaintsTo(disputed))
  }
  const reveals = statementsOf(waiting.reveals)
  const result = resultOf(waiting)
  if (!result.ok) return aborted(result.abort)
  const confirming = { run, reveals, result: result.value, verifyKeys: waiting.verifyKeys }
  const confirmed = checkConfirmations(confirming, verdicts, checked.value)
  const all = complete(gathered.value, confirmed)
  if (!all.ok) return aborted(all.abort)
  const deliveries = deliveriesTo(everyoneIn(waiting.params), verdicts)
  const certificate = { public: result.value, confirmations: all.value }
  return { kind: "activate", deliveries, certificate }
}

/** From reveals that the step before has checked. */
function resultOf({ params, reveals }: DkgWaiting): Outcome<PublicKeyPackage> {
  const codec = revealPayloadCodec(groupFor(params))
  const vectors = [...reveals].map(
    ([dealer, { broadcast }]) => [dealer, decode(codec, broadcast).vector] as const,
  )
  return publicResult(params, new Map(vectors))
}

/** To each accused dealer the complaints against it, and nothing to anyone else. */
function complaintsTo({ accusations, verdicts }: Disputed): Deliveries {
  return new Map(
    [...accusations].map(([dealer, accusers]) => [
      dealer,
      accusers.map((accuser) => asMessage(verdicts.get(accuser)!)),
    ]),
  )
}

function afterAnswer(waiting: DkgWaiting, responses: readonly DkgResponse[]): DkgTask {
  const gathered = gather(roundFor(waiting, null), responses)
  if (!gathered.ok) return aborted(gathered.abort)
  if (!waiting.disputed) throw new Error("answers are only asked for when there are complaints")
  return aborted(judgeAnswers(waiting.disputed, gathered.value.received))
}

/**
 * The parameters to start again with: without culprits and without who was silent, as far as enough
 * participants remain; null when they do not.
 */
export function nextAttempt(params: DkgParams, { culprits, silent }: Abort): DkgParams | null {
  const out = new Set([...culprits, ...silent])
  const participants = params.participants.filter((identifier) => !out.has(identifier))
  if (participants.length < params.minSigners) return null
  return { ...params, participants, attempt: params.attempt + 1 }
}
