import {
  LockKeeperError,
  REPAIR_STEPS,
  type RepairStepInput,
  repairOpenInput,
  repairOpenOutput,
  repairStepInput,
} from "@lockkeeper/api"
import { type Bytes, encode } from "@lockkeeper/encoding"
import {
  type Abort,
  abort,
  type Message,
  messageCodec,
  repair,
  type sharing,
} from "@lockkeeper/protocols"
import type { Change } from "../ports/store.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import type { OperatorOperationStep } from "../request/step.ts"
import { type Entry, readEntries, sameShare, wipeEntries } from "../resharing/held.ts"
import { putRepair, wipeRepair } from "../resharing/repair-runs.ts"
import type { RepairRunRow, RepairStage } from "../resharing/rows.ts"
import { refuseAbort } from "./aborts.ts"
import { describe, finish } from "./repair-end.ts"
import { restoreAll } from "./repair-restore.ts"
import {
  checkBatch,
  checkParticipates,
  checkRole,
  type RepairTask,
  repairTask,
  unfitEntries,
} from "./repair-task.ts"
import { readMessages } from "./reshare-task.ts"
import { noSuchStep } from "./steps.ts"

const OVER: RepairStage = { kind: "over" }

/**
 * Repair of a member's shares, one step at a time: helpers 1 open, 2 split, 3 sum, and 5 answer where
 * there are complaints; the member 1 open and 4 verdict, with which it stores its shares. Step 6 is any
 * holder's word about the batch, for the member alone, and with 7 helpers erase what they keep. Every
 * state is stored with the answer that it goes with, so that a run goes on behind a restart.
 */
export const repairOperation: OperatorOperationStep = async (step) => {
  if (!Object.values<number>(REPAIR_STEPS).includes(step.step)) throw noSuchStep()
  const task = await repairTask(step)
  try {
    if (step.step === REPAIR_STEPS.describe) return await describe(task)
    checkParticipates(task)
    switch (step.step) {
      case REPAIR_STEPS.open:
        return await open(task)
      case REPAIR_STEPS.split:
        return await split(task)
      case REPAIR_STEPS.sum:
        return await sum(task)
      case REPAIR_STEPS.verdict:
        return await verdict(task)
      case REPAIR_STEPS.finish:
        return await finish(task)
      default:
        return await answer(task)
    }
  } finally {
    if (task.run !== null) wipeRepair(task.run.value.stage)
  }
}

/** What was answered to this step of the run before, by whatever request; null where nothing was. */
function repeated({ run, step }: RepairTask, name: repair.RepairStep): StepOutcome | null {
  const output = run?.value.answers[name] ?? null
  return output === null ? null : { output, changes: [], event: step.event() }
}

/** The run's state, when it is one of these. @throws LockKeeperError `out-of-order` */
function stateIn<K extends RepairStage["kind"]>(
  { run }: RepairTask,
  ...kinds: readonly K[]
): { readonly row: RepairRunRow; readonly version: number } & Extract<RepairStage, { kind: K }> {
  const stage = run?.value.stage
  if (!run || !stage || !kinds.includes(stage.kind as K)) {
    throw new LockKeeperError("out-of-order", "This run is not waiting for this step here.", {
      field: "step",
      remedy: "Begin another attempt.",
    })
  }
  return { ...(stage as Extract<RepairStage, { kind: K }>), row: run.value, version: run.version }
}

/**
 * Nobody takes part with a server that it has quarantined: neither helpers with the member, until their
 * own operators have cleared what it was proven to have done, nor the member with a helper.
 */
function checkNobody({ step, params }: RepairTask): void {
  step.incidents.checkNone(repair.participantsOf(params))
}

async function open(task: RepairTask): Promise<StepOutcome> {
  const before = repeated(task, "open")
  if (before !== null) return stillHeld(task, before)
  const { step, params, source, identity } = task
  checkNobody(task)
  const input = decodeAs("input", repairOpenInput, step.input)
  const sharings = checkBatch(task, input.sharings)
  return withEntries(task, sharings, async (entries) => {
    const unfit = unfitEntries(task, sharings, entries)
    if (unfit.length > 0) return withoutThese(task, unfit)
    const known = entries.map(({ held }) => held?.sharing ?? null)
    const randomness = step.deps.randomness.bytes(repair.OPEN_RANDOMNESS_LENGTH)
    const { identifier } = step.self
    const asked = { params, sharings, known }
    const outcome = repair.repairOpen(asked, identifier, identity, randomness)
    randomness.fill(0)
    if (!outcome.ok) return stopped(task, outcome.abort)
    const { state, message } = outcome.value
    const said = { kind: "message", message: encode(messageCodec, message) } as const
    const output = encode(repairOpenOutput, said)
    const row: RepairRunRow = {
      kind: source.kind,
      operator: step.operator.server,
      startedAt: step.deps.clock.now(),
      stage: { kind: "opened", state },
      answers: { open: output, split: null, sum: null, verdict: null, answer: null },
    }
    return kept(task, { row, version: "absent", output, changes: guards(task, entries) })
  })
}

/** What was said of a run that is over holds only for as long as its shares are here. */
async function stillHeld(task: RepairTask, before: StepOutcome): Promise<StepOutcome> {
  const { step, params, run } = task
  if (step.self.identifier !== params.member || run?.value.stage.kind !== "over") return before
  const input = decodeAs("input", repairOpenInput, step.input)
  return withEntries(task, checkBatch(task, input.sharings), async (entries) => {
    if (entries.every(({ held }) => held !== null)) return before
    throw new LockKeeperError("conflict", "What this run restored is lost again.", {
      field: "body.params.attempt",
      remedy: "Begin another attempt.",
    })
  })
}

/** Nothing is begun: whoever asked can begin with the rest. */
function withoutThese({ step }: RepairTask, unfit: readonly repair.UnfitSharing[]): StepOutcome {
  const output = encode(repairOpenOutput, { kind: "unfit", entries: unfit })
  const reason = unfit[0]?.reason ?? ""
  return { output, changes: [], event: step.event({ outcome: "aborted", reason }) }
}

async function withEntries(
  { step, source }: RepairTask,
  sharings: readonly sharing.Sharing[],
  work: (entries: readonly Entry[]) => Promise<StepOutcome>,
): Promise<StepOutcome> {
  const ids = sharings.map(({ id }) => id)
  const entries = await readEntries(step.deps.store, source, ids)
  try {
    return await work(entries)
  } finally {
    wipeEntries(entries)
  }
}

function guards({ source }: RepairTask, entries: readonly Entry[]): readonly Change[] {
  return entries.map((entry) => sameShare(source, entry))
}

interface Kept {
  readonly row: RepairRunRow
  readonly version: number | "absent"
  readonly output: Bytes
  readonly changes: readonly Change[]
  readonly afterCommit?: () => void
}

/** The run's next state, in the transaction that keeps the answer. */
function kept({ step, runId }: RepairTask, next: Kept): StepOutcome {
  const { row, version, output, changes, afterCommit } = next
  const { repairs } = step.resharing
  try {
    const room = version === "absent" ? repairs.reserve(step.operator.server) : null
    return {
      output,
      changes: [...changes, putRepair(runId, row, version)],
      event: step.event(),
      afterCommit: () => {
        repairs.note(runId, row)
        afterCommit?.()
      },
      release: () => room?.release(),
    }
  } finally {
    wipeRepair(row.stage)
  }
}

/** The state stays: who is to blame is in the messages, and a coordinator may bring better ones. */
function stopped({ step }: RepairTask, found: Abort): Promise<StepOutcome> {
  return refuseAbort(step, found, [], {})
}

function advanced(
  row: RepairRunRow,
  stage: RepairStage,
  answers: Partial<RepairRunRow["answers"]>,
): RepairRunRow {
  return { ...row, stage, answers: { ...row.answers, ...answers } }
}

interface Input extends Pick<RepairStepInput, "about" | "records"> {
  readonly opens: readonly Message[]
  readonly splits: readonly Message[]
  readonly sums: readonly Message[]
  readonly complaints: readonly Message[]
}

function readInput({ step }: RepairTask): Input {
  const input = decodeAs("input", repairStepInput, step.input)
  const { about, records } = input
  const read = (field: "opens" | "splits" | "sums" | "complaints") =>
    readMessages(`input.${field}`, input[field])
  return {
    ...{ opens: read("opens"), splits: read("splits"), sums: read("sums") },
    ...{ complaints: read("complaints"), about, records },
  }
}

async function split(task: RepairTask): Promise<StepOutcome> {
  checkRole(task, "helper")
  const before = repeated(task, "split")
  if (before !== null) return before
  checkNobody(task)
  const { state, row, version } = stateIn(task, "opened")
  const { opens } = readInput(task)
  return withEntries(task, state.sharings, async (entries) => {
    // Since the run was opened, a later generation may have come into force here.
    const [unfit] = unfitEntries(task, state.sharings, entries)
    if (unfit !== undefined) {
      const found = abort(unfit.reason, { field: `sharings.${unfit.index}` })
      return stopped(task, found.abort)
    }
    const shares = entries.map(({ held }) => {
      if (held === null) throw new Error("a helper's entry is one that it holds")
      return held.share
    })
    const length = repair.splitRandomnessLength(state.params)
    const randomness = task.step.deps.randomness.bytes(length)
    const outcome = repair.repairSplit(state, opens, shares, task.identity, randomness)
    randomness.fill(0)
    if (!outcome.ok) return stopped(task, outcome.abort)
    const stage = { kind: "split", state: outcome.value.state } as const
    const output = encode(messageCodec, outcome.value.message)
    const next = advanced(row, stage, { split: output })
    return kept(task, { row: next, version, output, changes: guards(task, entries) })
  })
}

async function sum(task: RepairTask): Promise<StepOutcome> {
  checkRole(task, "helper")
  const before = repeated(task, "sum")
  if (before !== null) return before
  checkNobody(task)
  const { state, row, version } = stateIn(task, "split")
  const { splits } = readInput(task)
  const randomness = task.step.deps.randomness.bytes(repair.SUM_RANDOMNESS_LENGTH)
  const outcome = repair.repairSum(state, splits, task.identity, randomness)
  randomness.fill(0)
  if (!outcome.ok) return stopped(task, outcome.abort)
  const stage = { kind: "summed", state: outcome.value.state } as const
  const output = encode(messageCodec, outcome.value.message)
  return kept(task, {
    ...{ row: advanced(row, stage, { sum: output }), version, output, changes: [] },
  })
}

/** The shares are stored in the commit that lets the member's word leave that it has them. */
async function verdict(task: RepairTask): Promise<StepOutcome> {
  checkRole(task, "member")
  const before = repeated(task, "verdict")
  if (before !== null) return before
  checkNobody(task)
  const { state, row, version } = stateIn(task, "opened")
  const { records, ...said } = readInput(task)
  const outcome = repair.repairVerdict(state, said, task.identity)
  if (!outcome.ok) return stopped(task, outcome.abort)
  const { shares, message } = outcome.value
  const output = encode(messageCodec, message)
  const next = { row: advanced(row, OVER, { verdict: output }), version, output }
  if (shares === null) return kept(task, { ...next, changes: [] })
  try {
    return kept(task, { ...next, ...(await restoreAll(task, state, shares, records)) })
  } finally {
    for (const { share } of shares) share.wipe()
  }
}

/** Shows how disputed parts were sealed; the run is over here with it. */
async function answer(task: RepairTask): Promise<StepOutcome> {
  checkRole(task, "helper")
  const before = repeated(task, "answer")
  if (before !== null) return before
  const { state, row, version } = stateIn(task, "split", "summed")
  const { complaints, about } = readInput(task)
  if (about === null) {
    throw new LockKeeperError("invalid-request", "An answer is about a split or a sum.", {
      field: "input.about",
    })
  }
  const outcome = repair.repairAnswer(state, about, complaints, task.identity)
  if (!outcome.ok) return stopped(task, outcome.abort)
  const output = encode(messageCodec, outcome.value.message)
  return kept(task, {
    ...{ row: advanced(row, OVER, { answer: output }), version, output, changes: [] },
  })
}
