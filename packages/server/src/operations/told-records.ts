import {
  identityKeys,
  isSameServer,
  LockKeeperError,
  type RecordsPlace,
  type SealedRecords,
  sealedRecordsCodec,
} from "@lockkeeper/api"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import type { sharing } from "@lockkeeper/protocols"
import type { StepOutcome } from "../request/commit.ts"
import type { OperatorStep } from "../request/step.ts"
import type { RecordSource, ShareSource, Told } from "../resharing/held.ts"
import { openRecords, sealRecords } from "../resharing/sealed-records.ts"
import { rosterAt, type ServerSelf } from "../self.ts"

// What is kept beside shares comes to who lacks it sealed to its opening, so that no operator reads what
// is an owner's; and it believes what as many say alike as the threshold is.

/** Most changes of one commit that are not the sharings' own rows. */
export const SPARE_CHANGES = 320

/** The run that records are told for. */
export interface Telling {
  readonly step: OperatorStep
  readonly runId: Bytes
  readonly source: ShareSource
  readonly records: RecordSource
}

/** Tells a member what this server keeps of a batch, all of which it holds. */
export async function describeTo(
  { step, runId, source, records: kept }: Telling,
  member: Identifier,
  sealingKey: Bytes,
  ids: readonly Bytes[],
): Promise<StepOutcome> {
  const { self, deps } = step
  const records: Bytes[] = []
  for (const [index, id] of ids.entries()) {
    const record = await kept.describe(deps.store, id, index)
    if (record === null) throw notHeld(index, "wrong-key")
    records.push(record)
  }
  const { identifier: holder } = self
  const place: RecordsPlace = { label: null, run: runId, kind: source.kind, holder, member }
  const sealed = sealRecords(place, records, sealingKey, self.identity, deps.randomness)
  for (const record of records) record.fill(0)
  if (sealed === null) {
    throw new LockKeeperError("too-large", "More is kept of the batch than one answer holds.", {
      field: "input",
      remedy: "Make smaller batches.",
    })
  }
  return { output: encode(sealedRecordsCodec, sealed), changes: [], event: step.event() }
}

/** That this server cannot tell of an entry. */
export function notHeld(index: number, reason: string): LockKeeperError {
  return new LockKeeperError("conflict", `This server does not hold that entry: ${reason}.`, {
    field: `input.sharings.${index}`,
    remedy: "Ask another holder.",
  })
}

/** What each holder of the batch told this server, of those whose word can be read; one word each. */
export function tellings(
  { step: { self }, runId, source }: Telling,
  sealingSeed: Secret,
  sharings: readonly sharing.Sharing[],
  records: readonly SealedRecords[],
): (index: number) => Told {
  const keys = identityKeys(self.roster)
  const told = new Map<Identifier, readonly Bytes[]>()
  for (const sealed of records) {
    const { holder } = sealed
    const key = keys.get(holder)
    const isHolder = sharings.every((one) => isWitness(self, one, holder))
    if (key === undefined || !isHolder || holder === self.identifier) continue
    const member = self.identifier
    const place = { label: null, run: runId, kind: source.kind, holder, member }
    const all = openRecords(place, sealed, sealingSeed, key)
    if (all !== null && all.length === sharings.length) told.set(holder, all)
  }
  return (index) => new Map([...told].map(([holder, all]) => [holder, all[index] as Bytes]))
}

/**
 * Whether a server's word of a sharing counts. Where all members together have fewer liars than it takes
 * signers, any holder's does. Else that of who was a holder when it was made, as itself: what came in
 * another's place since may lie beside as many as may of then.
 */
function isWitness(self: ServerSelf, one: sharing.Sharing, holder: Identifier): boolean {
  const { roster } = self
  if (!one.verifyingShares.has(holder)) return false
  const isLeft = (roster.transition?.leaving.length ?? 0) > 0
  if (!isLeft && one.minSigners >= roster.minSigners) return true
  const then = rosterAt(self, one.rosterEpoch)
  return then !== null && isSameServer(then, roster, holder)
}

/** That tellings of an entry are not enough to hold a share of it. */
export function notToldAlike(index: number): LockKeeperError {
  const message = "Too few holders tell the same of an entry, or none proves it."
  return new LockKeeperError("conflict", message, {
    field: `input.records.${index}`,
    remedy: "Bring the records of all other holders.",
  })
}
