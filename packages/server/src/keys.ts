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
import type { Change, Store, Versioned } from "./ports/store.ts"

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
 * @throws LockKeeperError `not-found` alike for keys that do not exist and keys of other accounts.
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
  }
  throw noSuchKey()
}

function noSuchKey(): LockKeeperError {
  return new LockKeeperError("not-found", "The account has no such key at this server.", {
    field: "keyId",
    remedy: "List the account's keys.",
  })
}

/** Refuses keys that must not be used now. @throws LockKeeperError `permission-denied` */
export function checkUsable(row: KeyRow): void {
  if (row.state === "active") return
  throw new LockKeeperError("permission-denied", `The key is ${row.state}.`, {
    field: "keyId",
    remedy: "Use an active key.",
  })
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
  const row = await store.read("account-keys", `${toHex(accountId)}-${toHex(keyId)}`)
  if (row === null) throw noSuchKey()
  return decode(keyListing, row.value)
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
