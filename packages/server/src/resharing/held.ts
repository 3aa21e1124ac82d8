import type { Roster, SharingKind } from "@lockkeeper/api"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, equalBytes, toHex } from "@lockkeeper/encoding"
import { type repair, type reshare, sharing } from "@lockkeeper/protocols"
import type { Change, Store, Table, Versioned } from "../ports/store.ts"
import { type GenerationRow, generationId, generationRow } from "./rows.ts"

/** What other holders told of one sharing, by holder. */
export type Told = ReadonlyMap<Identifier, Bytes>

/** This server's share of something, with the version of the row that it stands in. */
export interface HeldShare {
  readonly sharing: sharing.Sharing
  readonly share: Secret
  readonly version: number
  /** What the row can still go back to; null where it cannot. */
  readonly before: sharing.Sharing | null
}

/** How one kind of shares is kept. One file for each kind implements it. */
export interface ShareSource {
  readonly kind: SharingKind
  /** Where the shares are; a row's id is the hexadecimal id of its sharing. */
  readonly table: Table
  /** Null where this server holds no share under the id. */
  read(store: Store, id: Bytes): Promise<HeldShare | null>
  /**
   * The changes that put a later generation in the place of the one that is held, and with it destroy
   * the share before and its data key. None where what is held has become another one: it stays.
   */
  replace(store: Store, id: Bytes, reshared: reshare.ResharedShare): Promise<readonly Change[]>
  /** What proves the generation that is held; null for one as it was generated. */
  certificate(store: Store, id: Bytes): Promise<reshare.ReshareCertificate | null>
  /** How shares come to other holders; null where they stay with those that have them. */
  readonly move: MoveSource | null
  /** Null where shares of this kind are not repaired. */
  readonly repair: RepairSource | null
  /** What of this process's memory is of no use once they are committed. */
  replaced?(id: Bytes, keyEpoch: number): void
}

/** What stands beside a share, and comes to who has none from those that have. */
export interface RecordSource {
  /**
   * What this server keeps beside its share, encoded for a holder that lacks it; null without one.
   *
   * @param index - the entry's in its batch: what is told of the batch as a whole goes with the first.
   */
  describe(store: Store, id: Bytes, index: number): Promise<Bytes | null>
  /**
   * What the tellings come to with what is kept here: an encoding that `join` and `restore` take, and
   * that may wait in the run's row. Null where none of them proves the sharing, or they are not enough.
   *
   * @param known - the sharing that they hold shares of.
   * @param need - how many have to say the same: one of as many is honest.
   */
  agree(store: Store, known: sharing.Sharing, told: Told, need: number): Promise<Bytes | null>
}

/** How shares of one kind come to a holder that had none, and go where they are not held any more. */
export interface MoveSource extends RecordSource {
  /**
   * The changes that put a share of a generation in force where none is, with what goes with it. None
   * where something else is there by now: it stays.
   *
   * @param record - what `agree` made of the tellings about the generation before.
   * @param room - most changes beside those of the sharing's own rows.
   */
  join(
    store: Store,
    reshared: reshare.ResharedShare,
    record: Bytes,
    room: number,
  ): Promise<readonly Change[]>
  /**
   * The changes that destroy the share that is held, and its data key, and leave what the owner is to be
   * answered with from now on. None where what is held has become another one: it stays.
   *
   * @param certificate - checked: a quorum of others holds a later generation of the same.
   */
  leave(
    store: Store,
    id: Bytes,
    certificate: reshare.ReshareCertificate,
  ): Promise<readonly Change[]>
}

/** How a share of one kind comes back to a holder that lacks it. */
export interface RepairSource extends RecordSource {
  /** The changes that put a share where it is lacking, or in place of an earlier one. */
  restore(
    store: Store,
    repaired: repair.RepairedShare,
    record: Bytes,
    room: number,
  ): Promise<readonly Change[]>
}

/** What a server knows of one entry of a batch, as it was read for one step. */
export interface Entry {
  readonly id: Bytes
  readonly held: HeldShare | null
  /** Of the row that the share stands in, or would: there may be one that has none. */
  readonly version: number | "absent"
  readonly generation: Versioned<GenerationRow> | null
}

export async function readEntries(
  store: Store,
  source: ShareSource,
  ids: readonly Bytes[],
): Promise<readonly Entry[]> {
  const entries: Entry[] = []
  for (const id of ids) {
    const { held, version } = await readVersioned(store, source, id)
    entries.push({ id, held, version, generation: await readGeneration(store, source.kind, id) })
  }
  return entries
}

async function readVersioned(
  store: Store,
  source: ShareSource,
  id: Bytes,
): Promise<Pick<Entry, "held" | "version">> {
  const held = await source.read(store, id)
  if (held !== null) return { held, version: held.version }
  const row = await store.read(source.table, toHex(id))
  row?.value.fill(0)
  // Once more: a share that has come meanwhile is in a row of that version or a later one.
  const since = row === null ? null : await source.read(store, id)
  return { held: since, version: since?.version ?? row?.version ?? "absent" }
}

export async function readGeneration(
  store: Store,
  kind: SharingKind,
  id: Bytes,
): Promise<Versioned<GenerationRow> | null> {
  const row = await store.read("generations", generationId(kind, id))
  return row === null ? null : { version: row.version, value: decode(generationRow, row.value) }
}

export function wipeEntries(entries: readonly Entry[]): void {
  for (const { held } of entries) held?.share.wipe()
}

/** The generation row of an entry, as it is or would be. */
export function generationOf({ held, generation }: Entry): GenerationRow {
  const kept = generation?.value
  const keyEpoch = held?.sharing.keyEpoch ?? 0
  return {
    highestKeyEpoch: Math.max(keyEpoch, kept?.highestKeyEpoch ?? 0),
    pendingRun: kept?.pendingRun ?? null,
    activeRun: kept?.activeRun ?? null,
    activatedAt: kept?.activatedAt ?? 0,
    lastAttempt: kept?.lastAttempt ?? 0,
    leftKeyEpoch: kept?.leftKeyEpoch ?? null,
    leftOn: kept?.leftOn ?? null,
  }
}

/**
 * Whether a share that waits can never be needed: that generation or a later one is held, or has left
 * here since; or what it is of is neither held nor gone back to, as after a password change.
 */
export function isOver(waits: sharing.Sharing, entry: Entry): boolean {
  const { context, keyEpoch } = waits
  const { held } = entry
  if (held === null) return (generationOf(entry).leftKeyEpoch ?? 0) >= keyEpoch
  const { sharing: now, before } = held
  if (equalBytes(now.context, context)) return sharing.compareGenerations(now, waits) >= 0
  return before === null || !equalBytes(before.context, context)
}

/** An entry as the protocol takes it; null where no share is held. */
export function knownOf(entry: Entry): reshare.Resharable | null {
  const { held } = entry
  if (held === null) return null
  const { highestKeyEpoch } = generationOf(entry)
  return { sharing: held.sharing, share: held.share, highestKeyEpoch }
}

/**
 * Keeps what proves the generation that a password change ends, where others may have left on the way to
 * it: they hear of it from nobody else. What is kept from an earlier change in this transition is older
 * and stays, since it is what they continue.
 */
export async function keepFormer(
  { store, roster }: { readonly store: Store; readonly roster: Roster },
  source: Pick<ShareSource, "kind">,
  id: Bytes,
  certificate: reshare.ReshareCertificate | null,
): Promise<readonly Change[]> {
  if (roster.transition === null || certificate === null) return []
  const kept = await readGeneration(store, source.kind, id)
  if (kept === null || isOfTransition(roster, kept.value)) return []
  const { keyEpoch } = certificate.sharing
  const leftKeyEpoch = Math.max(kept.value.leftKeyEpoch ?? 0, keyEpoch)
  const row = { ...kept.value, leftKeyEpoch, leftOn: certificate }
  return [putGeneration(source, { id, generation: kept }, row)]
}

/** What of that goes on being kept beside a generation that comes into force. */
export function formerBeside(
  roster: Roster,
  now: sharing.Sharing,
  row: GenerationRow,
): GenerationRow["leftOn"] {
  const isOther = row.leftOn !== null && !equalBytes(row.leftOn.sharing.context, now.context)
  return isOther && isOfTransition(roster, row) ? row.leftOn : null
}

function isOfTransition({ rosterEpoch, transition }: Roster, { leftOn }: GenerationRow): boolean {
  return transition !== null && leftOn?.sharing.rosterEpoch === rosterEpoch
}

/** The share is still the one that was read. */
export function sameShare({ table }: ShareSource, { id, version }: Entry): Change {
  return { kind: "expect", table, id: toHex(id), version }
}

export function sameGeneration({ kind }: ShareSource, { id, generation }: Entry): Change {
  const version = generation?.version ?? "absent"
  return { kind: "expect", table: "generations", id: generationId(kind, id), version }
}

export function putGeneration(
  { kind }: Pick<ShareSource, "kind">,
  entry: Pick<Entry, "id" | "generation">,
  row: GenerationRow,
): Change {
  const ifVersion = entry.generation?.version ?? "absent"
  const value = encode(generationRow, row)
  return { kind: "put", table: "generations", id: generationId(kind, entry.id), ifVersion, value }
}
