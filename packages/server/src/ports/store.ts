import type { Bytes } from "@lockkeeper/encoding"

/** Everything a server keeps. Closed: a new table is a new migration. */
export const TABLES = [
  "meta",
  "accounts",
  "guesses",
  "protocol-sessions",
  "keys",
  "account-keys",
  "nonces",
  "answers",
  "children",
  "pairs",
  "ot-checks",
  "presignatures",
  "incidents",
  "generations",
  "reshare-runs",
  "repair-runs",
  "charters",
  "spending",
  "activities",
] as const

export type Table = (typeof TABLES)[number]

export interface Versioned<T> {
  /** Starts at 1 and grows by one with each put. */
  readonly version: number
  readonly value: T
}

/** What one request did, for the log; its body is sealed by the log and never shown in the clear. */
export interface LogEntry {
  /** Milliseconds since the Unix epoch. */
  readonly time: number
  /** Canonical encoding of the event. */
  readonly event: Bytes
}

/** Where a committed entry stands. */
export interface LogPosition {
  readonly index: number
  /** Head of the chain after the entry, 32 bytes. */
  readonly head: Bytes
}

/** `take` removes a record at exactly this version: of two callers, one succeeds. */
export type Guarded =
  | { readonly kind: "take"; readonly table: Table; readonly id: string; readonly version: number }
  | {
      readonly kind: "put"
      readonly table: Table
      readonly id: string
      readonly ifVersion: number | "absent"
      readonly value: Bytes
    }
  /** Holds only while the record is at this version: a guard without a write. */
  | {
      readonly kind: "expect"
      readonly table: Table
      readonly id: string
      readonly version: number | "absent"
    }

export type Change = Guarded | { readonly kind: "append"; readonly entry: LogEntry }

/** Port for everything a server keeps. Adapters: sqlite, memory; one conformance suite. */
export interface Store {
  /** Read one record with its version, or null when absent. */
  read(table: Table, id: string): Promise<Versioned<Bytes> | null>
  /**
   * Records whose id starts with `prefix` and is greater than `after`, in id order, at most `limit`
   * (1 to 256).
   */
  scan(
    table: Table,
    prefix: string,
    after: string,
    limit: number,
  ): Promise<readonly (Versioned<Bytes> & { readonly id: string })[]>
  /**
   * Apply the whole batch durably or none of it, and say where its log entries stand. MUST NOT
   * resolve before the batch would survive power loss. Throws StoreConflict when a guard no longer
   * holds; then nothing was applied, and the caller discards whatever it computed from what it read.
   */
  commit(batch: readonly Change[]): Promise<readonly LogPosition[]>
  /** The position of the last committed entry, or null while the log is empty. */
  logPosition(): Promise<LogPosition | null>
  /** Applies what waits and nothing after it. Says where the log ends; null when it did before. */
  close(): Promise<LogPosition | null>
}

/** A guard of a batch no longer holds; nothing was applied. */
export class StoreConflict extends Error {
  override readonly name = "StoreConflict"
  readonly table: Table
  readonly id: string

  constructor(table: Table, id: string) {
    super(`a record in ${table} changed since it was read`)
    this.table = table
    this.id = id
  }
}
