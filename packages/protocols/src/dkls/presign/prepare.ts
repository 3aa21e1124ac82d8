import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { digestsOf } from "../../messages/echo.ts"
import type { Message, Received } from "../../messages/message.ts"
import { abort, done, type Outcome } from "../../outcome.ts"
import { framedCodec } from "../frame.ts"
import { STEP_RANDOMNESS } from "../limits.ts"
import type { PresignContext, PresignSecrets, PresignStep } from "../types.ts"
import { confirmAbort, shown } from "./blame.ts"
import { agreeOnSetups, type Collector, collectOpens, collectSaid, type Heard } from "./collect.ts"
import {
  checkPresignParams,
  keyDigest,
  othersThan,
  type PresignRun,
  presignParamsDigest,
  presignSession,
} from "./params.ts"
import { type OpenPayload, openPayloadCodec, type SaidPayload } from "./payloads.ts"
import { isConfirmed, recordDigest } from "./record.ts"
import { joined, type PresignTrail, presignStateCodec, presignTrailCodec } from "./state.ts"
import { type PeerInput, type PresignTask, presignTaskCodec } from "./task.ts"

const ZEROS = new Uint8Array(32)
const EMPTY = new Uint8Array(0)

/**
 * What a step is to compute, from the other signers' messages of the step before: for `work`.
 *
 * @param state - of the step before; null at step 1. Only one task is ever made of it: r_i and phi_i
 *   in two sessions would tie two presignatures to each other.
 * @param secrets - needed at steps 1 to 3.
 * @param randomness - `STEP_RANDOMNESS` fresh uniform bytes; never reused.
 * @throws RangeError when state, secrets or randomness are not those of the step.
 */
export function presignTask(
  context: PresignContext,
  step: PresignStep,
  state: Bytes | null,
  messages: readonly Message[],
  secrets: PresignSecrets | null,
  randomness: Bytes,
): Outcome<Bytes> {
  if (randomness.length !== STEP_RANDOMNESS) {
    throw new RangeError(`randomness is not ${STEP_RANDOMNESS} bytes`)
  }
  if ((state === null) !== (step === 1)) throw new RangeError("state of another step")
  const fit = checkContext(context)
  if (!fit.ok) return fit
  const { params, identifier } = context
  const paired = step <= 3 ? pairsFor(context, secrets) : done(new Map())
  if (!paired.ok) return paired
  const base: PresignTask = {
    ...{ step, params, public: context.public, identifier, randomness },
    ...{ sessionId: ZEROS, secret: EMPTY, peers: new Map(), carried: EMPTY },
    ...{ exchanged: new Map(), published: new Map(), pairs: paired.value },
    signingShare: step === 2 ? (secrets?.signingShare ?? null) : null,
  }
  const completed = state === null ? done(base) : continued(context, base, state, messages)
  if (!completed.ok) return completed
  const body = encode(presignTaskCodec, completed.value)
  const task = encode(framedCodec, { protocol: "presign", body })
  for (const copy of [body, completed.value.secret]) copy.fill(0)
  return done(task)
}

function checkContext(context: PresignContext): Outcome<null> {
  const { params, identifier, identity } = context
  const fit = checkPresignParams(params, context.public)
  if (!fit.ok) return fit
  if (!params.signers.includes(identifier)) return abort("not-a-signer", { field: "signers" })
  const unknown = params.signers.find((signer) => !identity.verifyKeys.has(signer))
  return unknown === undefined
    ? done(null)
    : abort("unknown-sender", { field: `signers.${unknown}` })
}

/** The pairs with the other signers, and no others. */
function pairsFor(
  { params, identifier }: PresignContext,
  secrets: PresignSecrets | null,
): Outcome<PresignSecrets["pairs"]> {
  if (!secrets) throw new RangeError("the steps 1 to 3 take the pairs")
  const others = othersThan(params.signers, identifier)
  const missing = others.find((other) => !secrets.pairs.has(other))
  if (missing !== undefined) {
    const [low, high] = [Math.min(identifier, missing), Math.max(identifier, missing)]
    return abort("wrong-setup", { field: `setups.${low}.${high}` })
  }
  return done(new Map(others.map((other) => [other, secrets.pairs.get(other)!])))
}

/** The task of a step that answers messages. */
function continued(
  context: PresignContext,
  base: PresignTask,
  state: Bytes,
  messages: readonly Message[],
): Outcome<PresignTask> {
  const { trail: carried, secret } = decode(presignStateCodec, state)
  const trail = decode(presignTrailCodec, carried)
  if (trail.step !== base.step - 1) throw new RangeError("state of another step")
  const { params, identifier, identity } = context
  const kept = isAsOpened(context, trail, base.pairs)
  if (!kept.ok) return kept
  const collector: Collector = {
    params,
    key: context.public,
    verifyKeys: identity.verifyKeys,
    senders: othersThan(params.signers, identifier),
    reader: identifier,
  }
  if (base.step === 2) {
    const task = { ...base, carried, secret }
    return exchangeTask(collector, task, trail, messages)
  }
  const run: PresignRun = { params, openings: digestsOf(trail.opens) }
  const task = { ...base, carried, secret, sessionId: presignSession(run) }
  const before = { run, opens: trail.opens }
  switch (base.step) {
    case 3: {
      const heard = collectSaid(collector, 2, { ...before, previous: trail.opens }, messages)
      if (!heard.ok) return heard
      const { exchanged } = trail
      return done({ ...task, exchanged, peers: peersOf(trail, heard.value, identifier) })
    }
    case 4: {
      const previous = trail.exchanges
      const heard = collectSaid(collector, 3, { ...before, previous }, messages)
      if (!heard.ok) return heard
      const { exchanged, published } = trail
      const peers = peersOf(trail, heard.value, identifier)
      return done({ ...task, exchanged, published, peers })
    }
    default: {
      const previous = trail.publishes
      const heard = collectSaid(collector, 4, { ...before, previous }, messages)
      if (!heard.ok) return heard
      const confirmed = checkConfirmations(run, trail, heard.value, collector)
      return confirmed.ok ? done(task) : confirmed
    }
  }
}

function ownOpening({ opens }: PresignTrail, identifier: Identifier): OpenPayload {
  return decode(openPayloadCodec, opens.get(identifier)!.broadcast)
}

/**
 * Whether key and pairs are still those that this signer opened with. What it went on to make of others
 * would look to everyone like a lie, or to itself like the other end's.
 */
function isAsOpened(
  { params, public: key, identifier }: PresignContext,
  trail: PresignTrail,
  pairs: PresignSecrets["pairs"],
): Outcome<null> {
  const own = ownOpening(trail, identifier)
  if (!equalBytes(own.params, presignParamsDigest(params))) {
    return abort("wrong-session", { field: "params" })
  }
  if (!equalBytes(own.key, keyDigest(key))) return abort("wrong-key", { field: "key" })
  for (const [other, { setupDigest }] of pairs) {
    if (equalBytes(setupDigest, own.setups.get(other)!)) continue
    return abort("wrong-setup", { field: "pairs" })
  }
  return done(null)
}

/** Step 2: everyone's openings make the session, if all of them are for the same setups. */
function exchangeTask(
  collector: Collector,
  task: PresignTask,
  trail: PresignTrail,
  messages: readonly Message[],
): Outcome<PresignTask> {
  const { params, identifier } = task
  const heard = collectOpens(collector, messages)
  if (!heard.ok) return heard
  const opened = new Map([[identifier, ownOpening(trail, identifier)]])
  for (const [sender, { payload }] of heard.value) opened.set(sender, payload)
  const agreed = agreeOnSetups(opened)
  if (!agreed.ok) return agreed
  const statements = new Map(
    [...heard.value].map(([sender, { received }]) => [
      sender,
      { header: received.signed, broadcast: received.broadcast },
    ]),
  )
  const openings = digestsOf(joined(trail.opens, statements))
  const peers = new Map<Identifier, PeerInput>()
  for (const [sender, { received, payload }] of heard.value) {
    const { commitment, ephemeral } = payload
    const nonce = received.header.sessionId
    const part = partFor(identifier, received)
    peers.set(sender, { nonce, ephemeral, commitment, digest: ZEROS, part })
  }
  return done({ ...task, peers, sessionId: presignSession({ params, openings }) })
}

function partFor(recipient: Identifier, { sealed }: Received): Bytes {
  return sealed.get(recipient) ?? EMPTY
}

/** Steps 3 and 4: what was sealed to this signer, and what its sender committed to. */
function peersOf(
  { opens }: PresignTrail,
  heard: ReadonlyMap<Identifier, Heard<SaidPayload>>,
  identifier: Identifier,
): Map<Identifier, PeerInput> {
  const peers = new Map<Identifier, PeerInput>()
  for (const [sender, { received, payload }] of heard) {
    const { commitment } = decode(openPayloadCodec, opens.get(sender)!.broadcast)
    const digest = payload.kind === "digest" ? payload.digest : ZEROS
    const part = partFor(identifier, received)
    peers.set(sender, { nonce: ZEROS, ephemeral: null, commitment, digest, part })
  }
  return peers
}

/** Step 5: everyone has signed the same records, or who has signed others. */
function checkConfirmations(
  run: PresignRun,
  trail: PresignTrail,
  heard: ReadonlyMap<Identifier, Heard<SaidPayload>>,
  { verifyKeys }: Collector,
): Outcome<null> {
  const confirmed = { sessionId: presignSession(run), batch: trail.records.map(recordDigest) }
  const wrong = [...heard].filter(([sender, { payload }]) => {
    const signature = payload.kind === "confirm" ? payload.signature : EMPTY
    return !isConfirmed(verifyKeys.get(sender)!, confirmed, signature)
  })
  if (wrong.length === 0) return done(null)
  const exchanges = shown(trail.exchanges, trail.exchanged)
  const publishes = shown(trail.publishes, trail.published)
  return confirmAbort(
    { run, exchanges, publishes },
    wrong.map(([, { received }]) => received),
  )
}
