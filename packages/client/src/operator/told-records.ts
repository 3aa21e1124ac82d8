import { LockKeeperError, type SealedRecords } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { REPAIR_RECORD_BYTES } from "../limits.ts"

/** How many sharings a batch may have so that what all tell of them reaches who lacks them in one frame. */
export function mostTold(tellers: number, holders: number): number {
  return Math.max(1, Math.floor(REPAIR_RECORD_BYTES / (tellers * (512 + 128 * holders))))
}

interface Telling<T> {
  /** Who is asked at first, and who beside them where that is not enough. */
  readonly first: readonly Identifier[]
  readonly rest: readonly Identifier[]
  tell(among: readonly Identifier[]): Promise<readonly SealedRecords[]>
  judge(records: readonly SealedRecords[]): Promise<T>
}

/** Has a server judge with what some tell it; where that is not enough for it, with what all do. */
export async function withRecords<T>({ first, rest, tell, judge }: Telling<T>): Promise<T> {
  const told = await tell(first)
  try {
    return await judge(told)
  } catch (error) {
    if (!isOfRecords(error) || rest.length === 0) throw error
    return judge([...told, ...(await tell(rest))])
  }
}

/** A server's refusal of what others told it. */
export function isOfRecords(error: unknown): boolean {
  return (
    error instanceof LockKeeperError &&
    error.code === "conflict" &&
    error.field.startsWith("input.records")
  )
}
