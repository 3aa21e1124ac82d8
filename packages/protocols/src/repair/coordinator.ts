import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { type Accusations, accusationsOf } from "../accusations.ts"
import { complete, gather } from "../dkg/responses.ts"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { deliver, type Message, type Received } from "../messages/message.ts"
import { openingRound } from "../messages/opening.ts"
import type { Round } from "../messages/round.ts"
import { statementsOf } from "../messages/statement.ts"
import type { Abort, Outcome } from "../outcome.ts"
import { faultless, type Messages } from "../reshare/faults.ts"
import type { Sharing } from "../sharing/sharing.ts"
import { type Disputed, judgeAnswers } from "./accusations.ts"
import { judgeOpens, judgeSplits, judgeSums, judgeVerdicts } from "./faults.ts"
import {
  checkParams,
  checkSharings,
  openingStep,
  participantsOf,
  type RepairParams,
  type RepairRunId,
  type RepairStep,
  roundOf,
  runSession,
  sendersOf,
  sharingsRoot,
} from "./params.ts"

type VerifyKeys = ReadonlyMap<Identifier, Uint8Array>

/** What one participant is to be sent: the others' messages, by step, with its own part of each. */
export interface RepairDelivery {
  readonly opens: readonly Message[]
  readonly splits: readonly Message[]
  readonly sums: readonly Message[]
  /** Only with an answer: the messages that complain of it. */
  readonly complaints: readonly Message[]
}

export interface RepairResponse {
  readonly from: Identifier
  readonly message: Message
}

/** What the coordinator keeps while it waits for answers; nothing in it is secret. */
export interface RepairWaiting {
  readonly params: RepairParams
  readonly sharings: readonly Sharing[]
  readonly verifyKeys: VerifyKeys
  readonly step: RepairStep
  readonly opens: Messages
  readonly splits: Messages
  readonly sums: Messages
  readonly disputed: Disputed | null
}

/** What to do next. */
export type RepairTask =
  | {
      readonly kind: "ask"
      readonly step: RepairStep
      /** Of an answer, what is complained of. */
      readonly about: "split" | "sum" | null
      readonly deliveries: ReadonlyMap<Identifier, RepairDelivery>
      readonly waiting: RepairWaiting
    }
  /** The member has signed that it holds its shares again. */
  | { readonly kind: "repaired"; readonly verdict: Message }
  /** Start again with `nextAttempt`. */
  | { readonly kind: "aborted"; readonly abort: Abort }

/**
 * Begins a run as its coordinator: a pure step machine that says whom to send what. Participants
 * answer each step once and the same to every repeat, so another coordinator resumes a run that
 * stopped anywhere by beginning it again.
 */
export function repairCoordinate(
  params: RepairParams,
  sharings: readonly Sharing[],
  verifyKeys: VerifyKeys,
): RepairTask {
  const checked = checkParams(params)
  if (!checked.ok) return aborted(checked.abort)
  const listed = checkSharings(params, sharings)
  if (!listed.ok) return aborted(listed.abort)
  const none: Messages = new Map()
  const said = { opens: none, splits: none, sums: none, disputed: null }
  return ask({ params, sharings, verifyKeys, step: "open", ...said })
}

/** Takes the answers to the last task and says what to do next. Missing answers are silence. */
export function repairAdvance(
  waiting: RepairWaiting,
  responses: readonly RepairResponse[],
): RepairTask {
  const { params, opens, splits, sums } = waiting
  const run = runOf(waiting)
  switch (waiting.step) {
    case "open": {
      const found = heard(waiting, responses, null, (all) => judgeOpens(params, all))
      return found.ok ? ask({ ...waiting, step: "split", opens: found.value.all }) : found.task
    }
    case "split": {
      const found = heard(waiting, responses, echoOf(opens), (all) => judgeSplits(run, all))
      return found.ok ? ask({ ...waiting, step: "sum", splits: found.value.all }) : found.task
    }
    case "sum": {
      const found = heard(waiting, responses, echoOf(splits), (all) => judgeSums(run, all), true)
      if (!found.ok) return found.task
      const { all, payloads, silent } = found.value
      const accusations = accusationsOf(payloads)
      if (accusations.size > 0) return dispute(waiting, "split", all, accusations)
      if (silent) return aborted(silent)
      return ask({ ...waiting, step: "verdict", sums: all })
    }
    case "verdict": {
      const found = heard(waiting, responses, echoOf(sums), (all) => judgeVerdicts(run, all))
      if (!found.ok) return found.task
      const { all, payloads } = found.value
      const accusations = accusationsOf(payloads)
      if (accusations.size > 0) return dispute(waiting, "sum", all, accusations)
      return { kind: "repaired", verdict: asMessage(all.get(params.member)!) }
    }
    case "answer":
      return afterAnswer(waiting, responses)
  }
}

const aborted = (found: Abort): RepairTask => ({ kind: "aborted", abort: found })

function runOf({ params, opens }: RepairWaiting): RepairRunId {
  return { params, openings: digestsOf(statementsOf(opens)) }
}

function echoOf(messages: Messages): Bytes {
  return echoDigest(digestsOf(statementsOf(messages)))
}

function asMessage({ signed, broadcast, sealed }: Received): Message {
  return { header: signed, broadcast, sealed }
}

function forwarded(messages: Messages, recipient: Identifier): Message[] {
  const others = [...messages.values()].filter(({ header }) => header.sender !== recipient)
  return others.map((message) => deliver(asMessage(message), recipient))
}

const NOTHING: RepairDelivery = { opens: [], splits: [], sums: [], complaints: [] }

/** Each step's speakers get what was said in the step before; the member, at last, everything. */
function ask(waiting: RepairWaiting): RepairTask {
  const { params, step, opens, splits, sums } = waiting
  const deliveries = new Map<Identifier, RepairDelivery>()
  for (const one of step === "open" ? participantsOf(params) : sendersOf(params, step)) {
    const toMember = step === "verdict"
    deliveries.set(one, {
      ...NOTHING,
      opens: step === "split" || toMember ? forwarded(opens, one) : [],
      splits: step === "sum" || toMember ? forwarded(splits, one) : [],
      sums: toMember ? forwarded(sums, one) : [],
    })
  }
  return { kind: "ask", step, about: null, deliveries, waiting }
}

function roundFor(waiting: RepairWaiting, previousDigest: Bytes | null): Round {
  const { params, verifyKeys, step, disputed } = waiting
  const senders = disputed ? [...disputed.accusations.keys()] : sendersOf(params, step)
  const expected = { senders, verifyKeys, reader: "all-parts" as const }
  if (step === "open") return openingRound(openingStep(params), expected)
  return roundOf(params, step, runSession(runOf(waiting)), { ...expected, previousDigest })
}

interface Heard<T> {
  readonly all: Messages
  readonly payloads: ReadonlyMap<Identifier, T>
  /** What missing messages stop the run with. */
  readonly silent: Abort | null
}

type Found<T> =
  | { readonly ok: true; readonly value: Heard<T> }
  | { readonly ok: false; readonly task: RepairTask }

/** A step's messages, judged. @param some - whether to go on although messages are missing. */
function heard<T>(
  waiting: RepairWaiting,
  responses: readonly RepairResponse[],
  previousDigest: Bytes | null,
  judge: (all: Messages) => { payloads: ReadonlyMap<Identifier, T>; fault: Abort | null },
  some = false,
): Found<T> {
  const gathered = gather(roundFor(waiting, previousDigest), responses)
  if (!gathered.ok) return { ok: false, task: aborted(gathered.abort) }
  const all = gathered.value.received
  const judged = judge(all)
  const checked: Outcome<ReadonlyMap<Identifier, T>> = faultless(judged)
  const whole = complete(gathered.value, checked)
  if (!whole.ok && !(some && checked.ok)) return { ok: false, task: aborted(whole.abort) }
  const silent = whole.ok ? null : whole.abort
  return { ok: true, value: { all, payloads: judged.payloads, silent } }
}

function dispute(
  waiting: RepairWaiting,
  about: "split" | "sum",
  complaints: Messages,
  accusations: Accusations,
): RepairTask {
  const { sharings, verifyKeys, opens, splits, sums } = waiting
  const run = runOf(waiting)
  const before = { run, sharings, verifyKeys, opens, splits }
  const said = about === "split" ? splits : sums
  const disputed = { ...before, about, said, complaints, accusations }
  const deliveries = new Map<Identifier, RepairDelivery>()
  for (const [helper, accusers] of accusations) {
    const against = [...accusers.keys()].map((accuser) => complaints.get(accuser)!)
    // A sum that complains has no sealed part, and a verdict never has one.
    deliveries.set(helper, { ...NOTHING, complaints: against.map(asMessage) })
  }
  return {
    ...{ kind: "ask", step: "answer", about, deliveries },
    waiting: { ...waiting, step: "answer", disputed },
  }
}

function afterAnswer(waiting: RepairWaiting, responses: readonly RepairResponse[]): RepairTask {
  const { disputed } = waiting
  if (!disputed) throw new Error("answers are only asked for when there are complaints")
  const gathered = gather(roundFor(waiting, null), responses)
  if (!gathered.ok) return aborted(gathered.abort)
  return aborted(judgeAnswers(disputed, gathered.value.received))
}

/** A run as a coordinator begins it. */
export interface RepairAttempt {
  readonly params: RepairParams
  readonly sharings: readonly Sharing[]
}

/**
 * What to start again with: other helpers instead of culprits and of who was silent; null when too few
 * are left, or when it is the member itself.
 */
export function nextAttempt(
  { params, sharings }: RepairAttempt,
  { culprits, silent }: Abort,
): RepairAttempt | null {
  const out = new Set([...culprits, ...silent])
  if (out.has(params.member)) return null
  const holdsAll = (one: Identifier) => sharings.every((s) => s.verifyingShares.has(one))
  const able = [...(sharings[0]?.verifyingShares.keys() ?? [])].filter(
    (one) => one !== params.member && !out.has(one) && holdsAll(one),
  )
  const staying = params.helpers.filter((helper) => able.includes(helper))
  const fresh = able.filter((one) => !params.helpers.includes(one))
  const helpers = [...staying, ...fresh].slice(0, params.helpers.length).sort((a, b) => a - b)
  if (helpers.length < params.helpers.length) return null
  const attempt = params.attempt + 1
  return { params: { ...params, helpers, attempt, keys: sharingsRoot(sharings) }, sharings }
}
