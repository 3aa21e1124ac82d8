import { identityKeys, LockKeeperError, type RepairBody, repairBody } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { repair, type sharing } from "@lockkeeper/protocols"
import type { Versioned } from "../ports/store.ts"
import { decodeAs } from "../request/decode.ts"
import type { OperatorStep } from "../request/step.ts"
import type { Entry, RepairSource, ShareSource } from "../resharing/held.ts"
import { readRepair, wipeRepair } from "../resharing/repair-runs.ts"
import type { RepairRunRow } from "../resharing/rows.ts"

/** What each step of a repair works on. */
export interface RepairTask {
  readonly step: OperatorStep
  readonly params: repair.RepairParams
  readonly runId: Bytes
  readonly source: ShareSource
  readonly repair: RepairSource
  readonly identity: repair.RepairIdentity
  /** To be wiped by who asked. Null where this server does not know the run. */
  readonly run: Versioned<RepairRunRow> | null
}

/** @throws LockKeeperError where no run may have these parameters under the roster in force. */
export async function repairTask(step: OperatorStep): Promise<RepairTask> {
  const { self, deps, resharing } = step
  const { kind, params } = decodeAs("body", repairBody, step.request.body)
  const source = resharing.sourceOf(kind)
  if (source === null || source.repair === null) {
    throw invalid("body.kind", `Shares of ${kind} are not repaired by this server.`)
  }
  checkParams(step, params)
  const runId = repair.openingDigest(params)
  const run = await readRepair(deps.store, toHex(runId))
  if (run !== null && run.value.kind !== kind) {
    wipeRepair(run.value.stage)
    throw invalid("body.kind", `The run is about ${run.value.kind}.`)
  }
  const identity = { signer: self.identity, verifyKeys: identityKeys(self.roster) }
  return { step, params, runId, source, repair: source.repair, identity, run }
}

function checkParams({ self }: OperatorStep, params: RepairBody["params"]): void {
  const { roster } = self
  const checked = repair.checkParams(params)
  if (!checked.ok) {
    const { field, reason } = checked.abort
    throw invalid(`body.params.${field}`, `No run has such parameters: ${reason}.`)
  }
  if (params.rosterEpoch !== roster.rosterEpoch) {
    throw new LockKeeperError("wrong-roster", "The run is for another roster.", {
      field: "body.params.rosterEpoch",
      remedy: "Begin one for the roster in force.",
    })
  }
  // Fewer could make the member believe in keys that never were.
  if (params.helpers.length < roster.minSigners) {
    throw invalid("body.params.helpers", `The roster asks for ${roster.minSigners} helpers.`)
  }
  const listed = new Set(roster.members.map((member) => member.identifier))
  const stranger = repair.participantsOf(params).find((one) => !listed.has(one))
  if (stranger !== undefined) {
    const field = stranger === params.member ? "member" : "helpers"
    throw invalid(`body.params.${field}`, `The roster has no server ${stranger}.`)
  }
}

export function checkParticipates({ step, params }: RepairTask): void {
  if (repair.participantsOf(params).includes(step.self.identifier)) return
  throw invalid("body.params.helpers", "This server takes no part in the run.")
}

export function checkRole({ step, params }: RepairTask, role: "helper" | "member"): void {
  const isMember = step.self.identifier === params.member
  if (isMember === (role === "member")) return
  const message = isMember ? "The member only opens and judges." : "Only the member judges."
  throw invalid("step", message)
}

/** The batch, checked to be the one of the parameters. */
export function checkBatch(
  { params }: RepairTask,
  sharings: readonly sharing.Sharing[],
): readonly sharing.Sharing[] {
  const listed = repair.checkSharings(params, sharings)
  if (listed.ok) return sharings
  const { reason, field } = listed.abort
  throw invalid(
    `input.${field.replace(/^keys/, "sharings")}`,
    `The batch is not the one: ${reason}.`,
  )
}

/**
 * What of the batch this server must not go on with: a helper helps with what it holds, the member takes
 * no share of a generation that it has left behind.
 */
export function unfitEntries(
  { params, step }: RepairTask,
  sharings: readonly sharing.Sharing[],
  entries: readonly Entry[],
): readonly repair.UnfitSharing[] {
  const known = entries.map(({ held }) => held?.sharing ?? null)
  return repair.unfitSharings({ params, sharings, known }, step.self.identifier)
}

function invalid(field: string, message: string): LockKeeperError {
  return new LockKeeperError("invalid-request", message, { field })
}
