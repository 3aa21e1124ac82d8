import type { Identifier } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import type { DklsEdge } from "../../evidence/dkls-edge.ts"
import type { Evidence } from "../../evidence/evidence.ts"
import { type Judged, judgeForm } from "../../judged.ts"
import type { PublicKeyPackage } from "../../keys.ts"
import { digestsOf, echoDigest } from "../../messages/echo.ts"
import type { Message, Reader, Received } from "../../messages/message.ts"
import { collectAvailable, openInRound, type Round } from "../../messages/round.ts"
import { type Statement, statementOf } from "../../messages/statement.ts"
import { abort, done, type Outcome } from "../../outcome.ts"
import { collectFirst } from "../first-step.ts"
import type { PresignParams } from "../types.ts"
import { isForParams, judgeOpen, judgeSaid, paramsNamedBy } from "./checks.ts"
import { keyDigest, type PresignRun, presignSession, presignSlot } from "./params.ts"
import { type OpenPayload, type SaidPayload, saidPayloadCodec } from "./payloads.ts"
import type { Statements } from "./state.ts"

/** Who collects a step. */
export interface Collector {
  readonly params: PresignParams
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  /** The key as the collector knows it. */
  readonly key: PublicKeyPackage
  /** Whose messages are missing here: everyone but the collector itself. */
  readonly senders: readonly Identifier[]
  readonly reader: Reader
}

/** What a message said, and with what. */
export interface Heard<T> {
  readonly received: Received
  readonly payload: T
}

type HeardBy<T> = ReadonlyMap<Identifier, Heard<T>>

function judgeEach<T>(
  messages: ReadonlyMap<Identifier, Received>,
  judge: (message: Received) => Judged<T>,
  evidenceOf: (statement: Statement, sender: Identifier) => Evidence,
): Outcome<HeardBy<T>> {
  const heard = new Map<Identifier, Heard<T>>()
  const culprits: Identifier[] = []
  const evidence: Evidence[] = []
  let first: Extract<Judged<T>, { ok: false }> | null = null
  for (const [sender, received] of messages) {
    const judged = judge(received)
    if (judged.ok) heard.set(sender, { received, payload: judged.payload })
    else {
      first ??= judged
      culprits.push(sender)
      evidence.push(evidenceOf(statementOf(received), sender))
    }
  }
  if (!first) return done(heard)
  return abort(first.reason, { culprits, evidence, field: first.field })
}

/**
 * Step 1. Whoever opened for another run or key has not answered here, and no more than that: a
 * coordinator may have asked for two runs, and two generations of a key with one id may both have been
 * confirmed. Going on would make honest signers look dishonest to each other.
 */
export function collectOpens(
  { params, key, verifyKeys, senders, reader }: Collector,
  messages: readonly Message[],
): Outcome<HeardBy<OpenPayload>> {
  const { rosterEpoch } = params
  const collected = collectFirst({ step: 1, rosterEpoch, senders, verifyKeys, reader }, messages)
  if (!collected.ok) return collected
  const elsewhere = [...collected.value.values()].filter(
    ({ broadcast }) => !isForParams(params, broadcast),
  )
  if (elsewhere.length > 0) {
    const silent = elsewhere.map(({ header }) => header.sender)
    return abort("wrong-session", { field: "params", silent })
  }
  const heard = judgeEach(
    collected.value,
    (message) => judgeOpen(params, message),
    (open, sender) => {
      const named = paramsNamedBy(params, sender, open.broadcast)
      return { kind: "dkls-open", params: named, open }
    },
  )
  if (!heard.ok) return heard
  const expected = keyDigest(key)
  const strangers = [...heard.value].filter(([, { payload }]) => !equalBytes(payload.key, expected))
  if (strangers.length === 0) return heard
  return abort("wrong-key", { field: "key", silent: strangers.map(([sender]) => sender) })
}

/**
 * Whether the two ends of each pair name one setup. A difference blames nobody: a setup's last step
 * may have reached one end only. Multiplying over it would make an honest end look dishonest.
 */
export function agreeOnSetups(opened: ReadonlyMap<Identifier, OpenPayload>): Outcome<null> {
  for (const [j, { setups }] of opened) {
    for (const [k, digest] of setups) {
      const opposite = opened.get(k)?.setups.get(j)
      if (opposite && !equalBytes(digest, opposite)) {
        const [low, high] = [Math.min(j, k), Math.max(j, k)]
        return abort("wrong-setup", { field: `setups.${low}.${high}` })
      }
    }
  }
  return done(null)
}

/** What came before a step: every signer's statements of each step, the collector's own included. */
export interface Before {
  readonly run: PresignRun
  readonly opens: Statements
  /** Of the step directly before. */
  readonly previous: Statements
}

/**
 * Steps 2 to 4. An accusation among the messages ends the run whatever else is missing: one of the two
 * is at fault, and everyone who sees it can show that.
 */
export function collectSaid(
  { params, verifyKeys, senders, reader }: Collector,
  step: 2 | 3 | 4,
  { run, previous }: Before,
  messages: readonly Message[],
): Outcome<HeardBy<SaidPayload>> {
  const previousDigest = echoDigest(digestsOf(previous))
  const slot = presignSlot(params, step, presignSession(run))
  const round: Round = { ...slot, senders, verifyKeys, previousDigest, reader }
  const accusations = accusationsIn(params, step, round, messages)
  if (accusations.length > 0) return pairwiseFault(accusations, step, run, previous)
  const collected = collectAvailable(round, messages)
  if (!collected.ok) return collected
  const { received, silent } = collected.value
  const heard = judgeEach(
    received,
    (message) => judgeSaid(params, step, message),
    (said) => ({ kind: "dkls-said", run, step, said }),
  )
  if (!heard.ok) return heard
  return silent.length > 0 ? abort("missing-messages", { silent }) : heard
}

interface Accusation {
  readonly accuser: Identifier
  readonly accused: Identifier
  readonly statement: Statement
}

/**
 * Looked for one message at a time, so that an accused signer cannot hide what it is accused of behind
 * a message of its own that stops the run for no reason. One of the reader comes first, if there is
 * one: it is the reader's pair that is dead then.
 */
function accusationsIn(
  params: PresignParams,
  step: 2 | 3 | 4,
  round: Round,
  messages: readonly Message[],
): Accusation[] {
  const accusations: Accusation[] = []
  for (const message of messages) {
    const form = judgeForm(saidPayloadCodec, message.broadcast)
    if (!form.ok || form.payload.kind !== "accuse") continue
    const opened = openInRound(round, message)
    if (!opened.ok) continue
    const judged = judgeSaid(params, step, opened.value)
    if (!judged.ok || judged.payload.kind !== "accuse") continue
    const { accused } = judged.payload
    const accuser = opened.value.header.sender
    if (accusations.some((made) => made.accuser === accuser)) continue
    accusations.push({ accuser, accused, statement: statementOf(opened.value) })
  }
  const distance = ({ accused }: Accusation) => (accused === round.reader ? 0 : 1)
  return accusations.sort((a, b) => distance(a) - distance(b))
}

/** The first names the pair; all are evidence, so that no liar hides behind another's accusation. */
function pairwiseFault(
  accusations: readonly Accusation[],
  step: 2 | 3 | 4,
  run: PresignRun,
  previous: Statements,
): Outcome<never> {
  const [{ accuser, accused }] = accusations as readonly [Accusation]
  const evidence = accusations.map(({ accused, statement }): Evidence => {
    const against = previous.get(accused)!
    const edge: DklsEdge = { kind: "accusation", run, step, accusation: statement, against }
    return { kind: "dkls-edge", edge }
  })
  return abort("pairwise-fault", { pair: [accuser, accused], evidence, field: "accused" })
}
