import type { KeyListing } from "@lockkeeper/api"
import { MAX_CHILDREN } from "@lockkeeper/api"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import {
  type KeyCertificate,
  keyCertificateCodec,
  type Outcome,
  type repair,
  type reshare,
  sharing,
} from "@lockkeeper/protocols"
import { registerAll } from "../children.ts"
import { keyRow, putListing, readHeldKey, readListed } from "../keys.ts"
import type { Change, Store } from "../ports/store.ts"
import type { ServerSelf } from "../self.ts"
import { type KeyRecord, keyRecord } from "./key-records.ts"

/** What puts a share of a key where none is, with all that the key's owner needs to use it. */
export async function joinKey(
  self: ServerSelf,
  store: Store,
  { sharing: next, share, certificate }: reshare.ResharedShare,
  encoded: Bytes,
  room: number,
): Promise<readonly Change[]> {
  const record = decode(keyRecord, encoded)
  const before = decode(keyCertificateCodec, record.certificate)
  const proven = checked(sharing.certificateOfKey(before, certificate))
  const repaired = { sharing: next, share }
  const isThere = (await readVersion(store, next.id)) !== "absent"
  return isThere ? [] : putRows(self, store, { repaired, record, proven, room })
}

/** What puts a repaired share of a key where it is lacking, or in place of an earlier one. */
export function restoreKey(
  self: ServerSelf,
  store: Store,
  repaired: repair.RepairedShare,
  encoded: Bytes,
  room: number,
): Promise<readonly Change[]> {
  const record = decode(keyRecord, encoded)
  const proven = decode(keyCertificateCodec, record.certificate)
  return putRows(self, store, { repaired, record, proven, room })
}

/**
 * What destroys the share of a key that others hold a later generation of. The owner goes on seeing the
 * key here, with the proof of where its shares are.
 */
export async function leaveKey(
  store: Store,
  keyId: Bytes,
  certificate: reshare.ReshareCertificate,
): Promise<readonly Change[]> {
  const row = await readHeldKey(store, keyId)
  if (row === null) return []
  const { accountId, keyPackage } = row.value
  keyPackage.signingShare.wipe()
  const listed = await readListed(store, accountId, keyId)
  if (listed === null) return []
  const { confirmations } = decode(keyCertificateCodec, listed.value.certificate)
  const before = { public: keyPackage.public, confirmations }
  const proven = sharing.certificateOfKey(before, certificate)
  if (!proven.ok) return []
  const shown = { ...listed.value, certificate: encode(keyCertificateCodec, proven.value) }
  return [
    { kind: "take", table: "keys", id: toHex(keyId), version: row.version },
    putListing(accountId, shown, listed.version),
  ]
}

interface Rows {
  readonly repaired: repair.RepairedShare
  readonly record: KeyRecord
  /** Of the sharing that the share is of. */
  readonly proven: KeyCertificate
  readonly room: number
}

async function putRows(
  { identifier }: ServerSelf,
  store: Store,
  { repaired, record, proven, room }: Rows,
): Promise<readonly Change[]> {
  const { id: keyId } = repaired.sharing
  const { accountId, state, label, custody, createdAt, children } = record
  const certificate = encode(keyCertificateCodec, proven)
  const listing: KeyListing = { keyId, label, custody, state, createdAt, certificate }
  const listed = await readListed(store, accountId, keyId)
  const keyPackage = { identifier, signingShare: repaired.share, public: proven.public }
  const ifVersion = await readVersion(store, keyId)
  const value = encode(keyRow, { accountId, state, keyPackage })
  return [
    { kind: "put", table: "keys", id: toHex(keyId), ifVersion, value },
    putListing(accountId, listing, listed?.version ?? "absent"),
    ...(await registerAll(store, keyId, children, Math.min(room, MAX_CHILDREN))),
  ]
}

async function readVersion(store: Store, keyId: Bytes): Promise<number | "absent"> {
  const row = await store.read("keys", toHex(keyId))
  row?.value.fill(0)
  return row?.version ?? "absent"
}

function checked<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value
  throw new Error("a sharing that was checked is of another key")
}
