import { LockKeeperError, latestKeyEpoch, type SealedRecords } from "@lockkeeper/api"
import { type repair, sharing as sharings } from "@lockkeeper/protocols"
import type { Change } from "../ports/store.ts"
import {
  type Entry,
  generationOf,
  putGeneration,
  readEntries,
  wipeEntries,
} from "../resharing/held.ts"
import { memberSince } from "../self.ts"
import type { RepairTask } from "./repair-task.ts"
import { notToldAlike, SPARE_CHANGES, tellings } from "./told-records.ts"

/** Generations count from 1. */
const NO_KEY_EPOCH = 0

/** What puts repaired shares in their places, and what follows from it in this process's memory. */
export async function restoreAll(
  task: RepairTask,
  state: repair.RepairOpened,
  shares: readonly repair.RepairedShare[],
  records: readonly SealedRecords[],
): Promise<{ readonly changes: readonly Change[]; readonly afterCommit: () => void }> {
  const { step, source, params } = task
  const telling = { step, runId: task.runId, source, records: task.repair }
  const told = tellings(telling, state.sealingSeed, state.sharings, records)
  const ids = shares.map(({ sharing }) => sharing.id)
  const entries = await readEntries(step.deps.store, source, ids)
  try {
    const room = Math.floor(SPARE_CHANGES / shares.length)
    const changes: Change[] = []
    for (const [index, repaired] of shares.entries()) {
      const entry = entries[index] as Entry
      checkStillLacking(entry, repaired, index)
      const { store } = step.deps
      const need = params.helpers.length
      const record = await task.repair.agree(store, repaired.sharing, told(index), need)
      if (record === null) throw notToldAlike(index)
      const put = await task.repair.restore(store, repaired, record, room)
      record.fill(0)
      changes.push(...put, restoredGeneration(task, entry, repaired))
    }
    const afterCommit = () => {
      // None of what stood there before fits, of whatever number: that of an earlier roster may be the same.
      for (const { sharing } of shares) source.replaced?.(sharing.id, NO_KEY_EPOCH)
    }
    return { changes, afterCommit }
  } finally {
    wipeEntries(entries)
  }
}

/** @throws LockKeeperError `conflict` where a later generation has come into force since. */
function checkStillLacking(
  { held }: Entry,
  { sharing }: repair.RepairedShare,
  index: number,
): void {
  if (held === null || sharings.compareGenerations(held.sharing, sharing) <= 0) return
  throw new LockKeeperError("conflict", "A later generation has come into force here.", {
    field: `sharings.${index}`,
    remedy: "Nothing of that entry is to be repaired; begin again without it.",
  })
}

function restoredGeneration(
  { step, source }: RepairTask,
  entry: Entry,
  { sharing: { keyEpoch, rosterEpoch } }: repair.RepairedShare,
): Change {
  const before = generationOf(entry)
  // Where it is forgotten what was confirmed, all that can have been is taken for confirmed. A server that
  // is younger than the shares has forgotten nothing: its identity is in the same store.
  const isLacking = entry.held === null && entry.generation === null
  const isForgotten = isLacking && memberSince(step.self) <= rosterEpoch
  const highest = isForgotten ? latestKeyEpoch(step.deps.clock.now()) : before.highestKeyEpoch
  return putGeneration(source, entry, {
    ...before,
    highestKeyEpoch: Math.min(Math.max(highest, keyEpoch), 0xffffffff),
    // What was confirmed of this generation or an earlier one is in force with it, or never will be.
    pendingRun: before.highestKeyEpoch > keyEpoch ? before.pendingRun : null,
    ...{ leftOn: null, activeRun: null, activatedAt: 0 },
  })
}
