import { createKeyBody, type KeyListing, LockKeeperError } from "@lockkeeper/api"
import { encode, equalBytes, toHex } from "@lockkeeper/encoding"
import {
  type Abort,
  dkg,
  keyCertificateCodec,
  type Message,
  messageCodec,
  type Outcome,
} from "@lockkeeper/protocols"
import { putKey } from "../keys.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import { refuseAbort } from "./aborts.ts"
import {
  endRun,
  putOpened,
  putRun,
  type RunStage,
  readOpened,
  readRun,
  stateId,
  wipeStage,
} from "./key-generation.ts"
import { contextOf, readMessages, type Task } from "./key-generation-task.ts"
import { noSuchStep } from "./steps.ts"

/**
 * Distributed key generation, one step at a time: 1 open, 2 reveal, 3 verdict, 4 activate, or 5
 * answer where there are complaints. Each takes the messages of the step before.
 */
export const createKey: OwnerOperationStep = async (step) => {
  const body = decodeAs("body", createKeyBody, step.request.body)
  step.incidents.checkNone(body.holders)
  const task: Task = { step, body, ...contextOf(step, body), messages: readMessages(step.input) }
  switch (step.step) {
    case 1:
      return open(task)
    case 2:
      return reveal(task)
    case 3:
      return verdict(task)
    case 4:
      return activate(task)
    case 5:
      return answer(task)
    default:
      throw noSuchStep()
  }
}

async function open({ step, params, identity }: Task): Promise<StepOutcome> {
  const { self, deps, oneTime } = step
  const { keyId, attempt } = params
  const { accountId } = step.request
  const owner = toHex(accountId)
  const taken = await deps.store.read("keys", toHex(keyId))
  const opened = await readOpened(deps.store, keyId)
  const stale = opened !== null && opened.value.attempt >= attempt
  const others = opened !== null && !equalBytes(opened.value.accountId, accountId)
  if (taken !== null || stale || others) {
    throw new LockKeeperError("already-exists", "This key, or this attempt at it, exists.", {
      field: "body.keyId",
      remedy: "Choose a fresh key id.",
    })
  }
  // A later attempt ends the earlier one, so that no two can ever finish for one key id.
  const earlier = await readRun(deps.store, keyId)
  if (earlier !== null) wipeStage(earlier.value.stage)
  const checked = dkg.checkParams(params)
  if (!checked.ok) return refuseAbort(step, checked.abort, [], { keyId })
  const room = oneTime.reserve("key-generation", owner, 1)
  if (room.count === 0) {
    throw new LockKeeperError("rate-limited", "Too many key generations are unfinished.", {
      remedy: "Finish them, or wait until they expire.",
    })
  }
  const randomness = deps.randomness.bytes(dkg.openRandomnessLength(params, self.identifier))
  const outcome = dkg.dkgOpen(params, self.identifier, identity, randomness)
  randomness.fill(0)
  if (!outcome.ok) {
    room.release()
    return refuseAbort(step, outcome.abort, [], { keyId })
  }
  const { state, message } = outcome.value
  const stage = { kind: "opened", state } as const
  const changes = [
    putOpened(keyId, { accountId, attempt }, opened?.version ?? "absent"),
    putRun(keyId, { accountId, attempt, stage }, earlier?.version ?? "absent"),
  ]
  wipeStage(stage)
  return {
    output: encode(messageCodec, message),
    changes,
    event: step.event({ keyId }),
    afterCommit: () => issueState(step, params, "opened"),
    release: room.release,
  }
}

async function reveal(task: Task): Promise<StepOutcome> {
  const { state, version } = await takeState(task, "opened")
  const { deps, self } = task.step
  const randomness = deps.randomness.bytes(dkg.revealRandomnessLength(task.params, self.identifier))
  const outcome = dkg.dkgReveal(state, task.messages, task.identity, randomness)
  randomness.fill(0)
  const next = advance(task, version, outcome, "revealed")
  wipeStage({ kind: "opened", state })
  return next
}

async function verdict(task: Task): Promise<StepOutcome> {
  const { state, version } = await takeState(task, "revealed")
  const outcome = dkg.dkgVerdict(state, task.messages, task.identity)
  const next = advance(task, version, outcome, "judged")
  wipeStage({ kind: "revealed", state })
  return next
}

type StateOf<K extends RunStage["kind"]> = Extract<RunStage, { kind: K }>["state"]

/**
 * Strikes the state of the step before off this process's ledger, and reads it. Holders learn the
 * key id and the public messages while a run goes on, so only who opened it may take its next step:
 * otherwise a corrupt one could have the finished share stored for an account of its own.
 */
async function takeState<K extends RunStage["kind"]>(
  { step, params }: Task,
  kind: K,
): Promise<{ readonly state: StateOf<K>; readonly version: number }> {
  const { keyId, attempt } = params
  const id = stateId(keyId, attempt, kind)
  const run = step.oneTime.has(id) ? await readRun(step.deps.store, keyId) : null
  const waiting =
    run?.value.attempt === attempt &&
    run.value.stage.kind === kind &&
    equalBytes(run.value.accountId, step.request.accountId)
  if (run === null || !waiting || !step.oneTime.spend(id)) {
    if (run !== null) wipeStage(run.value.stage)
    throw new LockKeeperError(
      "out-of-order",
      "This key generation is not waiting for this step here.",
      { field: "step", remedy: "Start a new attempt." },
    )
  }
  return { state: run.value.stage.state as StateOf<K>, version: run.version }
}

/** The next state and message, or the end of the run. */
function advance<K extends "revealed" | "judged">(
  task: Task,
  version: number,
  outcome: Outcome<{ readonly state: StateOf<K>; readonly message: Message }>,
  kind: K,
): StepOutcome | Promise<StepOutcome> {
  const { step, params } = task
  if (!outcome.ok) return stop(task, version, outcome.abort)
  const { state, message } = outcome.value
  const { keyId, attempt } = params
  const stage = { kind, state } as RunStage
  const put = putRun(keyId, { accountId: step.request.accountId, attempt, stage }, version)
  wipeStage(stage)
  return {
    output: encode(messageCodec, message),
    changes: [put],
    event: step.event({ keyId }),
    afterCommit: () => issueState(step, params, kind),
  }
}

/** Makes a run's new state usable in this process; after its commit. */
function issueState(
  { deps, oneTime, request }: OwnerStep,
  { keyId, attempt }: dkg.DkgParams,
  kind: RunStage["kind"],
): void {
  const id = stateId(keyId, attempt, kind)
  oneTime.issue("key-generation", toHex(request.accountId), id, deps.clock.now())
}

function stop({ step, params }: Task, version: number, abort: Abort): Promise<StepOutcome> {
  const { keyId } = params
  return refuseAbort(step, abort, [endRun(keyId, version)], { keyId })
}

async function activate(task: Task): Promise<StepOutcome> {
  const { step, body, params, identity } = task
  const { state, version } = await takeState(task, "judged")
  const outcome = dkg.dkgActivate(state, task.messages, identity)
  if (!outcome.ok) {
    wipeStage({ kind: "judged", state })
    return stop(task, version, outcome.abort)
  }
  const { key, certificate } = outcome.value
  const { accountId } = step.request
  const encoded = encode(keyCertificateCodec, certificate)
  const listing: KeyListing = {
    keyId: params.keyId,
    label: body.label,
    custody: body.custody,
    state: "active",
    createdAt: step.deps.clock.now(),
    certificate: encoded,
  }
  const row = { accountId, state: "active", keyPackage: key } as const
  const changes = [...putKey(row, listing), endRun(params.keyId, version)]
  key.signingShare.wipe()
  wipeStage({ kind: "judged", state })
  return { output: encoded, changes, event: step.event({ keyId: params.keyId }) }
}

/** Answers complaints; the run is over here, since a share of it becomes public. */
async function answer(task: Task): Promise<StepOutcome> {
  const { step, params, identity } = task
  const { state, version } = await takeState(task, "judged")
  const outcome = dkg.dkgAnswer(state, task.messages, identity)
  wipeStage({ kind: "judged", state })
  if (!outcome.ok) return stop(task, version, outcome.abort)
  return {
    output: encode(messageCodec, outcome.value.message),
    changes: [endRun(params.keyId, version)],
    event: step.event({ keyId: params.keyId, outcome: "aborted", reason: "complaint-pending" }),
  }
}
