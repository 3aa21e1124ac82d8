import {
  bulkStepInput,
  bulkStepOutput,
  type Event,
  identityKeys,
  LockKeeperError,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { type Abort, dkls, encodeEvidence, type Message, type Outcome } from "@lockkeeper/protocols"
import { loggedIncidents, MAX_PIECES, ownFindings } from "../incidents/own.ts"
import type { Urgency } from "../ports/dependencies.ts"
import type { Change } from "../ports/store.ts"
import type { Run } from "../presigning/runs.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeSharedAs } from "../request/decode.ts"
import type { OwnerStep, Step } from "../request/step.ts"

/** The others' messages of the step before. */
export function readBulkMessages(input: Bytes): readonly Message[] {
  const { messages } = decodeSharedAs("input", bulkStepInput, input)
  return messages.map((m, i) => decodeSharedAs(`input.messages.${i}`, dkls.dklsMessageCodec, m))
}

/** Refuses sets that are not ascending, distinct, and exactly whom the request is addressed to. */
export function checkAddressees(
  { self, request }: OwnerStep,
  set: readonly Identifier[],
  field: string,
): void {
  const refuse = (message: string): never => {
    throw new LockKeeperError("invalid-request", message, { field })
  }
  if (set.length < 2) refuse("It takes two servers at least.")
  const { servers } = request
  const same = set.length === servers.length && set.every((one, i) => one === servers[i])
  if (!same) refuse("These are not the servers the request is addressed to.")
  const listed = new Set(self.roster.members.map(({ identifier }) => identifier))
  const stranger = set.find((one) => !listed.has(one))
  if (stranger !== undefined) refuse(`The roster has no server ${stranger}.`)
}

export function dklsIdentity({ self }: OwnerStep): dkls.DklsIdentity {
  return { signer: self.identity, verifyKeys: identityKeys(self.roster) }
}

export interface Computation<T> {
  readonly run: Run
  readonly urgency: Urgency
  readonly task: (randomness: Bytes) => Outcome<Bytes>
  /** What has to be durable before anything is computed. */
  readonly before?: () => Promise<void>
  readonly answer: (result: Bytes) => Outcome<T>
}

/** The three parts of a step: the messages are checked, the heavy part computed, the answer signed. */
export async function computeStep<T>(
  { deps }: OwnerStep,
  { run, urgency, task, before, answer }: Computation<T>,
): Promise<Outcome<T>> {
  const randomness = deps.randomness.bytes(dkls.STEP_RANDOMNESS)
  try {
    const made = task(randomness)
    if (!made.ok) return made
    await before?.().catch((error: unknown) => {
      made.value.fill(0)
      throw error
    })
    const result = await deps.compute.work(made.value, urgency)
    try {
      return answer(result)
    } finally {
      result.fill(0)
    }
  } finally {
    randomness.fill(0)
    run.state?.fill(0)
  }
}

/** What a step changes beside the run itself. */
export interface Effects {
  readonly changes: readonly Change[]
  readonly event: Partial<Event>
  readonly afterCommit?: () => void
  /** However the commit ended. */
  readonly release?: (committed: boolean) => void
}

/** The outcome of a step that went well: this server's message, or that the run is complete. */
export function answered(
  step: OwnerStep,
  run: Run,
  { state, message }: { readonly state: Bytes | null; readonly message: Message | null },
  { changes, event, afterCommit, release }: Effects,
): StepOutcome {
  let committed = false
  const output = encode(
    bulkStepOutput,
    message === null
      ? { kind: "complete" }
      : { kind: "message", message: encode(dkls.dklsMessageCodec, message) },
  )
  return {
    output,
    answer: "in-memory",
    changes,
    event: step.event(event),
    afterCommit: () => {
      committed = true
      run.advance(state)
      afterCommit?.()
    },
    release: () => {
      run.settle()
      release?.(committed)
    },
  }
}

/**
 * The outcome of a step that stopped the run. It is an answer and not a refusal, since only this
 * server can prove what it was sent. A pair that it belongs to is dead from here on.
 */
export async function stopped(
  step: OwnerStep,
  run: Run,
  abort: Abort,
  { changes, event }: Effects,
): Promise<StepOutcome> {
  const { reason, culprits, pair } = abort
  // Before anything can go wrong: what else is checked meanwhile has to know.
  const buried = await buryOwn(step, pair, reason)
  const evidence = abort.evidence.slice(0, MAX_PIECES).map(encodeEvidence)
  const recording = ownFindings(step, abort)
  const incidents = loggedIncidents(recording)
  return {
    output: encode(bulkStepOutput, { kind: "aborted", reason, culprits, pair, evidence }),
    answer: "in-memory",
    changes: [...changes, ...buried, ...recording.changes],
    event: step.event({ ...event, outcome: "aborted", reason, culprits, pair, incidents }),
    afterCommit: () => {
      recording.committed()
      step.counters.add("presign-aborts")
    },
    release: () => {
      recording.release()
      run.settle()
    },
  }
}

/** Ends this server's pair with the other end of an accusation, when it is one of the two. */
export async function buryOwn(
  { self, deps, presigning, counters }: Step,
  pair: readonly [Identifier, Identifier] | null,
  cause: string,
): Promise<readonly Change[]> {
  if (pair === null || !pair.includes(self.identifier)) return []
  const peer = pair[0] === self.identifier ? pair[1] : pair[0]
  const changes = await presigning.pairs.bury(peer, cause)
  if (changes.length === 0) return changes
  counters.add("pairs-dead")
  deps.events.event("pair-dead", { peer, reason: cause })
  return changes
}
