import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../../messages/echo.ts"
import { NO_PREVIOUS } from "../../messages/header.ts"
import { type Message, openMessage, signMessage } from "../../messages/message.ts"
import { abort, done, type Outcome } from "../../outcome.ts"
import { firstSlot } from "../first-step.ts"
import { framedCodec } from "../frame.ts"
import { STEP_RANDOMNESS } from "../limits.ts"
import { othersThan } from "../presign/params.ts"
import { joined, type Statements, statementsIn } from "../presign/state.ts"
import type { SetupAnswer, SetupContext, SetupParams, SetupStep } from "../types.ts"
import { pairsToSetUp, peersIn, setupConfirmCodec, setupOpenCodec } from "./checks.ts"
import {
  collectSetupConfirms,
  collectSetupExchanges,
  collectSetupOpens,
  exchangeEvidence,
  openPayloads,
  type SetupCollector,
  sessionOf,
} from "./collect.ts"
import {
  checkSetupParams,
  headerStep,
  setupOutcome,
  setupParamsDigest,
  setupSlot,
} from "./params.ts"
import {
  pairSetupsCodec,
  SETUP_PART_MAX,
  type SetupPeer,
  type SetupResult,
  type SetupTask,
  type SetupTrail,
  setupResultCodec,
  setupStateCodec,
  setupTaskCodec,
  setupTrailCodec,
} from "./task.ts"

const EMPTY = new Uint8Array(0)

/**
 * What a step is to compute, from the other participants' messages of the step before: for `work`.
 *
 * @param state - of the step before; null at step 1.
 * @param randomness - `STEP_RANDOMNESS` fresh uniform bytes; never reused.
 * @throws RangeError when state or randomness are not those of the step.
 */
export function setupTask(
  context: SetupContext,
  step: SetupStep,
  state: Bytes | null,
  messages: readonly Message[],
  randomness: Bytes,
): Outcome<Bytes> {
  if (randomness.length !== STEP_RANDOMNESS) {
    throw new RangeError(`randomness is not ${STEP_RANDOMNESS} bytes`)
  }
  if ((state === null) !== (step === 1)) throw new RangeError("state of another step")
  const { params, identifier, identity } = context
  const fit = checkSetupParams(params, identity.verifyKeys)
  if (!fit.ok) return fit
  if (!params.participants.includes(identifier)) {
    return abort("not-a-participant", { field: "participants" })
  }
  const base: SetupTask = {
    ...{ step, identifier, randomness, context: setupParamsDigest(params) },
    ...{ secret: EMPTY, peers: new Map(), carried: EMPTY },
  }
  const completed = state === null ? done(base) : continued(context, base, state, messages)
  if (!completed.ok) return completed
  const body = encode(setupTaskCodec, completed.value)
  const task = encode(framedCodec, { protocol: "setup", body })
  for (const copy of [body, completed.value.secret]) copy.fill(0)
  return done(task)
}

function collectorFor({ params, identifier, identity }: SetupContext): SetupCollector {
  const senders = othersThan(params.participants, identifier)
  return { params, verifyKeys: identity.verifyKeys, senders, reader: identifier }
}

/** With whom this participant sets up a pair, by everyone's openings. */
function peersBy({ params, identifier }: SetupContext, opens: Statements): Identifier[] {
  return peersIn(pairsToSetUp(params, openPayloads(opens)), identifier)
}

/** The task of a step that answers messages. */
function continued(
  context: SetupContext,
  base: SetupTask,
  state: Bytes,
  messages: readonly Message[],
): Outcome<SetupTask> {
  const { trail: carried, secret } = decode(setupStateCodec, state)
  const trail = decode(setupTrailCodec, carried)
  if (trail.step !== base.step - 1) throw new RangeError("state of another step")
  const collector = collectorFor(context)
  const { params, identifier } = context
  const task = { ...base, carried, secret }
  if (base.step === 2) {
    const heard = collectSetupOpens(collector, messages)
    if (!heard.ok) return heard
    const opens = joined(trail.opens, statementsIn(messages))
    const payloads = openPayloads(opens)
    const peers = new Map<Identifier, SetupPeer>()
    for (const peer of peersBy(context, opens)) {
      peers.set(peer, { ephemeral: payloads.get(peer)!.ephemeral, part: EMPTY })
    }
    return done({ ...task, peers, context: sessionOf(params, opens) })
  }
  const session = { ...task, context: sessionOf(params, trail.opens) }
  if (base.step === 3) {
    const heard = collectSetupExchanges(collector, trail.opens, messages)
    if (!heard.ok) return heard
    const payloads = openPayloads(trail.opens)
    const peers = new Map<Identifier, SetupPeer>()
    for (const peer of peersBy(context, trail.opens)) {
      const sent = heard.value.get(peer)!.sealed.get(identifier)!
      const part = sent.length > SETUP_PART_MAX ? EMPTY : sent
      peers.set(peer, { ephemeral: payloads.get(peer)!.ephemeral, part })
    }
    return done({ ...session, peers })
  }
  const heard = collectSetupConfirms(collector, trail.opens, trail.exchanges, messages)
  return heard.ok ? done(session) : heard
}

/**
 * This participant's message of the step, from what `work` made of the task.
 *
 * @param messages - those that the task was made of.
 */
export function setupAnswer(
  context: SetupContext,
  step: SetupStep,
  result: Bytes,
  messages: readonly Message[],
): Outcome<SetupAnswer> {
  const { result: made, carried } = decode(setupResultCodec, result)
  if (made.kind === "opened") return done(openAnswer(context, made))
  const before = decode(setupTrailCodec, carried)
  const heard = statementsIn(messages)
  const opens = step === 2 ? joined(before.opens, heard) : before.opens
  const exchanges = step === 3 ? joined(before.exchanges, heard) : before.exchanges
  const trail: SetupTrail = { step, opens, exchanges }
  if (made.kind === "malformed") return malformed(context, trail, made.culprits, messages)
  if (made.kind === "exchanged") return done(exchangeAnswer(context, trail, made))
  if (step === 3) return done(confirmAnswer(context, trail, made.secret))
  const pairs = decode(pairSetupsCodec, made.secret)
  made.secret.fill(0)
  return done({ state: null, message: null, pairs })
}

/** Each culprit with its own message and the part that is none. */
function malformed(
  { params, identifier, identity }: SetupContext,
  { opens }: SetupTrail,
  culprits: readonly Identifier[],
  messages: readonly Message[],
): Outcome<never> {
  const field = `sealed.${identifier}`
  const proven: Identifier[] = []
  const evidence = messages.flatMap((message) => {
    const opened = openMessage(message, identity.verifyKeys, identifier)
    if (!opened.ok) return []
    const { header, sealed } = opened.value
    // A part that no evidence has room for proves nothing: its sender merely gave no answer.
    const tooLong = (sealed.get(identifier)?.length ?? 0) > SETUP_PART_MAX
    if (!culprits.includes(header.sender) || tooLong) return []
    proven.push(header.sender)
    return [exchangeEvidence(params, opens, opened.value, [identifier])]
  })
  const silent = culprits.filter((culprit) => !proven.includes(culprit))
  return abort("malformed-payload", { culprits: proven, silent, evidence, field })
}

type ResultOf<K extends SetupResult["kind"]> = Extract<SetupResult, { kind: K }>

function answer(trail: SetupTrail, secret: Bytes, message: Message): SetupAnswer {
  const state = encode(setupStateCodec, { trail: encode(setupTrailCodec, trail), secret })
  secret.fill(0)
  return { state, message, pairs: new Map() }
}

function openAnswer(
  { params, identifier, identity, pairs }: SetupContext,
  { nonce, ephemeral, secret }: ResultOf<"opened">,
): SetupAnswer {
  const others = othersThan(params.participants, identifier)
  const statuses = new Map(
    others.map((other) => [other, pairs.get(other) ?? ({ kind: "none" } as const)]),
  )
  const payload = { params: setupParamsDigest(params), statuses, ephemeral }
  const broadcast = encode(setupOpenCodec, payload)
  const { rosterEpoch } = params
  const slot = firstSlot({ step: headerStep(1), rosterEpoch }, nonce, identifier)
  const message = signMessage(identity.signer, slot, { previousDigest: NO_PREVIOUS, broadcast })
  const { header } = message
  const opens = new Map([[identifier, { header, broadcast }]])
  return answer({ step: 1, opens, exchanges: new Map() }, secret, message)
}

function exchangeAnswer(
  { params, identifier, identity }: SetupContext,
  trail: SetupTrail,
  { parts, secret }: ResultOf<"exchanged">,
): SetupAnswer {
  const sessionId = sessionOf(params, trail.opens)
  const slot = { ...setupSlot(params, 2, sessionId), sender: identifier }
  const previousDigest = echoDigest(digestsOf(trail.opens))
  const draft = { previousDigest, broadcast: EMPTY, sealed: parts }
  const message = signMessage(identity.signer, slot, draft)
  const exchanges = new Map([[identifier, { header: message.header, broadcast: EMPTY }]])
  return answer({ ...trail, exchanges }, secret, message)
}

function confirmAnswer(
  { params, identifier, identity }: SetupContext,
  trail: SetupTrail,
  secret: Bytes,
): SetupAnswer {
  const sessionId = sessionOf(params, trail.opens)
  const slot = { ...setupSlot(params, 3, sessionId), sender: identifier }
  const outcome = setupOutcome(sessionId, pairsToSetUp(params, openPayloads(trail.opens)))
  const draft = {
    previousDigest: echoDigest(digestsOf(trail.exchanges)),
    broadcast: encode(setupConfirmCodec, { outcome }),
  }
  return answer(trail, secret, signMessage(identity.signer, slot, draft))
}

/**
 * What a coordinator can check of the messages it relays, before it passes them on: those of the last
 * of `steps`, where the earlier ones were inspected when they came.
 */
export function setupInspect(
  params: SetupParams,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
  steps: readonly (readonly Message[])[],
): Outcome<null> {
  const collector: SetupCollector = {
    ...{ params, verifyKeys, senders: params.participants, reader: "all-parts" },
  }
  const fit = checkSetupParams(params, verifyKeys)
  if (!fit.ok) return fit
  const [first, second, third] = steps
  if (!first) return done(null)
  if (!second) return withoutValue(collectSetupOpens(collector, first))
  const opens = statementsIn(first)
  if (!third) return withoutValue(collectSetupExchanges(collector, opens, second))
  return withoutValue(collectSetupConfirms(collector, opens, statementsIn(second), third))
}

function withoutValue(outcome: Outcome<unknown>): Outcome<null> {
  return outcome.ok ? done(null) : outcome
}
