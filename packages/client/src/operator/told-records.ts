import { LockKeeperError, MAX_SEALED_RECORDS, type SharingKind } from "@lockkeeper/api"
import { REPAIR_RECORD_BYTES } from "../limits.ts"

/** What a holder tells of one sharing takes about so much, bytes: some, and some for each holder. */
const TOLD: Readonly<Record<SharingKind, readonly [number, number]>> = {
  keys: [512, 128],
  // The registration, every server's part of it, and the record with the owner's wrapped keys.
  accounts: [1536, 192],
}

/** What goes with the first of a batch of accounts: guesses that are counted for names of nobody. */
const WITH_FIRST: Readonly<Record<SharingKind, number>> = { keys: 0, accounts: 32_768 }

/** How many sharings a batch may have so that what all tell of them reaches who lacks them in one frame. */
export function mostTold(kind: SharingKind, tellers: number, holders: number): number {
  const [some, each] = TOLD[kind]
  const room = Math.min(REPAIR_RECORD_BYTES / tellers, MAX_SEALED_RECORDS - 4096) - WITH_FIRST[kind]
  return Math.max(1, Math.floor(room / (some + each * holders)))
}

/** A server's refusal of what others told it. */
export function isOfRecords(error: unknown): boolean {
  return (
    error instanceof LockKeeperError &&
    error.code === "conflict" &&
    error.field.startsWith("input.records")
  )
}
