import type { Bytes } from "@lockkeeper/encoding"
import type { LogBody } from "@lockkeeper/transparency"
import type { LogPosition } from "./store.ts"

/** One entry as the server itself can read it. */
export interface LoggedEntry extends LogPosition, LogBody {
  /** 32 bytes: the leaf of the public log. */
  readonly commitment: Bytes
}

/**
 * Reads the server's audit log. It is written only by `Store.commit`, in the transaction of what it
 * records. A hash chain stands behind it today; a Merkle log with the same heads can.
 */
export interface Log {
  /** The position of the last committed entry, or null while the log is empty. */
  logPosition(): Promise<LogPosition | null>
  /** Entries from index `from` on, at most `limit` (1 to 256). */
  entries(from: number, limit: number): Promise<readonly LoggedEntry[]>
}
