import type { Bytes } from "@lockkeeper/encoding"
import type { Guarded, LogPosition, Table, Versioned } from "./store.ts"

/** A log entry as a database may see it. */
export interface SealedEntry {
  /** Salted commitment to the entry's body, 32 bytes: the leaf of the public log. */
  readonly commitment: Bytes
  readonly body: Bytes
}

export type RowChange = Guarded | { readonly kind: "append"; readonly entry: SealedEntry }

export type Row = Versioned<Bytes> & { readonly id: string }

/** An entry with the place the store gave it. */
export interface LogRow extends SealedEntry, LogPosition {}

/**
 * What a database adapter is: rows that it cannot read. Sealing stands above it and makes a `Store`
 * of it. Adapters: sqlite, memory; one conformance suite (test/row-store-conformance.ts).
 */
export interface RowStore {
  /** Read one row with its version, or null when absent. MUST see every resolved commit. */
  read(table: Table, id: string): Promise<Versioned<Bytes> | null>
  /**
   * Rows whose id starts with `prefix` and is greater than `after`, in the order of their
   * ids, at most `limit` (1 to MAX_SCAN).
   */
  scan(table: Table, prefix: string, after: string, limit: number): Promise<readonly Row[]>
  /**
   * Apply the whole batch durably or none of it. MUST NOT resolve before the batch would survive
   * power loss. All guards hold against the state before the batch. MUST throw StoreConflict when
   * one does not, and StoreUnavailable when the database cannot; then nothing was applied. Gives
   * every appended entry its index and head inside the same transaction.
   */
  commit(batch: readonly RowChange[]): Promise<readonly LogPosition[]>
  /** The position of the last committed entry, or null while the log is empty. */
  logPosition(): Promise<LogPosition | null>
  /** Entries from index `from` on, at most `limit` (1 to MAX_SCAN). */
  entries(from: number, limit: number): Promise<readonly LogRow[]>
  /** Applies what waits and nothing after it. Says where the log ends; null when it did before. */
  close(): Promise<LogPosition | null>
}

/** Most rows one scan returns. */
export const MAX_SCAN = 256

/** Most changes in one batch. */
export const MAX_BATCH = 1024

/** Longest row id, characters. */
export const MAX_ID = 256

// Printable ASCII only: then every adapter and JavaScript itself order ids alike.
const ID = /^[\x20-\x7e]{1,256}$/

/** Sorts after every id that starts with `prefix`, and before every other id after the prefix. */
export function endOfPrefix(prefix: string): string {
  return `${prefix}\x7f`
}

/** Longest value of a row, bytes. */
export const MAX_VALUE = 1_048_576

/** The database refused or failed; nothing of the batch was applied. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable"
}

/** @throws RangeError on a batch that no caller may build: bugs here, never a peer's input. */
export function checkBatch(batch: readonly RowChange[]): void {
  if (batch.length === 0 || batch.length > MAX_BATCH) {
    throw new RangeError(`a batch has 1 to ${MAX_BATCH} changes`)
  }
  const places = new Set<string>()
  for (const change of batch) {
    if (change.kind === "append") {
      if (change.entry.commitment.length !== 32) throw new RangeError("commitment is not 32 bytes")
      continue
    }
    const place = `${change.table}/${change.id}`
    if (places.has(place)) throw new RangeError(`a batch names ${change.table} row twice`)
    places.add(place)
    if (!ID.test(change.id)) {
      throw new RangeError(`a row id has 1 to ${MAX_ID} printable ASCII characters`)
    }
    if (change.kind === "put" && change.value.length > MAX_VALUE) {
      throw new RangeError(`a row holds at most ${MAX_VALUE} bytes`)
    }
  }
}

/** @throws RangeError likewise. */
export function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_SCAN) {
    throw new RangeError(`a scan returns 1 to ${MAX_SCAN} rows`)
  }
}

/** The version that a guarded change demands of its row. */
export function demandedVersion(change: Guarded): number | "absent" {
  return change.kind === "put" ? change.ifVersion : change.version
}

/** The version a put gives its row. */
export function nextVersion(ifVersion: number | "absent"): number {
  return ifVersion === "absent" ? 1 : ifVersion + 1
}
