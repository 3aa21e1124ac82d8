import {
  KEY_STATES,
  type KeyListing,
  type KeyState,
  keyListing,
  LockKeeperError,
} from "@lockkeeper/api"
import {
  type Bytes,
  type Codec,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  oneOf,
  struct,
  toHex,
} from "@lockkeeper/encoding"
import { type KeyPackage, keyPackageCodec } from "@lockkeeper/protocols"
import type { Dependencies } from "./ports/dependencies.ts"
import type { Change, Store, Versioned } from "./ports/store.ts"
import type { ServerSelf } from "./self.ts"

/** One key's share at this server. The listing beside it holds what its owner may see. */
export interface KeyRow {
  readonly accountId: Bytes
  readonly state: KeyState
  readonly keyPackage: KeyPackage
}

export const keyRow: Codec<KeyRow> = struct<KeyRow>({
  accountId: fixedBytes(32),
  state: oneOf(...KEY_STATES),
  keyPackage: keyPackageCodec,
})

/**
 * The share of a key that this account may use.
 *
 * @throws LockKeeperError `not-found` alike for keys that do not exist and keys of other accounts;
 *   `conflict` with field `keyEpoch` where its share was held here and has moved to others.
 */
export async function readKey(
  store: Store,
  accountId: Bytes,
  keyId: Bytes,
): Promise<Versioned<KeyRow>> {
  const row = await store.read("keys", toHex(keyId))
  if (row !== null) {
    const value = decode(keyRow, row.value)
    row.value.fill(0)
    if (equalBytes(value.accountId, accountId)) return { version: row.version, value }
    value.keyPackage.signingShare.wipe()
    throw noSuchKey()
  }
  throw (await readListed(store, accountId, keyId)) === null ? noSuchKey() : movedAway()
}

/** The share of a key, whoever's it is; null where none is held. The caller wipes it. */
export async function readHeldKey(store: Store, keyId: Bytes): Promise<Versioned<KeyRow> | null> {
  const row = await store.read("keys", toHex(keyId))
  if (row === null) return null
  const value = decode(keyRow, row.value)
  row.value.fill(0)
  return { version: row.version, value }
}

function noSuchKey(): LockKeeperError {
  return new LockKeeperError("not-found", "The account has no such key at this server.", {
    field: "keyId",
    remedy: "List the account's keys.",
  })
}

/** The shares went to other servers; what stayed is the proof of where they are. */
function movedAway(): LockKeeperError {
  return new LockKeeperError("conflict", "The key's shares have moved to other servers.", {
    field: "keyEpoch",
    remedy: "Fetch the key's certificate again.",
  })
}

const DAY_MS = 86_400_000

/**
 * Refuses keys that must not be used now: by their state, or older than the roster lets keys sign.
 *
 * @throws LockKeeperError `permission-denied`, `expired`
 */
export async function checkUsable(
  {
    self,
    deps,
  }: {
    readonly self: Pick<ServerSelf, "roster">
    readonly deps: Pick<Dependencies, "store" | "clock">
  },
  { accountId, state, keyPackage }: KeyRow,
): Promise<void> {
  if (state !== "active") {
    throw new LockKeeperError("permission-denied", `The key is ${state}.`, {
      field: "keyId",
      remedy: state === "suspended" ? "Resume it, or use an active key." : "Use an active key.",
    })
  }
  const { cryptoperiodDays } = self.roster
  if (cryptoperiodDays === 0) return
  const { createdAt } = await readListing(deps.store, accountId, keyPackage.public.keyId)
  if (deps.clock.now() < createdAt + cryptoperiodDays * DAY_MS) return
  throw new LockKeeperError("expired", `Keys sign for ${cryptoperiodDays} days; this one has.`, {
    field: "keyId",
    remedy: "Make a new key and move what this one holds, with operators who allow it more time.",
  })
}

/** Holds while the key's row is as it was read: no state or share has changed since. */
export function keyUnchanged(keyId: Bytes, version: number): Change {
  return { kind: "expect", table: "keys", id: toHex(keyId), version }
}

/** What puts a key into another state, and what its owner sees of it then. */
export async function putKeyState(
  store: Store,
  { version, value: row }: Versioned<KeyRow>,
  state: KeyState,
): Promise<{ readonly listing: KeyListing; readonly changes: readonly Change[] }> {
  const id = toHex(row.keyPackage.public.keyId)
  const listingId = `${toHex(row.accountId)}-${id}`
  const listed = await store.read("account-keys", listingId)
  if (listed === null) throw noSuchKey()
  const listing = { ...decode(keyListing, listed.value), state }
  if (row.state === state)
    return { listing, changes: [keyUnchanged(row.keyPackage.public.keyId, version)] }
  const value = encode(keyRow, { ...row, state })
  const shown = encode(keyListing, listing)
  return {
    listing,
    changes: [
      { kind: "put", table: "keys", id, ifVersion: version, value },
      {
        kind: "put",
        table: "account-keys",
        id: listingId,
        ifVersion: listed.version,
        value: shown,
      },
    ],
  }
}

/**
 * Refuses to mix generations of shares: what was made with one of them is of no use with another.
 *
 * @throws LockKeeperError `conflict`, field `keyEpoch`
 */
export function checkKeyEpoch({ keyPackage }: KeyRow, keyEpoch: number): void {
  const held = keyPackage.public.keyEpoch
  if (held === keyEpoch) return
  const message = `This server holds generation ${held} of the key's shares, not ${keyEpoch}.`
  throw new LockKeeperError("conflict", message, {
    field: "keyEpoch",
    remedy: "Fetch the key's certificate again.",
  })
}

/** Refuses keys that do not sign with ECDSA. @throws LockKeeperError `invalid-request` */
export function checkEcdsaKey({ keyPackage }: KeyRow): void {
  if (keyPackage.public.keyType !== "ecdsa-secp256k1") {
    throw otherType(keyPackage, "Use an ecdsa-secp256k1 key; `sign` is for the others.")
  }
}

/** Refuses keys that do not sign with FROST. @throws LockKeeperError `invalid-request` */
export function checkFrostKey({ keyPackage }: KeyRow): void {
  if (keyPackage.public.keyType === "ecdsa-secp256k1") {
    throw otherType(keyPackage, "Sign with `ecdsa.sign`.")
  }
}

function otherType({ public: { keyType } }: KeyPackage, remedy: string): LockKeeperError {
  return new LockKeeperError("invalid-request", `The key is of type ${keyType}.`, {
    field: "body.keyId",
    remedy,
  })
}

export function putKey(row: KeyRow, listing: KeyListing): readonly Change[] {
  const id = toHex(listing.keyId)
  return [
    { kind: "put", table: "keys", id, ifVersion: "absent", value: encode(keyRow, row) },
    {
      kind: "put",
      table: "account-keys",
      id: `${toHex(row.accountId)}-${id}`,
      ifVersion: "absent",
      value: encode(keyListing, listing),
    },
  ]
}

export async function readListing(
  store: Store,
  accountId: Bytes,
  keyId: Bytes,
): Promise<KeyListing> {
  const listed = await readListed(store, accountId, keyId)
  if (listed === null) throw noSuchKey()
  return listed.value
}

/** What the owner may see of a key, also where its share has left; null where it never was. */
export async function readListed(
  store: Store,
  accountId: Bytes,
  keyId: Bytes,
): Promise<Versioned<KeyListing> | null> {
  const row = await store.read("account-keys", `${toHex(accountId)}-${toHex(keyId)}`)
  return row === null ? null : { version: row.version, value: decode(keyListing, row.value) }
}

/** The change that has the owner see this from now on. */
export function putListing(
  accountId: Bytes,
  listing: KeyListing,
  ifVersion: number | "absent",
): Change {
  const id = `${toHex(accountId)}-${toHex(listing.keyId)}`
  return { kind: "put", table: "account-keys", id, ifVersion, value: encode(keyListing, listing) }
}

/** The account's keys in id order, after `after`, at most `limit`. */
export async function scanListings(
  store: Store,
  accountId: Bytes,
  after: Bytes | null,
  limit: number,
): Promise<readonly KeyListing[]> {
  const prefix = `${toHex(accountId)}-`
  const start = after === null ? prefix : `${prefix}${toHex(after)}`
  const rows = await store.scan("account-keys", prefix, start, limit)
  return rows.map(({ value }) => decode(keyListing, value))
}
