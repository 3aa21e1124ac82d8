import {
  type AccountRange,
  identityKeys,
  isAtTarget,
  isLeaving,
  LockKeeperError,
  leaveReshareBody,
  leaveReshareInput,
} from "@lockkeeper/api"
import { type Bytes, equalBytes, toHex } from "@lockkeeper/encoding"
import { abort, type Outcome, reshare, sharing } from "@lockkeeper/protocols"
import { movedHere } from "../names-under-roster.ts"
import type { Change } from "../ports/store.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import type { OperatorOperationStep, OperatorStep } from "../request/step.ts"
import { firstActiveIn } from "../resharing/accounts.ts"
import {
  type Entry,
  generationOf,
  type MoveSource,
  putGeneration,
  readEntries,
  type ShareSource,
  sameShare,
  wipeEntries,
} from "../resharing/held.ts"
import type { ReshareRunRow } from "../resharing/rows.ts"
import { putRun, readRun, wipeStage } from "../resharing/runs.ts"
import { rosterAt, type ServerSelf } from "../self.ts"
import { moveUnknownNames } from "../unknown-names.ts"
import { refuseAbort } from "./aborts.ts"
import { invalid, sourceFor } from "./reshare-task.ts"
import { noSuchStep } from "./steps.ts"

const NOTHING = new Uint8Array(0)

/**
 * Erases the shares of a member that is no holder any more, whether it took part in the run or not: on
 * certificates that it verifies itself, and on nothing else. What it holds in a later generation stays.
 */
export const leaveReshare: OperatorOperationStep = async (step) => {
  if (step.step !== 1) throw noSuchStep()
  const { kind, range, run } = decodeAs("body", leaveReshareBody, step.request.body)
  const source = sourceFor(step.resharing, kind, range)
  const { move } = source
  if (move === null) throw invalid("body.kind", `Shares of ${kind} do not move to other servers.`)
  const { certificates } = decodeAs("input", leaveReshareInput, step.input)
  for (const [index, certificate] of certificates.entries()) {
    const field = `input.certificates.${index}`
    if (certificate.sharing.verifyingShares.has(step.self.identifier)) {
      throw invalid(field, "This server holds a share of that generation, or is to.")
    }
    const verified = verify(step.self, certificate)
    if (!verified.ok) return refuseAbort(step, { ...verified.abort, field }, [], {})
  }
  const ids = certificates.map((one) => one.sharing.id)
  if (new Set(ids.map(toHex)).size < ids.length) {
    throw invalid("input.certificates", "Two certificates are of the same sharing.")
  }
  // The names between go with accounts, and not by themselves.
  if (range !== null && ids.length === 0) {
    throw invalid("input.certificates", "Names leave with accounts of their range alone.")
  }
  const entries = await readEntries(step.deps.store, source, ids)
  try {
    return await erase(step, { source, move, range, run }, certificates, entries)
  } finally {
    wipeEntries(entries)
  }
}

/** Whether a quorum of those that the roster of then gave shares to has confirmed. */
function verify(
  self: ServerSelf,
  certificate: reshare.ReshareCertificate,
): Outcome<sharing.Sharing> {
  const { rosterEpoch, minSigners, verifyingShares } = certificate.sharing
  const roster = rosterAt(self, rosterEpoch)
  if (roster === null) return abort("wrong-roster-epoch")
  if (!isAtTarget(roster, { holders: [...verifyingShares.keys()], minSigners })) {
    return abort("wrong-participants")
  }
  const view = { rosterEpoch, minSigners: roster.minSigners, verifyKeys: identityKeys(roster) }
  return reshare.verifyReshareCertificate(certificate, view)
}

interface Leaving {
  readonly source: ShareSource
  readonly move: MoveSource
  readonly range: AccountRange | null
  readonly run: Bytes | null
}

async function erase(
  step: OperatorStep,
  { source, move, range, run }: Leaving,
  certificates: readonly reshare.ReshareCertificate[],
  entries: readonly Entry[],
): Promise<StepOutcome> {
  const { deps, resharing } = step
  const changes: Change[] = []
  const left: sharing.Sharing[] = []
  for (const [i, certificate] of certificates.entries()) {
    const entry = entries[i] as Entry
    const { held } = entry
    const { sharing: later } = certificate
    const isLater = held !== null && sharing.continues(held.sharing, later).ok
    const erased = isLater ? await move.leave(deps.store, later.id, certificate) : []
    if (erased.length === 0) changes.push(sameShare(source, entry))
    else left.push(later)
    const before = generationOf(entry)
    const waiting = await waitingIn(deps, before.pendingRun, later.id)
    const isWaitingOver = waiting !== null && sharing.continues(waiting, later).ok
    if (erased.length === 0 && (held !== null || !isWaitingOver)) continue
    const highestKeyEpoch = Math.max(before.highestKeyEpoch, later.keyEpoch)
    // What was confirmed last is the latest, by its roster and by its number.
    const isAllOver = waiting === null || isWaitingOver
    const over = isAllOver ? highestKeyEpoch : later.keyEpoch
    const leftKeyEpoch = Math.max(before.leftKeyEpoch ?? 0, over)
    const isLatest =
      before.leftOn === null || sharing.compareGenerations(before.leftOn.sharing, later) <= 0
    const gone = {
      highestKeyEpoch,
      leftKeyEpoch,
      // Whoever is given shares by it may hear of it from nobody else: it stays when they have gone.
      leftOn: isLatest ? certificate : before.leftOn,
      pendingRun: null,
      activeRun: null,
      activatedAt: 0,
    }
    changes.push(...erased, putGeneration(source, entry, { ...before, ...gone }))
  }
  if (range !== null) {
    const ids = certificates.map((one) => one.sharing.id)
    const gone = left.map(({ id }) => id)
    changes.push(...(await leaveRange(step, range, { ids, gone })))
  }
  const ended = run === null ? null : await dealtIn(step, source, run, certificates)
  if (ended !== null) changes.push(putRun(ended.runId, ended.row, ended.version))
  return {
    output: NOTHING,
    changes,
    event: step.event(),
    afterCommit: () => {
      for (const { id, keyEpoch } of left) source.replaced?.(id, keyEpoch)
      if (ended !== null) resharing.note(ended.runId, ended.row)
    },
  }
}

/**
 * The names between go with the accounts. Where one would stay behind that can log in here the range does
 * not go either: nobody may learn by one refusal who else has gone.
 *
 * @throws LockKeeperError `conflict` or `too-large`, field `body.range`.
 */
async function leaveRange(
  { self, deps }: OperatorStep,
  range: AccountRange,
  { ids, gone }: { readonly ids: readonly Bytes[]; readonly gone: readonly Bytes[] },
): Promise<readonly Change[]> {
  if (!isLeaving(self.roster, self.identifier)) {
    throw invalid("body.range", "This server does not leave, and answers for these names.")
  }
  const stays = await firstActiveIn(deps.store, range, gone)
  if (stays === null) return moveUnknownNames(deps, range, ids, movedHere(self))
  const message = "An account of the range is not among those that are to leave."
  throw new LockKeeperError("conflict", message, {
    field: "body.range",
    remedy: "Move that account too, and bring the certificates of all of them.",
  })
}

/**
 * What was confirmed here last and never came into force; null where nothing waits. One that is over is
 * dropped with what it waits in, once nothing is said to wait.
 */
async function waitingIn(
  { store }: OperatorStep["deps"],
  pendingRun: Bytes | null,
  id: Bytes,
): Promise<sharing.Sharing | null> {
  const run = pendingRun === null ? null : await readRun(store, pendingRun)
  if (run === null) return null
  const { stage } = run.value
  const reshared = stage.kind === "judged" ? (stage.state.pending?.reshared ?? []) : []
  wipeStage(stage)
  return reshared.find((one) => equalBytes(one.sharing.id, id))?.sharing ?? null
}

interface Over {
  readonly runId: Bytes
  readonly row: ReshareRunRow
  readonly version: number
}

/** The run that these shares were dealt in here, without the secrets of it; null where it was another. */
async function dealtIn(
  { self, deps }: OperatorStep,
  { kind }: ShareSource,
  runId: Bytes,
  certificates: readonly reshare.ReshareCertificate[],
): Promise<Over | null> {
  const found = await readRun(deps.store, runId)
  if (found === null) return null
  const { version, value } = found
  const { stage } = value
  wipeStage(stage)
  if (value.kind !== kind || (stage.kind !== "opened" && stage.kind !== "dealt")) return null
  const { params, keys } = stage.state
  const ids = new Set(certificates.map((one) => toHex(one.sharing.id)))
  const isWhole = keys.every((key) => ids.has(toHex(key.sharing.id)))
  if (reshare.isHolder(params, self.identifier) || !isWhole) return null
  return { runId, row: { ...value, stage: { kind: "active" } }, version }
}
