import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import type { opaque } from "@lockkeeper/protocols"
import { type AccountRow, accountRow, type HeldAccount } from "./account-row.ts"
import type { Change, Store, Versioned } from "./ports/store.ts"

/** Longest a registration that was never activated keeps its name, milliseconds. */
export const PENDING_REGISTRATION_MS = 10 * 60_000

/** An account that can log in. */
export interface ActiveAccount extends AccountRow {
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
  return active === null ? null : { ...account, active }
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
export async function readActiveAccount(
  store: Store,
  accountId: Bytes,
): Promise<Versioned<ActiveAccount> | null> {
  const row = await readAccount(store, accountId)
  if (row === null) return null
  const value = activeOf(row.value)
  if (value !== null) return { version: row.version, value }
  wipeAccount(row.value)
  return null
}

export function putAccount(account: AccountRow, ifVersion: number | "absent"): Change {
  const id = toHex(account.accountId)
  return { kind: "put", table: "accounts", id, ifVersion, value: encodeAccount(account) }
}

/** The version whose password logs in. */
export function activeVersion(account: ActiveAccount): number {
  return account.active.registration.keys.opaqueVersion
}

/** The record of a version that may still log in: the active one, or the one before it; else null. */
export function heldRecord(
  { active, previous }: ActiveAccount,
  opaqueVersion: number,
): HeldAccount | null {
  const held = [active, previous]
  return held.find((one) => one?.registration.keys.opaqueVersion === opaqueVersion) ?? null
}

/** Ed25519 key that the account's requests are signed with. */
export function accountKey(account: ActiveAccount): Bytes {
  return account.active.registration.keys.signingPublicKey
}
