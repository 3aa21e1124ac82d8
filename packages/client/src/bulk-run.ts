import {
  type BulkStepOutput,
  bulkStepInput,
  bulkStepOutput,
  LockKeeperError,
  type SignedRequest,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decodeShared, encode } from "@lockkeeper/encoding"
import { type Abort, deliver, dkls, type Message, type Outcome } from "@lockkeeper/protocols"
import { askAll } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import type { Logged, Principal } from "./principal.ts"
import type { SignerSet } from "./signer-sets.ts"

/** A run whose messages are too large for anything but relaying: setup of pairs, presigning. */
export interface BulkOrder {
  readonly request: SignedRequest
  readonly participants: SignerSet
  readonly steps: number
  /** What can be seen of the messages before they are passed on: all so far, by step. */
  readonly inspect: (steps: readonly (readonly Message[])[]) => Outcome<null>
  readonly stepMs: number
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
  /** Told of each call, so that somebody else can be asked beside a slow server. */
  readonly watch?: (server: Identifier) => () => void
}

/** How a run ended. */
export type BulkResult =
  | { readonly kind: "complete"; readonly log: readonly Logged[] }
  | {
      readonly kind: "stopped"
      /** Why, as an abort reason or an error code. */
      readonly reason: string
      /** Proven to be at fault. */
      readonly culprits: readonly Identifier[]
      /** Of each pair one is at fault; they do not multiply together any more. */
      readonly pairs: readonly (readonly [Identifier, Identifier])[]
      /** Gave no answer, or none that could be used. */
      readonly lost: ReadonlyMap<Identifier, LockKeeperError>
    }

export type Stopped = Extract<BulkResult, { kind: "stopped" }>
type Aborted = Extract<BulkStepOutput, { kind: "aborted" }>

/**
 * Has the participants carry out a run, step by step, each among all of them at once. What servers
 * say of each other is believed only as far as the evidence with it holds: messages are sealed to
 * servers, so that only they see what was wrong, but they cannot frame anyone.
 */
export async function bulkRun(principal: Principal, order: BulkOrder): Promise<BulkResult> {
  const steps: Message[][] = []
  for (let step = 1; ; step++) {
    const before = steps.at(-1) ?? []
    const asked = await askStep(principal, order, step, before)
    const aborted = asked.outputs.flatMap(([, output]) => (output.kind === "aborted" ? output : []))
    if (aborted.length > 0 || asked.lost.size > 0) return stopped(order, aborted, asked.lost)
    if (step === order.steps) return { kind: "complete", log: asked.log }
    const messages = readMessages(order, asked.outputs)
    if (!Array.isArray(messages)) return messages
    steps.push(messages)
    const inspected = order.inspect(steps)
    // Where nobody is named the servers say themselves what follows from it: a pair at odds is dead,
    // one whose ends differ is forgotten, and both ends have to hear of it.
    if (!inspected.ok && namesServers(inspected.abort)) return seenBy(order, inspected.abort)
  }
}

function namesServers({ culprits, silent, pair }: Abort): boolean {
  return pair === null && culprits.length + silent.length > 0
}

interface Asked {
  readonly outputs: readonly (readonly [Identifier, BulkStepOutput])[]
  readonly log: readonly Logged[]
  readonly lost: ReadonlyMap<Identifier, LockKeeperError>
}

async function askStep(
  principal: Principal,
  order: BulkOrder,
  step: number,
  before: readonly Message[],
): Promise<Asked> {
  const { request, participants, stepMs, signal, incidents, watch } = order
  const { answers, failures } = await askAll(principal.servers, participants, async (server) => {
    const done = watch?.(server)
    try {
      const input = inputFor(server, participants, before)
      return await principal.act(server, request, step, input, signal, stepMs)
    } finally {
      done?.()
    }
  })
  const lost = new Map(failures)
  const outputs: [Identifier, BulkStepOutput][] = []
  const log: Logged[] = []
  for (const [server, answer] of answers) {
    try {
      outputs.push([server, decodeShared(bulkStepOutput, answer.output)])
      log.push({ server, log: answer.log })
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      lost.set(server, unusable(server))
      incidents.suspected(server, "malformed-payload")
    }
  }
  return { outputs, log, lost }
}

/** The others' messages of the step before, in the participants' order. */
function inputFor(server: Identifier, participants: SignerSet, before: readonly Message[]): Bytes {
  const messages = before.flatMap((message, i) =>
    participants[i] === server ? [] : [encode(dkls.dklsMessageCodec, deliver(message, server))],
  )
  return encode(bulkStepInput, { messages })
}

/** Everyone's message of a step in the participants' order, or who gave none. */
function readMessages(order: BulkOrder, outputs: Asked["outputs"]): Message[] | Stopped {
  const lost = new Map<Identifier, LockKeeperError>()
  const messages = new Map<Identifier, Message>()
  for (const [server, output] of outputs) {
    const message = output.kind === "message" ? decodeMessage(output.message) : null
    if (message !== null) messages.set(server, message)
    else {
      lost.set(server, unusable(server))
      order.incidents.suspected(server, "malformed-payload")
    }
  }
  if (lost.size > 0) return stopped(order, [], lost)
  return order.participants.map((id) => messages.get(id) as Message)
}

function decodeMessage(encoded: Bytes): Message | null {
  try {
    return decodeShared(dkls.dklsMessageCodec, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/** What the coordinator has seen itself ends the run; the servers forget it by themselves. */
function seenBy({ incidents }: BulkOrder, abort: Abort): Stopped {
  incidents.aborted(abort)
  const { reason, culprits, silent } = abort
  const lost = new Map(silent.map((server) => [server, unusable(server)]))
  return { kind: "stopped", reason, culprits, pairs: [], lost }
}

function stopped(
  { incidents }: BulkOrder,
  aborted: readonly Aborted[],
  lost: ReadonlyMap<Identifier, LockKeeperError>,
): Stopped {
  const culprits = new Set<Identifier>()
  const pairs: (readonly [Identifier, Identifier])[] = []
  for (const evidence of aborted.flatMap((abort) => abort.evidence)) {
    const proven = incidents.provenBy(evidence)
    if (proven?.kind === "culprit") culprits.add(proven.culprit)
    else if (proven?.kind === "pair") pairs.push(proven.pair)
  }
  const [first] = lost.values()
  const reason = aborted[0]?.reason ?? first?.code ?? "stopped"
  return { kind: "stopped", reason, culprits: [...culprits], pairs, lost }
}

/** Notes who gave no answer or refused; what could not be used is noted already. */
export function noteLost(incidents: IncidentLog, { lost }: Stopped, participants: SignerSet): void {
  for (const [server, error] of lost) {
    if (error.code !== "untrusted-server") incidents.failed(server, error, participants)
  }
}

function unusable(server: Identifier): LockKeeperError {
  return new LockKeeperError("untrusted-server", "The server's message cannot be used.", { server })
}
