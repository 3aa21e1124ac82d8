import { LockKeeperError } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { DeviceSecrets } from "../dependencies.ts"

const DATABASE = "lockkeeper"
const STORE = "device-secrets"
const HMAC = { name: "HMAC", hash: "SHA-256" } as const

/**
 * Keys in the browser's own database that no script can read out, not even this one: whoever takes a
 * copy of the database's values has handles, and no bytes.
 */
export const deviceSecretDatabase: DeviceSecrets = {
  async derive(accountId, input) {
    const key = await inStore("readonly", (store) => store.get(toHex(accountId)))
    return key === undefined ? null : hashed(key as CryptoKey, input)
  },
  async deriveOrMake(accountId, input) {
    const known = await deviceSecretDatabase.derive(accountId, input)
    if (known !== null) return known
    const fresh = await crypto.subtle.generateKey(HMAC, false, ["sign"])
    // `add` fails where another page was first; what is kept then is that page's.
    await inStore("readwrite", (store) => store.add(fresh, toHex(accountId))).catch(isKept)
    return (await deviceSecretDatabase.derive(accountId, input)) as Secret
  },
}

async function hashed(key: CryptoKey, input: Bytes): Promise<Secret> {
  return new Secret(new Uint8Array(await crypto.subtle.sign(HMAC.name, key, input)))
}

function isKept(error: unknown): undefined {
  if (error instanceof DOMException && error.name === "ConstraintError") return undefined
  throw error
}

async function inStore<T>(
  mode: IDBTransactionMode,
  use: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await opened()
  try {
    const transaction = database.transaction(STORE, mode, { durability: "strict" })
    const result = settled(use(transaction.objectStore(STORE)))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    const [value] = await Promise.all([result, promise])
    return value
  } finally {
    database.close()
  }
}

function opened(): Promise<IDBDatabase> {
  if (typeof indexedDB === "undefined") {
    throw new LockKeeperError("misconfigured", "This browser has no IndexedDB.", {
      field: "deviceSecrets",
      remedy: "Allow the page to keep data, outside private windows.",
    })
  }
  const request = indexedDB.open(DATABASE, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  return settled(request)
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
  return promise
}
