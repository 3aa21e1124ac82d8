import { existsSync, lstatSync, unlinkSync } from "node:fs"
import { join } from "node:path"
import { decodeRoster, isLeaving, LockKeeperError } from "@lockkeeper/api"
import type { Randomness } from "../ports/dependencies.ts"
import type { SealProvider } from "../ports/seal-provider.ts"
import { heldShares } from "./holdings.ts"
import { FILES } from "./layout.ts"
import { checkOwnerOnlyDirectory, syncDirectory } from "./owner-only.ts"
import { holdDirectory } from "./process-lock.ts"
import { ownMember, readInstalledRosterOrNone } from "./roster.ts"
import { type Unsealed, unsealServer } from "./unseal.ts"

// First what everything else is sealed under: from then on nothing of the rest can be read.
const DESTROYED = [
  FILES.seal,
  FILES.database,
  `${FILES.database}-wal`,
  `${FILES.database}-shm`,
  FILES.anchor,
  FILES.descriptor,
  FILES.lock,
] as const

export interface RetireOptions {
  readonly directory: string
  readonly seal: SealProvider
  readonly randomness: Randomness
  /** Checks everything, says what would go, and changes nothing. */
  readonly isDry: boolean
}

/**
 * Destroys a stopped server's secrets and database for good, once it holds nothing.
 *
 * @returns names of the files that went, or would go.
 * @throws LockKeeperError `conflict` while it holds a share, or is a holder in its roster; then nothing
 *   has changed. `misconfigured` while a process runs it.
 */
export async function retireServer(options: RetireOptions): Promise<readonly string[]> {
  const { directory, seal, randomness, isDry } = options
  checkOwnerOnlyDirectory(directory, "directory")
  const letGo = holdDirectory(directory)
  try {
    const unsealed = await unsealServer(directory, seal, randomness)
    try {
      await checkRetirable(unsealed)
    } finally {
      await unsealed.close()
    }
    const there = DESTROYED.filter((name) => existsSync(join(directory, name)))
    if (!isDry) for (const name of there) destroy(directory, name)
    return there
  } finally {
    letGo()
  }
}

async function checkRetirable(unsealed: Unsealed): Promise<void> {
  const { keys, accounts } = await heldShares(unsealed)
  if (keys + accounts > 0) {
    throw new LockKeeperError(
      "conflict",
      `The server holds shares of ${keys} keys and ${accounts} accounts.`,
      {
        field: "directory",
        remedy: "Have it leave with the next roster, and run `lockkeeper reshare` under that one.",
      },
    )
  }
  const installed = await readInstalledRosterOrNone(unsealed)
  if (installed === null) return
  installed.enumerationSeed.wipe()
  const roster = decodeRoster(installed.signed.roster)
  const { identifier, name } = ownMember(unsealed, roster)
  if (isLeaving(roster, identifier)) return
  throw new LockKeeperError(
    "conflict",
    `"${name}" is one of those that hold shares under roster ${roster.rosterEpoch}.`,
    {
      field: "roster",
      remedy: `Have it leave: lockkeeper roster propose --remove ${name}`,
    },
  )
}

function destroy(directory: string, name: string): void {
  const path = join(directory, name)
  // SQLite removes some of its files by itself when the last connection ends.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return
  unlinkSync(path)
  syncDirectory(directory)
}
