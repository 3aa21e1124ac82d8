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
  /** A registration or password change that not every server has confirmed. */
  readonly pending: opaque.AccountRecord | null
  readonly pendingSince: number
}

/** An account that can log in. */
export interface ActiveAccount extends AccountRow {
  readonly active: opaque.AccountRecord
}

const accountRow: Codec<AccountRow> = struct<AccountRow>({
  accountId: fixedBytes(32),
  name: text(MAX_NAME),
  createdAt: safeInteger,
  active: nullable(opaque.accountRecordCodec),
  pending: nullable(opaque.accountRecordCodec),
  pendingSince: safeInteger,
})

export async function readAccount(
  store: Store,
  accountId: Bytes,
): Promise<Versioned<AccountRow> | null> {
  const row = await store.read("accounts", toHex(accountId))
  return row === null ? null : { version: row.version, value: decode(accountRow, row.value) }
}

/** The account when it can log in, else null. */
export async function readActiveAccount(
  store: Store,
  accountId: Bytes,
): Promise<Versioned<ActiveAccount> | null> {
  const row = await readAccount(store, accountId)
  if (row === null || row.value.active === null) return null
  return { version: row.version, value: { ...row.value, active: row.value.active } }
}

export function putAccount(account: AccountRow, ifVersion: number | "absent"): Change {
  const id = toHex(account.accountId)
  return { kind: "put", table: "accounts", id, ifVersion, value: encode(accountRow, account) }
}

/** The version whose password logs in. */
export function activeVersion(account: ActiveAccount): number {
  return account.active.registration.keys.opaqueVersion
}

/** Ed25519 key that the account's requests are signed with. */
export function accountKey(account: ActiveAccount): Bytes {
  return account.active.registration.keys.signingPublicKey
}
