import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { accusationsOf } from "../accusations.ts"
import { gather, withSilent } from "../dkg/responses.ts"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { deliver, type Message, type Received } from "../messages/message.ts"
import { openingRound } from "../messages/opening.ts"
import type { Round } from "../messages/round.ts"
import { statementsOf } from "../messages/statement.ts"
import { type Abort, type AbortReason, abort } from "../outcome.ts"
import { type Disputed, judgeAnswers } from "./accusations.ts"
import type { BatchCertificate } from "./certificate.ts"
import { countConfirmations } from "./confirmations.ts"
import { judgeDealForms, judgeDeals, judgeOpens, judgeVerdicts, type Messages } from "./faults.ts"
import { checkKeys, type ReshareKey } from "./keys.ts"
import {
  checkParams,
  isDealer,
  missingFrom,
  openingStep,
  participantsOf,
  quorumFor,
  type ReshareParams,
  type ReshareRunId,
  type ReshareStep,
  receiversOf,
  roundOf,
  runSession,
} from "./params.ts"

type VerifyKeys = ReadonlyMap<Identifier, Uint8Array>

/** What one participant is to be sent. */
export interface Delivery {
  /** Of the step before, with the recipient's own part of each. */
  readonly messages: readonly Message[]
  /** With step 3, the openings for a holder that did not deal; else none. */
  readonly opens: readonly Message[]
}

/** One answer to what was asked; `from` is the participant at the other end of the channel. */
export interface ReshareResponse {
  readonly from: Identifier
  readonly message: Message
}

/** What the coordinator keeps while it waits for answers; nothing in it is secret. */
export interface ReshareWaiting {
  readonly params: ReshareParams
  readonly keys: readonly ReshareKey[]
  readonly verifyKeys: VerifyKeys
  /** Who is asked: the participants but those left out. */
  readonly asked: readonly Identifier[]
  readonly step: ReshareStep
  readonly opens: Messages
  readonly deals: Messages
  readonly disputed: Disputed | null
}

/** What to do next. */
export type ReshareTask =
  /** Have each participant run `step` on its delivery, then `reshareAdvance` with what they answer. */
  | {
      readonly kind: "ask"
      readonly step: ReshareStep
      readonly deliveries: ReadonlyMap<Identifier, Delivery>
      readonly waiting: ReshareWaiting
    }
  /** The new shares are in force: have everyone who confirmed run `reshareActivate`. */
  | {
      readonly kind: "confirmed"
      readonly certificate: BatchCertificate
      /** Holders without new shares as far as the coordinator knows: to be asked again, or repaired. */
      readonly missing: readonly Identifier[]
      /** Names who did wrong although the rest sufficed. */
      readonly fault: Abort | null
    }
  /**
   * Start again with `nextAttempt`. With `spent`, somebody may have confirmed: the same steps can still
   * be resumed with the same parameters, and another try takes the next keyEpoch.
   */
  | { readonly kind: "aborted"; readonly abort: Abort; readonly spent: boolean }

/**
 * Begins a run as its coordinator: a pure step machine that says whom to send what. The coordinator is
 * trusted for liveness only. Participants answer each step once and the same to every repeat, so
 * another coordinator resumes a run that stopped anywhere by beginning it again.
 *
 * @param leaveOut - holders not to ask now: they get no shares in this run.
 */
export function reshareCoordinate(
  params: ReshareParams,
  keys: readonly ReshareKey[],
  verifyKeys: VerifyKeys,
  leaveOut: readonly Identifier[] = [],
): ReshareTask {
  const checked = checkParams(params)
  if (!checked.ok) return aborted(checked.abort)
  const listed = checkKeys(params, keys)
  if (!listed.ok) return aborted(listed.abort)
  const asked = participantsOf(params).filter((one) => !leaveOut.includes(one))
  const none: Messages = new Map()
  const parts = { step: "open" as const, opens: none, deals: none, disputed: null }
  const waiting = { params, keys, verifyKeys, asked, ...parts }
  return ask(waiting, new Map(asked.map((one) => [one, { messages: [], opens: [] }])))
}

/** Takes the answers to the last task and says what to do next. Missing answers are silence. */
export function reshareAdvance(
  waiting: ReshareWaiting,
  responses: readonly ReshareResponse[],
): ReshareTask {
  switch (waiting.step) {
    case "open":
      return afterOpen(waiting, responses)
    case "deal":
      return afterDeal(waiting, responses)
    case "verdict":
      return afterVerdict(waiting, responses)
    case "answer":
      return afterAnswer(waiting, responses)
  }
}

function aborted(found: Abort, spent = false): ReshareTask {
  return { kind: "aborted", abort: found, spent }
}

function ask(waiting: ReshareWaiting, deliveries: ReadonlyMap<Identifier, Delivery>): ReshareTask {
  return { kind: "ask", step: waiting.step, deliveries, waiting }
}

function runOf({ params, opens }: Pick<ReshareWaiting, "params" | "opens">): ReshareRunId {
  return { params, openings: digestsOf(statementsOf(opens)) }
}

function echoOf(messages: Messages): Bytes {
  return echoDigest(digestsOf(statementsOf(messages)))
}

/** Everyone else's messages, with the recipient's own part of each. */
function forwarded(messages: Messages, recipient: Identifier): Message[] {
  const others = [...messages.values()].filter(({ header }) => header.sender !== recipient)
  return others.map((message) => deliver(asMessage(message), recipient))
}

function asMessage({ signed, broadcast, sealed }: Received): Message {
  return { header: signed, broadcast, sealed }
}

function roundFor(
  waiting: ReshareWaiting,
  senders: readonly Identifier[],
  previousDigest: Bytes | null,
): Round {
  const { params, verifyKeys, step } = waiting
  const expected = { senders, verifyKeys, reader: "all-parts" as const }
  if (step === "open") return openingRound(openingStep(params), expected)
  return roundOf(params, step, runSession(runOf(waiting)), { ...expected, previousDigest })
}

function silence(refused: AbortReason, silent: readonly Identifier[]): Abort {
  return abort(refused, { silent: [...silent].sort((a, b) => a - b) }).abort
}

function afterOpen(waiting: ReshareWaiting, responses: readonly ReshareResponse[]): ReshareTask {
  const gathered = gather(roundFor(waiting, waiting.asked, null), responses)
  if (!gathered.ok) return aborted(gathered.abort)
  const { params } = waiting
  const { received, silent, refused } = gathered.value
  const { fault } = judgeOpens(params, received)
  if (fault) return aborted(withSilent(fault, silent))
  const run = runOf({ params, opens: received })
  if (missingFrom(run)) return aborted(silence(refused, silent))
  const next = { ...waiting, step: "deal" as const, opens: received }
  const deliveries = params.dealers.map(
    (dealer) => [dealer, { messages: forwarded(received, dealer), opens: [] }] as const,
  )
  return ask(next, new Map(deliveries))
}

function afterDeal(waiting: ReshareWaiting, responses: readonly ReshareResponse[]): ReshareTask {
  const { params, opens } = waiting
  const gathered = gather(roundFor(waiting, params.dealers, echoOf(opens)), responses)
  if (!gathered.ok) return aborted(gathered.abort)
  const { received, silent, refused } = gathered.value
  const run = runOf(waiting)
  const { fault } = judgeDealForms(run, statementsOf(opens), received)
  if (fault) return aborted(withSilent(fault, silent))
  if (silent.length > 0) return aborted(silence(refused, silent))
  const next = { ...waiting, step: "verdict" as const, deals: received }
  const deliveries = receiversOf(run).map((holder): [Identifier, Delivery] => {
    const before = isDealer(params, holder) ? [] : forwarded(opens, holder)
    return [holder, { messages: forwarded(received, holder), opens: before }]
  })
  return ask(next, new Map(deliveries))
}

function afterVerdict(waiting: ReshareWaiting, responses: readonly ReshareResponse[]): ReshareTask {
  const { params, keys, verifyKeys, opens, deals } = waiting
  const run = runOf(waiting)
  const receivers = receiversOf(run)
  const gathered = gather(roundFor(waiting, receivers, echoOf(deals)), responses)
  if (!gathered.ok) return aborted(gathered.abort, true)
  const { received: verdicts, silent, refused } = gathered.value
  // Elements that are none are looked for only once something is wrong: holders refuse them, and then
  // their silence has this reason and none of their own.
  const dealt = () => judgeDeals(run, statementsOf(opens), deals).fault
  const { payloads, fault } = judgeVerdicts(run, verdicts)
  const accusations = accusationsOf(payloads)
  if (accusations.size > 0) {
    const bad = dealt()
    if (bad) return aborted(bad, true)
    const disputed = { run, keys, verifyKeys, opens, deals, verdicts, accusations }
    return ask({ ...waiting, step: "answer", disputed }, complaintsTo(disputed))
  }
  const counted = countConfirmations({ run, keys, deals, verifyKeys }, payloads, verdicts)
  if (!counted.ok) return aborted(dealt() ?? withSilent(counted.abort, silent), true)
  const { root, confirmations } = counted.value
  const wrong = both(fault, counted.value.fault)
  if (confirmations.size < quorumFor(params)) {
    const stopped = wrong ? withSilent(wrong, silent) : silence(refused, silent)
    return aborted(dealt() ?? stopped, true)
  }
  const { rosterEpoch, groups, holders } = params
  const certificate = { rosterEpoch, size: groups.length, root, confirmations }
  const missing = holders.filter((holder) => !confirmations.has(holder))
  return { kind: "confirmed", certificate, missing, fault: wrong }
}

/** Two faults of one step as one, for the first one's reason. */
function both(first: Abort | null, second: Abort | null): Abort | null {
  if (!first || !second) return first ?? second
  const culprits = [...first.culprits, ...second.culprits]
  return { ...first, culprits, evidence: [...first.evidence, ...second.evidence] }
}

/** To each accused dealer the complaints against it, and nothing to anyone else. */
function complaintsTo({ accusations, verdicts }: Disputed): ReadonlyMap<Identifier, Delivery> {
  return new Map(
    [...accusations].map(([dealer, accusers]) => [
      dealer,
      {
        messages: [...accusers.keys()].map((accuser) => asMessage(verdicts.get(accuser)!)),
        opens: [],
      },
    ]),
  )
}

function afterAnswer(waiting: ReshareWaiting, responses: readonly ReshareResponse[]): ReshareTask {
  const { disputed } = waiting
  if (!disputed) throw new Error("answers are only asked for when there are complaints")
  const round = roundFor(waiting, [...disputed.accusations.keys()], null)
  const gathered = gather(round, responses)
  if (!gathered.ok) return aborted(gathered.abort, true)
  return aborted(judgeAnswers(disputed, gathered.value.received), true)
}
