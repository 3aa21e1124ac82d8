import {
  describeInput,
  LockKeeperError,
  type RecordsPlace,
  sealedRecordsCodec,
} from "@lockkeeper/api"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { type Message, messageCodec, repair } from "@lockkeeper/protocols"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs, decodeField } from "../request/decode.ts"
import { readEntries, wipeEntries } from "../resharing/held.ts"
import { putRepair } from "../resharing/repair-runs.ts"
import type { RepairRunRow } from "../resharing/rows.ts"
import { sealRecords } from "../resharing/sealed-records.ts"
import { refuseAbort } from "./aborts.ts"
import { checkBatch, checkRole, type RepairTask, unfitEntries } from "./repair-task.ts"

const NOTHING = new Uint8Array(0)

/**
 * Tells the member what this server keeps of a batch beside its shares: whose keys they are, and what
 * proves them. Sealed to the member's opening, so that no operator reads what is an owner's.
 */
export async function describe(task: RepairTask): Promise<StepOutcome> {
  checkRole(task, "helper")
  const { step, params, source, runId, identity } = task
  const { self, deps } = step
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
  if (unfit !== undefined) throw notHeld(unfit)
  const records: Bytes[] = []
  for (const [index, id] of ids.entries()) {
    const record = await task.repair.describe(deps.store, id)
    if (record === null) throw notHeld({ index, reason: "wrong-key" })
    records.push(record)
  }
  const { identifier: holder } = self
  const place: RecordsPlace = {
    ...{ label: null, run: runId, kind: source.kind, holder, member: params.member },
  }
  const sealed = sealRecords(place, records, key.value, self.identity, deps.randomness)
  for (const record of records) record.fill(0)
  if (sealed === null) {
    throw new LockKeeperError("too-large", "More is kept of the batch than one answer holds.", {
      field: "input.sharings",
      remedy: "Make smaller batches.",
    })
  }
  return { output: encode(sealedRecordsCodec, sealed), changes: [], event: step.event() }
}

function notHeld({ index, reason }: repair.UnfitSharing): LockKeeperError {
  return new LockKeeperError("conflict", `This server does not hold that entry: ${reason}.`, {
    field: `input.sharings.${index}`,
    remedy: "Ask another holder.",
  })
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
