import { join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import type { Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { SqliteRowStore } from "../adapters/sqlite/row-store.ts"
import type { Randomness } from "../ports/dependencies.ts"
import { type RowStore, StoreUnavailable } from "../ports/row-store.ts"
import { type SealProvider, SealRecordDamaged } from "../ports/seal-provider.ts"
import { SealBroken, SealedStore } from "../sealing/sealed-store.ts"
import { type ChannelPair, readNextChannel } from "./channel-key.ts"
import { FILES } from "./layout.ts"
import { checkOwnerOnlyDirectory, checkOwnerOnlyFile, readChecked } from "./owner-only.ts"
import { deriveSecrets, type ServerSecrets, wipeSecrets } from "./server-secrets.ts"

/** A server's store and keys while it is unsealed. */
export interface Unsealed {
  readonly directory: string
  readonly store: SealedStore
  readonly secrets: ServerSecrets
  /** The channel key that waits for a roster which lists it. */
  readonly nextChannel: ChannelPair | null
  /** Remembers a channel key that waits from now on. */
  awaitChannel(pair: ChannelPair): void
  /** Goes on with the channel key that waited: the one before is wiped. After its commit. */
  takeUpChannel(): void
  /** Wipes the keys and the key-encryption key. */
  close(): Promise<void>
}

function misconfigured(field: string, message: string, remedy: string, cause?: unknown): never {
  throw new LockKeeperError("misconfigured", message, { field, remedy, cause })
}

async function recoverKey(record: Bytes, seal: SealProvider): Promise<Secret> {
  let key: Secret | null
  try {
    key = await seal.recover(record)
  } catch (cause) {
    if (!(cause instanceof SealRecordDamaged)) throw cause
    return misconfigured("seal", `${cause.message}.`, "Restore the seal file from a backup.", cause)
  }
  return key ?? misconfigured("seal", "The passphrase is wrong.", "Enter the server's passphrase.")
}

function openRows(path: string): RowStore {
  // SQLite would create a missing file, and an empty server would look like a fresh one.
  checkOwnerOnlyFile(path, "store.file")
  try {
    return new SqliteRowStore(path)
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) throw cause
    return misconfigured("store.file", `${cause.message}.`, "Restore it from a backup.", cause)
  }
}

async function readSeeds(store: SealedStore): Promise<Bytes> {
  try {
    const row = await store.read("meta", "seeds")
    if (row !== null) return row.value
  } catch (cause) {
    if (!(cause instanceof SealBroken)) throw cause
    return misconfigured(
      "store.file",
      "The database was not sealed under this server's key.",
      "Put the seal file and the database of the same server together.",
      cause,
    )
  }
  return misconfigured(
    "store.file",
    "The database holds no server.",
    "Run `lockkeeper server init` in an empty directory.",
  )
}

/**
 * Opens a server's directory: checks who else could have read it, recovers the key-encryption key,
 * derives the server's keys.
 *
 * @throws LockKeeperError `misconfigured` naming the field and the remedy.
 */
export async function unsealServer(
  directory: string,
  seal: SealProvider,
  randomness: Randomness,
): Promise<Unsealed> {
  checkOwnerOnlyDirectory(directory, "directory")
  const record = readChecked(join(directory, FILES.seal), "seal", "owner-only", 4096)
  const rows = openRows(join(directory, FILES.database))
  let store: SealedStore | null = null
  try {
    store = new SealedStore(rows, await recoverKey(record, seal), randomness)
    const secrets = deriveSecrets(await readSeeds(store))
    return unsealedWith(directory, store, secrets, await readNextChannel(store))
  } catch (error) {
    await (store ?? rows).close()
    throw error
  }
}

function unsealedWith(
  directory: string,
  store: SealedStore,
  first: ServerSecrets,
  waiting: ChannelPair | null,
): Unsealed {
  let secrets = first
  let nextChannel = waiting
  return {
    directory,
    store,
    get secrets() {
      return secrets
    },
    get nextChannel() {
      return nextChannel
    },
    awaitChannel(pair) {
      nextChannel = pair
    },
    takeUpChannel() {
      if (nextChannel === null) throw new Error("no channel key waits")
      const { secretKey: channelSecret, publicKey: channelPublic } = nextChannel
      secrets.channelSecret.wipe()
      secrets = { ...secrets, channelSecret, channelPublic }
      nextChannel = null
    },
    async close() {
      wipeSecrets(secrets)
      nextChannel?.secretKey.wipe()
      await store.close()
    },
  }
}
