import { existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { SqliteRowStore } from "../adapters/sqlite/row-store.ts"
import type { Randomness } from "../ports/dependencies.ts"
import type { SealProvider } from "../ports/seal-provider.ts"
import { SealedStore } from "../sealing/sealed-store.ts"
import { type Descriptor, writeDescriptor } from "./descriptor.ts"
import { FILES } from "./layout.ts"
import { checkOwnerOnlyDirectory, writeOwnerOnly } from "./owner-only.ts"
import { deriveSecrets, generateSeeds, wipeSecrets } from "./server-secrets.ts"

/** What the operator says about a new server; the rest of its descriptor is generated. */
export type ServerPlace = Pick<Descriptor, "name" | "url" | "operator" | "cloud" | "jurisdiction">

export interface InitOptions {
  readonly directory: string
  readonly place: ServerPlace
  readonly seal: SealProvider
  readonly randomness: Randomness
}

function prepareDirectory(directory: string): void {
  if (!existsSync(directory)) mkdirSync(directory, { recursive: true, mode: 0o700 })
  checkOwnerOnlyDirectory(directory, "directory")
  const made: readonly string[] = [FILES.seal, FILES.database, FILES.descriptor]
  const kept = readdirSync(directory).find((name) => made.includes(name))
  if (kept === undefined) return
  throw new LockKeeperError("already-exists", `"${directory}" already holds a server: ${kept}.`, {
    field: "directory",
    remedy: "Name an empty directory. Keys of an existing server are never overwritten.",
  })
}

/**
 * Makes a new server's directory: fresh keys sealed in its database, the seal record beside it, and
 * its signed descriptor for whoever makes the roster. The seal record is written last but one, so
 * that a half-made directory does not start.
 *
 * @throws LockKeeperError `already-exists` or `misconfigured`.
 */
export async function initialiseServer(options: InitOptions): Promise<Descriptor> {
  const { directory, place, seal, randomness } = options
  prepareDirectory(directory)
  const keyEncryptionKey = new Secret(randomness.bytes(32))
  const record = await seal.protect(keyEncryptionKey)
  const rows = new SqliteRowStore(join(directory, FILES.database))
  const store = new SealedStore(rows, keyEncryptionKey, randomness)
  try {
    const seeds = generateSeeds(randomness)
    const value = seeds.slice()
    const secrets = deriveSecrets(seeds)
    await store.commit([{ kind: "put", table: "meta", id: "seeds", ifVersion: "absent", value }])
    value.fill(0)
    const descriptor: Descriptor = {
      ...place,
      identityKey: secrets.identity.publicKey,
      channelKey: secrets.channelPublic,
      opaqueKey: secrets.keyExchange.publicKey,
    }
    const written = writeDescriptor(descriptor, secrets.identity)
    wipeSecrets(secrets)
    writeOwnerOnly(join(directory, FILES.seal), record)
    writeOwnerOnly(join(directory, FILES.descriptor), utf8(written))
    return descriptor
  } finally {
    await store.close()
  }
}
