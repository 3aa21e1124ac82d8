import {
  type AccountRange,
  accountRange,
  asksFor,
  identityKeys,
  isSameServer,
  LockKeeperError,
  latestKeyEpoch,
  MAX_CLOCK_SKEW_MS,
  mayReshare,
  RESHARE_STEPS,
  type ReshareBody,
  type Roster,
  reshareBody,
  reshareTarget,
  type SharingKind,
  thresholdsOf,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { type Message, messageCodec, reshare } from "@lockkeeper/protocols"
import type { Versioned } from "../ports/store.ts"
import { decodeAs, decodeField } from "../request/decode.ts"
import type { OperatorStep } from "../request/step.ts"
import { type Entry, generationOf, knownOf, type ShareSource } from "../resharing/held.ts"
import type { ReshareRunRow } from "../resharing/rows.ts"
import { readRun, wipeStage } from "../resharing/runs.ts"
import { rosterAt, type ServerSelf } from "../self.ts"

type Params = reshare.ReshareParams

/** What each step of a refresh or reshare works on. */
export interface ReshareTask {
  readonly step: OperatorStep
  readonly params: Params
  readonly runId: Bytes
  readonly source: ShareSource
  /** What the batch covers beside its accounts; null for keys. */
  readonly range: AccountRange | null
  readonly identity: reshare.ReshareIdentity
  /** To be wiped by who asked. Null where this server does not know the run. */
  readonly run: Versioned<ReshareRunRow> | null
}

/** @throws LockKeeperError where no run may have these parameters under the roster in force. */
export async function reshareTask(step: OperatorStep): Promise<ReshareTask> {
  const { self, deps, resharing } = step
  const { kind, params, range } = decodeAs("body", reshareBody, step.request.body)
  const source = sourceFor(resharing, kind, range)
  const runId = reshare.openingDigest(params)
  const run = await readRun(deps.store, runId)
  const task = { step, params, runId, source, range, run }
  try {
    const wrong = run === null ? null : misfit(run.value, kind, range)
    if (wrong !== null) throw wrong
    // What was confirmed under an earlier roster comes into force whenever its certificate comes.
    const isOver = run !== null && step.step === RESHARE_STEPS.activate
    if (!isOver) checkParams(step, source, params)
    const roster = isOver ? rosterAt(self, params.rosterEpoch) : self.roster
    if (roster === null) throw otherRoster()
    const identity = { signer: self.identity, verifyKeys: identityKeys(roster) }
    return { ...task, identity }
  } catch (error) {
    if (run !== null) wipeStage(run.value.stage)
    throw error
  }
}

/** How shares of this kind are kept, with the range that a batch of them covers. */
export function sourceFor(
  resharing: OperatorStep["resharing"],
  kind: SharingKind,
  range: AccountRange | null,
): ShareSource {
  const source = resharing.sourceOf(kind)
  if (source === null) {
    throw invalid("body.kind", `Shares of ${kind} are not reshared by this server.`)
  }
  if (kind === "accounts" && range === null) {
    throw invalid("body.range", "A batch of accounts covers a range of ids.")
  }
  if (kind !== "accounts" && range !== null) {
    throw invalid("body.range", `A batch of ${kind} covers no range.`)
  }
  return source
}

function misfit(
  run: ReshareRunRow,
  kind: SharingKind,
  range: AccountRange | null,
): LockKeeperError | null {
  if (run.kind !== kind) return invalid("body.kind", `The run is about ${run.kind}.`)
  if (isSameRange(run.range, range)) return null
  return invalid("body.range", "The run covers another range.")
}

function isSameRange(a: AccountRange | null, b: AccountRange | null): boolean {
  if (a === null || b === null) return a === b
  return equalBytes(encode(accountRange, a), encode(accountRange, b))
}

function checkParams(
  { self: { roster } }: OperatorStep,
  source: ShareSource,
  params: ReshareBody["params"],
): void {
  const checked = reshare.checkParams(params)
  if (!checked.ok) {
    const { field, reason } = checked.abort
    throw invalid(`body.params.${field}`, `No run has such parameters: ${reason}.`)
  }
  if (params.kind === "reshare" && source.move === null) {
    throw invalid("body.params.kind", `Shares of ${source.kind} do not move to other servers.`)
  }
  if (params.rosterEpoch !== roster.rosterEpoch) throw otherRoster()
  if (params.minSigners !== roster.minSigners) {
    throw invalid("body.params.minSigners", `The roster asks for ${roster.minSigners} signers.`)
  }
  const listed = identityKeys(roster)
  const stranger = params.holders.find((one) => !listed.has(one))
  if (stranger !== undefined) {
    throw invalid("body.params.holders", `The roster has no server ${stranger}.`)
  }
  const unknown = params.dealers.find((one) => !listed.has(one))
  if (unknown !== undefined) {
    throw invalid("body.params.dealers", `The roster has no server ${unknown}.`)
  }
  checkHolders(roster, params)
}

/** Only the holders that the roster names: with a choice of them one liar could bring in two sharings. */
function checkHolders(roster: Roster, params: ReshareBody["params"]): void {
  const { holders } = reshareTarget(roster)
  const leaving = params.holders.find((one) => !holders.includes(one))
  if (leaving !== undefined) {
    throw invalid("body.params.holders", `Server ${leaving} leaves, and is given no shares.`)
  }
  if (params.kind === "refresh") return
  if (params.holders.length !== holders.length) {
    throw invalid("body.params.holders", `The roster gives shares to servers ${holders}.`)
  }
  const thresholds = thresholdsOf(roster)
  if (!thresholds.includes(params.dealers.length)) {
    const message = `Shares under this roster take ${thresholds.join(" or ")} dealers.`
    throw invalid("body.params.dealers", message)
  }
}

/** The batch is to be the one of the parameters. @throws LockKeeperError `invalid-request` */
export function checkBatch({ params }: ReshareTask, keys: readonly reshare.ReshareKey[]): void {
  const listed = reshare.checkKeys(params, keys)
  if (listed.ok) return
  const { reason, field } = listed.abort
  throw invalid(`input.${field}`, `The batch is not the one: ${reason}.`)
}

export function checkParticipates({ step, params }: ReshareTask): void {
  if (reshare.participantsOf(params).includes(step.self.identifier)) return
  throw invalid("body.params.holders", "This server takes no part in the run.")
}

function otherRoster(): LockKeeperError {
  return new LockKeeperError("wrong-roster", "The run is for another roster.", {
    field: "body.params.rosterEpoch",
    remedy: "Begin one for the roster in force.",
  })
}

export function invalid(field: string, message: string): LockKeeperError {
  return new LockKeeperError("invalid-request", message, { field })
}

/**
 * Attempts of one sharing are seconds in which they began, so that they only grow: what was opened once
 * is never opened again, also when its run is no longer kept, and nobody uses the numbers up.
 */
export function checkAttempt({ step, params }: ReshareTask, entries: readonly Entry[]): void {
  const latest = Math.floor((step.deps.clock.now() + MAX_CLOCK_SKEW_MS) / 1000)
  if (params.attempt > latest) {
    throw new LockKeeperError("clock-skew", "The attempt is of this server's future.", {
      field: "body.params.attempt",
      remedy: "Number it by the second in which it begins; set the clock.",
    })
  }
  if (entries.every((entry) => generationOf(entry).lastAttempt < params.attempt)) return
  throw new LockKeeperError("conflict", "A later attempt at one of these was opened here.", {
    field: "body.params.attempt",
    remedy: "Begin another one, numbered by the second in which it begins.",
  })
}

/**
 * What cannot be gone on with: the protocol's reasons, and some of this server's. Generations are no
 * higher than seconds by its clock: however far ahead somebody has it confirm what is never activated,
 * time goes on behind that, and a later one can always follow.
 */
export function unfitEntries(
  { step, params }: ReshareTask,
  keys: readonly reshare.ReshareKey[],
  entries: readonly Entry[],
): readonly reshare.UnfitKey[] {
  const found = new Map<number, reshare.UnfitKey>()
  const latest = latestKeyEpoch(step.deps.clock.now())
  const known = entries.map(knownOf)
  for (const unfit of reshare.unfitKeys(params, keys, step.self.identifier, known)) {
    found.set(unfit.index, unfit)
  }
  for (const [index, key] of keys.entries()) {
    if (found.has(index)) continue
    const reason = unfitHere(step.self, params, key, entries[index] as Entry)
    if (reason !== null) found.set(index, { index, reason })
    else if (key.toKeyEpoch > latest) found.set(index, { index, reason: "wrong-key-epoch" })
  }
  return [...found.values()].sort((a, b) => a.index - b.index)
}

function unfitHere(
  self: ServerSelf,
  { kind, dealers }: Params,
  { sharing, toKeyEpoch }: reshare.ReshareKey,
  entry: Entry,
): reshare.UnfitKey["reason"] | null {
  // A holder without the share before has nowhere to put a refreshed one: it is to be repaired.
  if (kind === "refresh") return entry.held === null ? "wrong-key" : null
  // Nor does one deal or take again what it has confirmed once, whose share has left here since.
  if (toKeyEpoch <= generationOf(entry).highestKeyEpoch) return "wrong-key-epoch"
  const { minSigners, rosterEpoch, verifyingShares } = sharing
  const shape = { holders: [...verifyingShares.keys()], minSigners }
  const then = rosterAt(self, rosterEpoch)
  if (then === null || !asksFor(then, shape)) return "wrong-participants"
  if (!mayReshare(self.roster, shape)) return "wrong-participants"
  // Fewer than the threshold of then lie among the servers of then, not among those in their places.
  const isSettled = minSigners === self.roster.minSigners
  const areSame = dealers.every((one) => isSameServer(then, self.roster, one))
  return isSettled || areSame ? null : "wrong-participants"
}

export function readMessages(field: string, encoded: readonly Bytes[]): readonly Message[] {
  return encoded.map((one, i) => decodeField(`${field}.${i}`, () => decode(messageCodec, one)))
}
