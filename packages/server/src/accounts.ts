import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import type { opaque } from "@lockkeeper/protocols"
import { type AccountOwner, type AccountRow, accountRow, type HeldAccount } from "./account-row.ts"
import type { Change, Store, Versioned } from "./ports/store.ts"

/** Longest a registration that was never activated keeps its name, milliseconds. */
export const PENDING_REGISTRATION_MS = 10 * 60_000

/** An account whose owner this server can tell: it can log in here, or has moved to other servers. */
export interface KnownAccount extends AccountRow {
  readonly owner: AccountOwner
}

/** An account that can log in. */
export interface ActiveAccount extends KnownAccount {
  readonly active: HeldAccount
}

export function encodeAccount(account: AccountRow): Bytes {
  return encode(accountRow, account)
}

export function decodeAccount(encoded: Bytes): AccountRow {
  return decode(accountRow, encoded)
}

/** The account when it can log in, else null. */
export function activeOf(account: AccountRow): ActiveAccount | null {
  const { active } = account
  return active === null ? null : { ...account, active, owner: active.registration.keys }
}

function knownOf(account: AccountRow): KnownAccount | null {
  const owner = account.active?.registration.keys ?? account.left
  return owner === null ? null : { ...account, owner }
}

/** Overwrites what is secret in a record that was read, when nobody needs it any more. */
export function wipeAccount({ active, previous, pending }: AccountRow): void {
  for (const record of [active, previous, pending]) if (record !== null) wipeDealing(record)
}

/** The same for what an owner dealt, when it is stored or refused. */
export function wipeDealing({ share, record }: opaque.AccountDealing): void {
  share.wipe()
  record.maskingKey.wipe()
}

export async function readAccount(
  store: Store,
  accountId: Bytes,
): Promise<Versioned<AccountRow> | null> {
  const row = await store.read("accounts", toHex(accountId))
  if (row === null) return null
  const value = decodeAccount(row.value)
  row.value.fill(0)
  return { version: row.version, value }
}

/** The account when it can log in, else null. */
export function readActiveAccount(
  store: Store,
  accountId: Bytes,
): Promise<Versioned<ActiveAccount> | null> {
  return readWhere(store, accountId, activeOf)
}

/** The account when its owner can be told, else null. */
export function readKnownAccount(
  store: Store,
  accountId: Bytes,
): Promise<Versioned<KnownAccount> | null> {
  return readWhere(store, accountId, knownOf)
}

async function readWhere<T extends AccountRow>(
  store: Store,
  accountId: Bytes,
  take: (account: AccountRow) => T | null,
): Promise<Versioned<T> | null> {
  const row = await readAccount(store, accountId)
  if (row === null) return null
  const value = take(row.value)
  if (value !== null) return { version: row.version, value }
  wipeAccount(row.value)
  return null
}

export function putAccount(account: AccountRow, ifVersion: number | "absent"): Change {
  const id = toHex(account.accountId)
  return { kind: "put", table: "accounts", id, ifVersion, value: encodeAccount(account) }
}

/** The record of a version that may still log in: the active one, or the one before it; else null. */
export function heldRecord(
  { active, previous }: AccountRow,
  opaqueVersion: number,
): HeldAccount | null {
  const held = [active, previous]
  return held.find((one) => one?.registration.keys.opaqueVersion === opaqueVersion) ?? null
}

/** Whether a login at this version still counts here. */
export function isCurrent(account: KnownAccount, opaqueVersion: number): boolean {
  return (
    opaqueVersion === account.owner.opaqueVersion || heldRecord(account, opaqueVersion) !== null
  )
}
