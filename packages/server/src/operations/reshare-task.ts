import {
  type AccountRange,
  accountRange,
  identityKeys,
  LockKeeperError,
  latestKeyEpoch,
  MAX_CLOCK_SKEW_MS,
  type ReshareBody,
  reshareBody,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { type Message, messageCodec, reshare } from "@lockkeeper/protocols"
import type { Versioned } from "../ports/store.ts"
import { decodeAs, decodeField } from "../request/decode.ts"
import type { OperatorStep } from "../request/step.ts"
import { type Entry, generationOf, type ShareSource } from "../resharing/held.ts"
import type { ReshareRunRow } from "../resharing/rows.ts"
import { readRun, wipeStage } from "../resharing/runs.ts"

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
  checkParams(step, params)
  const runId = reshare.openingDigest(params)
  const run = await readRun(deps.store, runId)
  if (run !== null && run.value.kind !== kind) {
    wipeStage(run.value.stage)
    throw invalid("body.kind", `The run is about ${run.value.kind}.`)
  }
  if (run !== null && !isSameRange(run.value.range, range)) {
    wipeStage(run.value.stage)
    throw invalid("body.range", "The run covers another range.")
  }
  const identity = { signer: self.identity, verifyKeys: identityKeys(self.roster) }
  return { step, params, runId, source, range, identity, run }
}

function isSameRange(a: AccountRange | null, b: AccountRange | null): boolean {
  if (a === null || b === null) return a === b
  return equalBytes(encode(accountRange, a), encode(accountRange, b))
}

function checkParams({ self }: OperatorStep, params: ReshareBody["params"]): void {
  const { identifier, roster } = self
  const checked = reshare.checkParams(params)
  if (!checked.ok) {
    const { field, reason } = checked.abort
    throw invalid(`body.params.${field}`, `No run has such parameters: ${reason}.`)
  }
  if (params.kind !== "refresh") {
    throw invalid("body.params.kind", "Other holders come with a change of the roster.")
  }
  if (params.rosterEpoch !== roster.rosterEpoch) {
    throw new LockKeeperError("wrong-roster", "The run is for another roster.", {
      field: "body.params.rosterEpoch",
      remedy: "Begin one for the roster in force.",
    })
  }
  if (params.minSigners !== roster.minSigners) {
    throw invalid("body.params.minSigners", `The roster asks for ${roster.minSigners} signers.`)
  }
  const listed = new Set(roster.members.map((member) => member.identifier))
  const participants = reshare.participantsOf(params)
  const stranger = participants.find((one) => !listed.has(one))
  if (stranger !== undefined) {
    throw invalid("body.params.holders", `The roster has no server ${stranger}.`)
  }
  if (!participants.includes(identifier)) {
    throw invalid("body.params.holders", "This server takes no part in the run.")
  }
}

function invalid(field: string, message: string): LockKeeperError {
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
 * What cannot be gone on with: the protocol's reasons, and two of this server's. Generations are no
 * higher than seconds by its clock: however far ahead somebody has it confirm what is never activated,
 * time goes on behind that, and a later one can always follow.
 */
export function unfitEntries(
  { step, params }: ReshareTask,
  keys: readonly reshare.ReshareKey[],
  known: readonly (reshare.Resharable | null)[],
): readonly reshare.UnfitKey[] {
  const found = new Map<number, reshare.UnfitKey>()
  const latest = latestKeyEpoch(step.deps.clock.now())
  for (const unfit of reshare.unfitKeys(params, keys, step.self.identifier, known)) {
    found.set(unfit.index, unfit)
  }
  for (const [index, { toKeyEpoch }] of keys.entries()) {
    const held = known[index] ?? null
    // A holder without the share before has nowhere to put the next one: it is to be repaired.
    if (held === null) found.set(index, { index, reason: "wrong-key" })
    else if (toKeyEpoch > latest) {
      found.set(index, { index, reason: "wrong-key-epoch" })
    }
  }
  return [...found.values()].sort((a, b) => a.index - b.index)
}

export function readMessages(field: string, encoded: readonly Bytes[]): readonly Message[] {
  return encoded.map((one, i) => decodeField(`${field}.${i}`, () => decode(messageCodec, one)))
}
