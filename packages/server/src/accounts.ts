import { accountNameDigest, MAX_NAME } from "@lockkeeper/api"
import {
  type Bytes,
  bytes,
  type Codec,
  decode,
  encode,
  fixedBytes,
  nullable,
  safeInteger,
  struct,
  text,
  toHex,
  u32,
} from "@lockkeeper/encoding"
import type { Change, Store, Versioned } from "./ports/store.ts"

/** One dealing of an account's OPRF key, with the OPAQUE record that goes with it. */
export interface PasswordRow {
  readonly opaqueVersion: number
  /** Canonical encoding of this server's AccountRecord. */
  readonly record: Bytes
  /** What every server signs before the version becomes active, 32 bytes. */
  readonly registrationDigest: Bytes
}

export interface AccountRow {
  readonly accountId: Bytes
  readonly name: string
  /** Ed25519, verifies the account's requests. */
  readonly accountKey: Bytes
  /** The active version. */
  readonly opaqueVersion: number
  readonly active: PasswordRow
  /** A later version that not every server has signed yet. */
  readonly pending: PasswordRow | null
  /** All n signatures over the active version's digest. */
  readonly certificate: Bytes
  readonly createdAt: number
}

const passwordRow: Codec<PasswordRow> = struct<PasswordRow>({
  opaqueVersion: u32,
  record: bytes(16_384),
  registrationDigest: fixedBytes(32),
})

const accountRow: Codec<AccountRow> = struct<AccountRow>({
  accountId: fixedBytes(32),
  name: text(MAX_NAME),
  accountKey: fixedBytes(32),
  opaqueVersion: u32,
  active: passwordRow,
  pending: nullable(passwordRow),
  certificate: bytes(8192),
  createdAt: safeInteger,
})

export async function readAccount(
  store: Store,
  accountId: Bytes,
): Promise<Versioned<AccountRow> | null> {
  const row = await store.read("accounts", toHex(accountId))
  return row === null ? null : { version: row.version, value: decode(accountRow, row.value) }
}

export function putAccount(account: AccountRow, ifVersion: number | "absent"): Change {
  const id = toHex(account.accountId)
  return { kind: "put", table: "accounts", id, ifVersion, value: encode(accountRow, account) }
}

/** Names that are taken, or being registered: the index from a name to its account. */
export interface NameRow {
  readonly accountId: Bytes
  readonly accountKey: Bytes
  /** Set while the registration is not active: the dealing and when it may be replaced. */
  readonly pending: (PasswordRow & { readonly replaceableAt: number }) | null
}

const nameRow: Codec<NameRow> = struct<NameRow>({
  accountId: fixedBytes(32),
  accountKey: fixedBytes(32),
  pending: nullable(
    struct<PasswordRow & { readonly replaceableAt: number }>({
      opaqueVersion: u32,
      record: bytes(16_384),
      registrationDigest: fixedBytes(32),
      replaceableAt: safeInteger,
    }),
  ),
})

function nameId(name: string): string {
  return toHex(accountNameDigest(name))
}

export async function readName(store: Store, name: string): Promise<Versioned<NameRow> | null> {
  const row = await store.read("account-names", nameId(name))
  return row === null ? null : { version: row.version, value: decode(nameRow, row.value) }
}

export function putName(name: string, row: NameRow, ifVersion: number | "absent"): Change {
  const value = encode(nameRow, row)
  return { kind: "put", table: "account-names", id: nameId(name), ifVersion, value }
}

/** The account of a name, or null while there is none that is active. */
export async function findAccount(
  store: Store,
  name: string,
): Promise<Versioned<AccountRow> | null> {
  const row = await readName(store, name)
  if (row === null || row.value.pending !== null) return null
  return readAccount(store, row.value.accountId)
}
