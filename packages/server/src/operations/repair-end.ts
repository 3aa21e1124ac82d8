import { describeInput, LockKeeperError } from "@lockkeeper/api"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { type Message, messageCodec, repair } from "@lockkeeper/protocols"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs, decodeField } from "../request/decode.ts"
import { readEntries, wipeEntries } from "../resharing/held.ts"
import { putRepair } from "../resharing/repair-runs.ts"
import type { RepairRunRow } from "../resharing/rows.ts"
import { refuseAbort } from "./aborts.ts"
import { checkBatch, checkRole, type RepairTask, unfitEntries } from "./repair-task.ts"
import { describeTo, notHeld } from "./told-records.ts"

const NOTHING = new Uint8Array(0)

/**
 * Tells the member what this server keeps of a batch beside its shares: whose keys they are, and what
 * proves them. Sealed to the member's opening, so that no operator reads what is an owner's.
 */
export async function describe(task: RepairTask): Promise<StepOutcome> {
  checkRole(task, "helper")
  const { step, params, source, runId, identity } = task
  const { deps } = step
  step.incidents.checkNone([params.member])
  const input = decodeAs("input", describeInput, step.input)
  const sharings = checkBatch(task, input.sharings)
  const opening = readMessage("input.opening", input.opening)
  const key = repair.memberSealingKey(params, opening, identity.verifyKeys)
  if (!key.ok) return refuseAbort(step, key.abort, [], {})
  const ids = sharings.map(({ id }) => id)
  const entries = await readEntries(deps.store, source, ids)
  wipeEntries(entries)
  const [unfit] = unfitEntries(task, sharings, entries)
  if (unfit !== undefined) throw notHeld(unfit.index, unfit.reason)
  const telling = { step, runId, source, records: task.repair }
  return describeTo(telling, params.member, key.value, ids)
}

function readMessage(field: string, encoded: Bytes): Message {
  return decodeField(field, () => decode(messageCodec, encoded))
}

/** Erases a helper's state, when the member has signed that it has its shares. */
export async function finish(task: RepairTask): Promise<StepOutcome> {
  checkRole(task, "helper")
  const { step, run, runId, identity } = task
  const done = { output: NOTHING, changes: [], event: step.event() }
  // What is gone is erased.
  if (run === null || run.value.stage.kind === "over") return done
  const { stage } = run.value
  if (stage.kind === "opened") {
    throw new LockKeeperError("out-of-order", "This run is not waiting for this step here.", {
      field: "step",
      remedy: "Let it be: it is given up within an hour.",
    })
  }
  const verdict = readMessage("input", step.input)
  const outcome = repair.repairFinished(stage.state, verdict, identity.verifyKeys)
  if (!outcome.ok) return refuseAbort(step, outcome.abort, [], {})
  const over: RepairRunRow = { ...run.value, stage: { kind: "over" } }
  return {
    ...done,
    changes: [putRepair(runId, over, run.version)],
    afterCommit: () => step.resharing.repairs.note(runId, over),
  }
}
