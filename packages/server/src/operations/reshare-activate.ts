import { LockKeeperError, reshareActivateOutput } from "@lockkeeper/api"
import { type Bytes, encode, equalBytes } from "@lockkeeper/encoding"
import { reshare, sharing } from "@lockkeeper/protocols"
import { movedHere } from "../names-under-roster.ts"
import type { Change } from "../ports/store.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import {
  type Entry,
  formerBeside,
  generationOf,
  isOver,
  putGeneration,
  readEntries,
  sameShare,
  wipeEntries,
} from "../resharing/held.ts"
import type { ReshareRunRow } from "../resharing/rows.ts"
import { putRun } from "../resharing/runs.ts"
import { moveUnknownNames } from "../unknown-names.ts"
import { refuseAbort } from "./aborts.ts"
import type { ReshareTask } from "./reshare-task.ts"
import { SPARE_CHANGES } from "./told-records.ts"

const NOTHING = new Uint8Array(0)

/**
 * Puts the new shares in the place of the old ones, which are destroyed by that and by nothing else: a
 * quorum of the holders has confirmed that they have theirs. Whenever the certificate comes, and whoever
 * brings it. What is not what it was any more stays as it is, and the rest comes into force; unknown
 * names go with their range in the same commit, so that answers for both kinds of names change at once.
 * A share that may still be needed and has no place here goes on waiting, and the run with it: whoever
 * asks is told, and does not count on this server for it.
 */
export async function activate(task: ReshareTask): Promise<StepOutcome> {
  const { step, run } = task
  const certificate = decodeAs("input", reshare.batchCertificateCodec, step.input)
  if (run === null || run.value.stage.kind === "opened" || run.value.stage.kind === "dealt") {
    throw new LockKeeperError("out-of-order", "This server has confirmed nothing in this run.", {
      field: "step",
      remedy: "Take its step first; or repair its shares, if the run is over.",
    })
  }
  const { stage } = run.value
  if (stage.kind === "active") return { output: outputOf([]), changes: [], event: step.event() }
  const outcome = reshare.reshareActivate(stage.state, certificate, task.identity.verifyKeys)
  if (!outcome.ok) return refuseAbort(step, outcome.abort, [], {})
  const reshared = outcome.value
  const ids = reshared.map((one) => one.sharing.id)
  const entries = await readEntries(step.deps.store, task.source, ids)
  try {
    const { records } = stage
    const judged = { row: run.value, version: run.version, records }
    return await putInForce(task, judged, reshared, entries)
  } finally {
    wipeEntries(entries)
    for (const { share } of reshared) share.wipe()
  }
}

function outputOf(waiting: readonly number[]): Bytes {
  return encode(reshareActivateOutput, { waiting })
}

interface Judged {
  readonly row: ReshareRunRow
  readonly version: number
  /** See `ReshareStage`. */
  readonly records: readonly Bytes[]
}

async function putInForce(
  task: ReshareTask,
  { row, version, records }: Judged,
  reshared: readonly reshare.ResharedShare[],
  entries: readonly Entry[],
): Promise<StepOutcome> {
  const { step, source, runId } = task
  const { deps, resharing } = step
  const activatedAt = deps.clock.now()
  const room = Math.floor(SPARE_CHANGES / reshared.length)
  const changes: Change[] = []
  const waiting: number[] = []
  for (const [i, one] of reshared.entries()) {
    const entry = entries[i] as Entry
    const before = generationOf(entry)
    const { keyEpoch } = one.sharing
    const isPending = before.pendingRun !== null && equalBytes(before.pendingRun, runId)
    const now = { ...before, pendingRun: isPending ? null : before.pendingRun }
    const taken = await takenBy(task, entry, one, { record: records[i] ?? NOTHING, room })
    if (taken.length > 0) {
      const highestKeyEpoch = Math.max(before.highestKeyEpoch, keyEpoch)
      const leftOn = formerBeside(step.self.roster, one.sharing, now)
      const inForce = { ...now, highestKeyEpoch, leftOn, activeRun: runId, activatedAt }
      changes.push(...taken, putGeneration(source, entry, inForce))
    } else {
      // What is left as it is must be what was looked at.
      changes.push(sameShare(source, entry))
      const isNeeded = !isOver(one.sharing, entry)
      if (isNeeded) waiting.push(i)
      if (isPending && !isNeeded) changes.push(putGeneration(source, entry, now))
    }
  }
  if (row.range !== null) {
    const ids = reshared.map((one) => one.sharing.id)
    changes.push(...(await moveUnknownNames(deps, row.range, ids, movesTo(task))))
  }
  const next: ReshareRunRow = waiting.length > 0 ? row : { ...row, stage: { kind: "active" } }
  changes.push(putRun(runId, next, version))
  return {
    output: outputOf(waiting),
    changes,
    event: step.event(),
    afterCommit: () => {
      for (const { sharing } of reshared) source.replaced?.(sharing.id, sharing.keyEpoch)
      resharing.note(runId, next)
    },
  }
}

/** What becomes of the range: null where its accounts stay with their holders, or have moved on since. */
function movesTo({ step: { self }, params }: ReshareTask): ReturnType<typeof movedHere> | null {
  const isInForce = params.rosterEpoch === self.roster.rosterEpoch
  return params.kind === "reshare" && isInForce ? movedHere(self) : null
}

/**
 * The changes that put one share in force. What came later stays; what has left here since stays away;
 * and where no share was, one is put with what was told of it, whatever else was confirmed here since:
 * only what holders hold is of use to anybody.
 */
async function takenBy(
  { step, source }: ReshareTask,
  entry: Entry,
  one: reshare.ResharedShare,
  { record, room }: { readonly record: Bytes; readonly room: number },
): Promise<readonly Change[]> {
  const { store } = step.deps
  const { held } = entry
  if (held !== null) {
    const continues = sharing.continues(held.sharing, one.sharing).ok
    return continues ? source.replace(store, one.sharing.id, one) : []
  }
  if (record.length === 0 || isOver(one.sharing, entry) || source.move === null) return []
  return source.move.join(store, one, record, room)
}
