import { identityKeys, LockKeeperError, latestKeyEpoch, type SealedRecords } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { repair } from "@lockkeeper/protocols"
import type { Change } from "../ports/store.ts"
import {
  type Entry,
  generationOf,
  putGeneration,
  readEntries,
  wipeEntries,
} from "../resharing/held.ts"
import { openRecords } from "../resharing/sealed-records.ts"
import type { RepairTask } from "./repair-task.ts"

/** Most changes of one commit that are not the sharings' own rows. */
const SPARE_CHANGES = 320

/** What puts repaired shares in their places, and what follows from it in this process's memory. */
export async function restoreAll(
  task: RepairTask,
  state: repair.RepairOpened,
  shares: readonly repair.RepairedShare[],
  records: readonly SealedRecords[],
): Promise<{ readonly changes: readonly Change[]; readonly afterCommit: () => void }> {
  const { step, source, params } = task
  const told = tellings(task, state, records)
  const ids = shares.map(({ sharing }) => sharing.id)
  const entries = await readEntries(step.deps.store, source, ids)
  try {
    const room = Math.floor(SPARE_CHANGES / shares.length)
    const changes: Change[] = []
    for (const [index, repaired] of shares.entries()) {
      const entry = entries[index] as Entry
      checkStillLacking(entry, repaired, index)
      const own = new Map([...told].map(([holder, all]) => [holder, all[index] as Bytes]))
      const restoring = { need: params.helpers.length, room }
      const put = await task.repair.restore(step.deps.store, repaired, own, restoring)
      if (put === null) throw notToldAlike(index)
      changes.push(...put, restoredGeneration(task, entry, repaired))
    }
    const afterCommit = () => {
      for (const { sharing } of shares) source.replaced?.(sharing.id, sharing.keyEpoch)
    }
    return { changes, afterCommit }
  } finally {
    wipeEntries(entries)
  }
}

/** What each holder told, of those whose word can be read; nobody has a second one. */
function tellings(
  { step, params, runId, source }: RepairTask,
  { sealingSeed, sharings }: repair.RepairOpened,
  records: readonly SealedRecords[],
): ReadonlyMap<Identifier, readonly Bytes[]> {
  const keys = identityKeys(step.self.roster)
  const told = new Map<Identifier, readonly Bytes[]>()
  for (const sealed of records) {
    const { holder } = sealed
    const key = keys.get(holder)
    const isHolder = sharings.every((one) => one.verifyingShares.has(holder))
    if (key === undefined || !isHolder) continue
    const place = { label: null, run: runId, kind: source.kind, holder, member: params.member }
    const all = openRecords(place, sealed, sealingSeed, key)
    if (all !== null && all.length === sharings.length) told.set(holder, all)
  }
  return told
}

/** @throws LockKeeperError `conflict` where a later generation has come into force since. */
function checkStillLacking(
  { held }: Entry,
  { sharing }: repair.RepairedShare,
  index: number,
): void {
  if (held === null || held.sharing.keyEpoch <= sharing.keyEpoch) return
  throw new LockKeeperError("conflict", "A later generation has come into force here.", {
    field: `sharings.${index}`,
    remedy: "Nothing of that entry is to be repaired; begin again without it.",
  })
}

function notToldAlike(index: number): LockKeeperError {
  const message = "Too few holders tell the same of an entry, or none proves it."
  return new LockKeeperError("conflict", message, {
    field: `input.records.${index}`,
    remedy: "Bring the records of all other holders.",
  })
}

function restoredGeneration(
  { step, source }: RepairTask,
  entry: Entry,
  { sharing: { keyEpoch } }: repair.RepairedShare,
): Change {
  const before = generationOf(entry)
  // Where it is forgotten what was confirmed, all that can have been is taken for confirmed.
  const isForgotten = entry.held === null && entry.generation === null
  const highest = isForgotten ? latestKeyEpoch(step.deps.clock.now()) : before.highestKeyEpoch
  return putGeneration(source, entry, {
    ...before,
    highestKeyEpoch: Math.min(Math.max(highest, keyEpoch), 0xffffffff),
    // What was confirmed of this generation or an earlier one is in force with it, or never will be.
    pendingRun: before.highestKeyEpoch > keyEpoch ? before.pendingRun : null,
    ...{ activeRun: null, activatedAt: 0 },
  })
}
