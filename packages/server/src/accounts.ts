import { MAX_NAME } from "@lockkeeper/api"
import {
  type Bytes,
  type Codec,
  decode,
  encode,
  fixedBytes,
  nullable,
  safeInteger,
  struct,
  text,
  toHex,
} from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import type { Change, Store, Versioned } from "./ports/store.ts"

/** Longest a registration that was never activated keeps its name, milliseconds. */
export const PENDING_REGISTRATION_MS = 10 * 60_000

/** One account at one server. Either `active` is set, or the account is still being registered. */
export interface AccountRow {
  /** Derived from the name: `accountIdOf`. */
  readonly accountId: Bytes
  readonly name: string
  readonly createdAt: number
  /** What logins are answered from. */
  readonly active: opaque.AccountRecord | null
  /**
   * The record that `active` replaced, until the owner says that every server has replaced it. Every
   * server confirmed it, so all can go back to it where a password change stopped half way.
   */
  readonly previous: opaque.AccountRecord | null
  /** A registration or password change that not every server has confirmed: never answered from. */
  readonly pending: opaque.AccountRecord | null
  readonly pendingSince: number
}

/** An account that can log in. */
export interface ActiveAccount extends AccountRow {
  readonly active: opaque.AccountRecord
}

export const accountRow: Codec<AccountRow> = struct<AccountRow>({
  accountId: fixedBytes(32),
  name: text(MAX_NAME),
  createdAt: safeInteger,
  active: nullable(opaque.accountRecordCodec),
  previous: nullable(opaque.accountRecordCodec),
  pending: nullable(opaque.accountRecordCodec),
  pendingSince: safeInteger,
})

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
): opaque.AccountRecord | null {
  const held = [active, previous]
  return held.find((one) => one?.registration.keys.opaqueVersion === opaqueVersion) ?? null
}

/** Ed25519 key that the account's requests are signed with. */
export function accountKey(account: ActiveAccount): Bytes {
  return account.active.registration.keys.signingPublicKey
}
