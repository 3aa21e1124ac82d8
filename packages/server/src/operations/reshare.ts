import {
  LockKeeperError,
  RESHARE_STEPS,
  reshareOpenInput,
  reshareOpenOutput,
  reshareStepInput,
  type SealedRecords,
} from "@lockkeeper/api"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { type Abort, type Message, messageCodec, reshare } from "@lockkeeper/protocols"
import type { Change } from "../ports/store.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import type { OperatorOperationStep } from "../request/step.ts"
import {
  type Entry,
  generationOf,
  knownOf,
  putGeneration,
  readEntries,
  sameGeneration,
  sameShare,
  wipeEntries,
} from "../resharing/held.ts"
import type { ReshareRunRow, ReshareStage } from "../resharing/rows.ts"
import { putRun, wipeStage } from "../resharing/runs.ts"
import { moveUnknownNames } from "../unknown-names.ts"
import { refuseAbort } from "./aborts.ts"
import { activate } from "./reshare-activate.ts"
import { describe, recordsFor } from "./reshare-join.ts"
import {
  checkAttempt,
  checkBatch,
  checkParticipates,
  type ReshareTask,
  readMessages,
  reshareTask,
  unfitEntries,
} from "./reshare-task.ts"
import { noSuchStep } from "./steps.ts"

/**
 * Refresh or reshare of a batch, one step at a time: 1 open, 2 deal, 3 verdict, 4 activate, or 5 answer
 * where there are complaints; 6 is any holder's word about the batch, for one that has no share of it yet.
 * Every state is stored with the answer that it goes with, so that a run goes on behind a
 * restart, and whoever asks for the same run again, by whatever request, gets the same bytes.
 */
export const reshareOperation: OperatorOperationStep = async (step) => {
  if (!Object.values<number>(RESHARE_STEPS).includes(step.step)) throw noSuchStep()
  const task = await reshareTask(step)
  try {
    if (step.step === RESHARE_STEPS.describe) return await describe(task)
    checkParticipates(task)
    switch (step.step) {
      case RESHARE_STEPS.open:
        return await open(task)
      case RESHARE_STEPS.deal:
        return await deal(task)
      case RESHARE_STEPS.verdict:
        return await verdict(task)
      case RESHARE_STEPS.activate:
        return await activate(task)
      default:
        return await answer(task)
    }
  } finally {
    if (task.run !== null) wipeStage(task.run.value.stage)
  }
}

/** What was answered to this step of the run before, by whatever request; null where nothing was. */
function repeated({ run, step }: ReshareTask, name: reshare.ReshareStep): StepOutcome | null {
  const output = run?.value.answers[name] ?? null
  return output === null ? null : { output, changes: [], event: step.event() }
}

function outOfOrder(): LockKeeperError {
  return new LockKeeperError("out-of-order", "This run is not waiting for this step here.", {
    field: "step",
    remedy: "Begin another attempt.",
  })
}

/** The run's state, when it is one of these. @throws LockKeeperError `out-of-order` */
function stateIn<K extends ReshareStage["kind"]>(
  { run }: ReshareTask,
  ...kinds: readonly K[]
): { readonly row: ReshareRunRow; readonly version: number } & Extract<ReshareStage, { kind: K }> {
  const stage = run?.value.stage
  if (!run || !stage || !kinds.includes(stage.kind as K)) throw outOfOrder()
  return { ...(stage as Extract<ReshareStage, { kind: K }>), row: run.value, version: run.version }
}

async function open(task: ReshareTask): Promise<StepOutcome> {
  const before = repeated(task, "open")
  if (before !== null) return before
  const { step, params, source, range } = task
  const { self, deps, resharing, incidents, request } = step
  resharing.checkVouches()
  // Holders that are left out are in no danger; the others' openings are looked at with the dealings.
  incidents.checkNone([...params.dealers, ...request.servers])
  const { keys } = decodeAs("input", reshareOpenInput, step.input)
  checkBatch(task, keys)
  // Refused before anything is begun, as activating it would be.
  if (range !== null) await moveUnknownNames(deps, range, idsOf(keys))
  const entries = await readEntries(deps.store, source, idsOf(keys))
  try {
    checkAttempt(task, entries)
    const unfit = unfitEntries(task, keys, entries)
    if (unfit.length > 0) return withoutThese(task, unfit)
    const randomness = deps.randomness.bytes(reshare.OPEN_RANDOMNESS_LENGTH)
    const asked = { params, keys, known: entries.map(knownOf) }
    const outcome = reshare.reshareOpen(asked, self.identifier, task.identity, randomness)
    randomness.fill(0)
    if (!outcome.ok) return await refuseAbort(step, outcome.abort, [], {})
    const { state, message } = outcome.value
    const output = encode(reshareOpenOutput, {
      kind: "message",
      message: encode(messageCodec, message),
    })
    const row: ReshareRunRow = {
      ...{ kind: source.kind, range },
      operator: step.operator.server,
      startedAt: deps.clock.now(),
      stage: { kind: "opened", state },
      answers: { open: output, deal: null, verdict: null, answer: null },
    }
    // Of what this server never had a share of it keeps nothing before that is proven to exist.
    const opened = entries
      .filter(({ held, generation }) => held !== null || generation !== null)
      .map((entry) =>
        putGeneration(source, entry, { ...generationOf(entry), lastAttempt: params.attempt }),
      )
    const guards = entries.map((entry) => sameShare(source, entry))
    return kept(task, { row, version: "absent", output, changes: [...guards, ...opened] })
  } finally {
    wipeEntries(entries)
  }
}

/** Nothing is begun: whoever asked can begin with the rest. */
function withoutThese({ step }: ReshareTask, unfit: readonly reshare.UnfitKey[]): StepOutcome {
  const output = encode(reshareOpenOutput, { kind: "unfit", entries: unfit })
  const reason = unfit[0]?.reason ?? ""
  return { output, changes: [], event: step.event({ outcome: "aborted", reason }) }
}

interface Kept {
  readonly row: ReshareRunRow
  readonly version: number | "absent"
  readonly output: Bytes
  readonly changes: readonly Change[]
}

/** The run's next state, in the transaction that keeps the answer. */
function kept({ step, runId }: ReshareTask, { row, version, output, changes }: Kept): StepOutcome {
  const { resharing } = step
  try {
    const room = version === "absent" ? resharing.reserve(step.operator.server) : null
    return {
      output,
      changes: [...changes, putRun(runId, row, version)],
      event: step.event(),
      afterCommit: () => resharing.note(runId, row),
      release: () => room?.release(),
    }
  } finally {
    wipeStage(row.stage)
  }
}

function abortOf(task: ReshareTask, abort: Abort): Promise<StepOutcome> {
  // The state stays: who is to blame is in the messages, and a coordinator may bring better ones.
  return refuseAbort(task.step, abort, [], {})
}

function idsOf(keys: readonly reshare.ReshareKey[]): readonly Bytes[] {
  return keys.map(({ sharing }) => sharing.id)
}

async function deal(task: ReshareTask): Promise<StepOutcome> {
  const before = repeated(task, "deal")
  if (before !== null) return before
  const { step, source } = task
  const { deps } = step
  step.resharing.checkVouches()
  const { state, row, version } = stateIn(task, "opened")
  const { messages } = readInput(step.input)
  const entries = await readEntries(deps.store, source, idsOf(state.keys))
  try {
    const randomness = deps.randomness.bytes(reshare.dealRandomnessLength(state))
    // Where one is not held any more, the protocol refuses it like any other that does not fit.
    const held = entries.map(knownOf) as readonly reshare.Resharable[]
    const outcome = reshare.reshareDeal(state, messages, held, task.identity, randomness)
    randomness.fill(0)
    if (!outcome.ok) return await abortOf(task, outcome.abort)
    const { message, state: next } = outcome.value
    checkParticipants(task, next.opens.keys(), { kind: "dealt", state: next })
    const output = encode(messageCodec, message)
    return kept(task, {
      row: advanced(row, { kind: "dealt", state: next }, { deal: output }),
      version,
      output,
      changes: guardsOf(task, entries),
    })
  } finally {
    wipeEntries(entries)
  }
}

/** Nobody who is quarantined by now gets or gives shares; nothing has been taken for it. */
function checkParticipants(
  { step }: ReshareTask,
  participants: Iterable<number>,
  stage: ReshareStage,
): void {
  try {
    step.incidents.checkNone(participants)
  } catch (error) {
    wipeStage(stage)
    throw error
  }
}

function guardsOf({ source }: ReshareTask, entries: readonly Entry[]): readonly Change[] {
  return entries.flatMap((entry) => [sameShare(source, entry), sameGeneration(source, entry)])
}

function advanced(
  row: ReshareRunRow,
  stage: ReshareStage,
  answers: Partial<ReshareRunRow["answers"]>,
): ReshareRunRow {
  return { ...row, stage, answers: { ...row.answers, ...answers } }
}

function readInput(input: Bytes): {
  readonly messages: readonly Message[]
  readonly opens: readonly Message[]
  readonly records: readonly SealedRecords[]
} {
  const { messages, opens, records } = decodeAs("input", reshareStepInput, input)
  return {
    messages: readMessages("input.messages", messages),
    opens: readMessages("input.opens", opens),
    records,
  }
}

/** A confirmation is recorded with every generation it is for, in the commit that lets it leave. */
async function verdict(task: ReshareTask): Promise<StepOutcome> {
  const before = repeated(task, "verdict")
  if (before !== null) return before
  const { step, source, runId } = task
  step.resharing.checkVouches()
  const { state, row, version } = stateIn(task, "opened", "dealt")
  const { messages: deals, opens, records: told } = readInput(step.input)
  const entries = await readEntries(step.deps.store, source, idsOf(state.keys))
  try {
    // Whoever confirms a share is to hold it, with all that its owner needs.
    const records = await recordsFor(task, state, entries, told)
    const known = entries.map(knownOf)
    const outcome = reshare.reshareVerdict(state, { opens, deals, known }, task.identity)
    if (!outcome.ok) return await abortOf(task, outcome.abort)
    const { message, state: next } = outcome.value
    const stage = { kind: "judged", state: next, records } as const
    checkParticipants(task, next.opens.keys(), stage)
    const { pending } = next
    const confirmed = entries.map((entry, i) => {
      const reshared = pending?.reshared[i]
      if (reshared === undefined) return sameGeneration(source, entry)
      const highestKeyEpoch = reshared.sharing.keyEpoch
      return putGeneration(source, entry, {
        ...generationOf(entry),
        ...{ highestKeyEpoch, pendingRun: runId, lastAttempt: task.params.attempt },
      })
    })
    const guards = entries.map((entry) => sameShare(source, entry))
    const output = encode(messageCodec, message)
    const next_ = advanced(row, stage, { verdict: output })
    return kept(task, { row: next_, version, output, changes: [...guards, ...confirmed] })
  } finally {
    wipeEntries(entries)
  }
}

/** Shows how disputed parts were sealed. Shares that were confirmed are kept all the same. */
async function answer(task: ReshareTask): Promise<StepOutcome> {
  const before = repeated(task, "answer")
  if (before !== null) return before
  const stage = stateIn(task, "dealt", "judged")
  const { messages } = readInput(task.step.input)
  const outcome = reshare.reshareAnswer(stage.state, messages, task.identity)
  if (!outcome.ok) return abortOf(task, outcome.abort)
  const output = encode(messageCodec, outcome.value.message)
  const { row, version } = stage
  return kept(task, {
    row: advanced(row, row.stage, { answer: output }),
    version,
    output,
    changes: [],
  })
}
