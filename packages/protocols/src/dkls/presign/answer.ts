import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../../messages/echo.ts"
import { NO_PREVIOUS } from "../../messages/header.ts"
import { type Message, signMessage } from "../../messages/message.ts"
import { signLabelled } from "../../messages/signature.ts"
import { done, type Outcome } from "../../outcome.ts"
import { firstSlot } from "../first-step.ts"
import { LABELS } from "../labels.ts"
import type { PresignAnswer, Presignature, PresignContext, PresignStep } from "../types.ts"
import { faultAbort } from "./blame.ts"
import { type PresignRun, presignSession, presignSlot } from "./params.ts"
import { payloadDigest, type SaidPayload, saidPayloadCodec } from "./payloads.ts"
import { confirmedCodec, recordDigest } from "./record.ts"
import {
  joined,
  NO_TRAIL,
  type PresignTrail,
  presignStateCodec,
  presignTrailCodec,
  type Statements,
  statementsIn,
} from "./state.ts"
import {
  type Payloads,
  type PresignResult,
  presignResultCodec,
  publishedSecretCodec,
  wipeDecoded,
} from "./task.ts"

type ResultOf<K extends PresignResult["kind"]> = Extract<PresignResult, { kind: K }>

/**
 * This signer's message of the step, from what `work` made of the task.
 *
 * @param messages - those that the task was made of.
 */
export function presignAnswer(
  context: PresignContext,
  step: PresignStep,
  result: Bytes,
  messages: readonly Message[],
): Outcome<PresignAnswer> {
  const { result: made, carried } = decode(presignResultCodec, result)
  const before = step === 1 ? { ...NO_TRAIL, step } : decode(presignTrailCodec, carried)
  const opened = "opened" in made ? made.opened : new Map<Identifier, Bytes>()
  const trail = extended({ ...before, step }, statementsIn(messages), opened)
  if (made.kind === "opened") return done(openAnswer(context, trail, made))
  const run = { params: context.params, openings: digestsOf(trail.opens) }
  const turn: Turn = { context, run, trail }
  switch (made.kind) {
    case "fault":
      return faultAbort(made, { run, trail, certificate: context.certificate })
    case "accuse": {
      const message = say(turn, { kind: "accuse", accused: made.accused })
      return done({ state: null, message, accused: made.accused, presignatures: [] })
    }
    case "sealed":
      return done(sealedAnswer(turn, made))
    case "recorded":
      return done(confirmAnswer(turn, made))
    case "kept":
      return done(activateAnswer(turn, made, messages))
  }
}

interface Turn {
  readonly context: PresignContext
  readonly run: PresignRun
  readonly trail: PresignTrail
}

/** The trail with the messages that this step answers. */
function extended(trail: PresignTrail, heard: Statements, opened: Payloads): PresignTrail {
  switch (trail.step) {
    case 2:
      return { ...trail, opens: joined(trail.opens, heard) }
    case 3:
      return {
        ...trail,
        exchanges: joined(trail.exchanges, heard),
        exchanged: joined(trail.exchanged, opened),
      }
    case 4:
      return {
        ...trail,
        publishes: joined(trail.publishes, heard),
        published: joined(trail.published, opened),
      }
    default:
      return trail
  }
}

/** What the headers of a step echo. */
function previousOf({ step, opens, exchanges, publishes }: PresignTrail): Statements {
  if (step === 2) return opens
  return step === 3 ? exchanges : publishes
}

/** Signs a message of one of the steps 2 to 4. */
function say(
  { context, run, trail }: Turn,
  payload: SaidPayload,
  sealed: ReadonlyMap<Identifier, Bytes> = new Map(),
): Message {
  const { params, identifier, identity } = context
  const slot = { ...presignSlot(params, trail.step, presignSession(run)), sender: identifier }
  const previousDigest = echoDigest(digestsOf(previousOf(trail)))
  const broadcast = encode(saidPayloadCodec, payload)
  return signMessage(identity.signer, slot, { previousDigest, broadcast, sealed })
}

function answer(trail: PresignTrail, secret: Bytes, message: Message): PresignAnswer {
  const state = encode(presignStateCodec, { trail: encode(presignTrailCodec, trail), secret })
  secret.fill(0)
  return { state, message, accused: null, presignatures: [] }
}

function own(identifier: Identifier, { header, broadcast }: Message): Statements {
  return new Map([[identifier, { header, broadcast }]])
}

function openAnswer(
  { params, identifier, identity }: PresignContext,
  trail: PresignTrail,
  { nonce, broadcast, parts, secret }: ResultOf<"opened">,
): PresignAnswer {
  const slot = firstSlot({ step: 1, rosterEpoch: params.rosterEpoch }, nonce, identifier)
  const draft = { previousDigest: NO_PREVIOUS, broadcast, sealed: parts }
  const message = signMessage(identity.signer, slot, draft)
  return answer({ ...trail, opens: own(identifier, message) }, secret, message)
}

function sealedAnswer(turn: Turn, { payload, parts, secret }: ResultOf<"sealed">): PresignAnswer {
  const { trail, run } = turn
  const { identifier } = turn.context
  const sealed = { sessionId: presignSession(run), sender: identifier, payload }
  const message = say(turn, { kind: "digest", digest: payloadDigest(sealed) }, parts)
  const said = own(identifier, message)
  const payloads = new Map([[identifier, payload]])
  const next =
    trail.step === 2
      ? { ...trail, exchanges: said, exchanged: payloads }
      : { ...trail, publishes: said, published: payloads }
  return answer(next, secret, message)
}

function confirmAnswer(turn: Turn, { records, secret }: ResultOf<"recorded">): PresignAnswer {
  const { identity } = turn.context
  const confirmed = { sessionId: presignSession(turn.run), batch: records.map(recordDigest) }
  const { confirmation: label } = LABELS
  const signature = signLabelled(identity.signer, label, confirmedCodec, confirmed)
  const message = say(turn, { kind: "confirm", signature })
  return answer({ ...turn.trail, records, confirmation: signature }, secret, message)
}

/** The presignatures, which everyone has confirmed. */
function activateAnswer(
  { context, trail }: Turn,
  { secret }: ResultOf<"kept">,
  messages: readonly Message[],
): PresignAnswer {
  const { identifier } = context
  const confirmations = new Map([[identifier, trail.confirmation]])
  for (const [sender, { broadcast }] of statementsIn(messages)) {
    const said = decode(saidPayloadCodec, broadcast)
    if (said.kind === "confirm") confirmations.set(sender, said.signature)
  }
  const kept = decode(publishedSecretCodec, secret)
  const batch = trail.records.map(recordDigest)
  const presignatures = trail.records.map(
    (record, k): Presignature => ({
      id: batch[k]!,
      identifier,
      certificate: { record, batch, confirmations: joined(confirmations, new Map()) },
      phi: Secret.copyOf(kept.phi[k]!),
      u: Secret.copyOf(kept.u[k]!),
      v: Secret.copyOf(kept.v[k]!),
    }),
  )
  wipeDecoded(kept)
  secret.fill(0)
  return { state: null, message: null, accused: null, presignatures }
}
