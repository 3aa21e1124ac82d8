import { MAX_NAME } from "@lockkeeper/api"
import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  safeInteger,
  struct,
  text,
  u8,
  u32,
} from "@lockkeeper/encoding"
import { LIMITS, opaque, reshare } from "@lockkeeper/protocols"

/** Shares of a later generation than the registration's, with what proves it to others. */
export interface AccountGeneration extends opaque.OprfGeneration {
  readonly certificate: reshare.ReshareCertificate
}

/** A record that may log in, as this server holds it. */
export interface HeldAccount extends opaque.HeldAccount {
  readonly oprf: AccountGeneration | null
}

/** Who an account belongs to, as far as it takes to tell the owner's requests and sessions. */
export interface AccountOwner {
  /** Ed25519 key that the account's requests are signed with. */
  readonly signingPublicKey: Bytes
  /** The version whose password logs in. */
  readonly opaqueVersion: number
}

/**
 * One account at one server. Either `active` is set, or the account is still being registered, or it has
 * moved to other servers and `left` is all that stays.
 */
export interface AccountRow {
  /** Derived from the name: `accountIdOf`. */
  readonly accountId: Bytes
  readonly name: string
  readonly createdAt: number
  /** What logins are answered from. */
  readonly active: HeldAccount | null
  /**
   * The record that `active` replaced, until the owner says that every server has replaced it. Every
   * server confirmed it, so all can go back to it where a password change stopped half way.
   */
  readonly previous: HeldAccount | null
  /** A registration or password change that not every server has confirmed: never answered from. */
  readonly pending: opaque.AccountRecord | null
  readonly pendingSince: number
  /** Keys of the account may still be here: until the server is out of the roster it knows their owner. */
  readonly left: AccountOwner | null
  /**
   * Digest of the charter in force; null where anything goes that the owner asks for. It stands here, so
   * that whatever was authorised under one charter takes effect under no other.
   */
  readonly charter: Bytes | null
}

interface FirstVersion extends Omit<AccountRow, "active" | "previous" | "left" | "charter"> {
  readonly active: opaque.AccountRecord | null
  readonly previous: opaque.AccountRecord | null
}

/** What rows were before there were later generations: it has no version. */
const firstVersion: Codec<FirstVersion> = struct<FirstVersion>({
  accountId: fixedBytes(32),
  name: text(MAX_NAME),
  createdAt: safeInteger,
  active: nullable(opaque.accountRecordCodec),
  previous: nullable(opaque.accountRecordCodec),
  pending: nullable(opaque.accountRecordCodec),
  pendingSince: safeInteger,
})

/** What became of a record after its registration; null home for the server's own record. */
interface Since {
  readonly oprf: Pick<AccountGeneration, "vector" | "certificate"> | null
  readonly home: Identifier | null
}

const since: Codec<Since> = struct<Since>({
  oprf: nullable(
    struct<NonNullable<Since["oprf"]>>({
      vector: list(fixedBytes(32), LIMITS.participants),
      certificate: reshare.reshareCertificateCodec,
    }),
  ),
  home: nullable(identifierCodec),
})

interface SecondVersion {
  readonly active: Since
  readonly previous: Since
}

const secondVersion: Codec<SecondVersion> = struct<SecondVersion>({
  active: since,
  previous: since,
})

/** What stands before the second or third version where the account has a charter. */
const fourthVersion = struct<{ readonly charter: Bytes }>({ charter: fixedBytes(32) })

/** What stands in place of the second version where the account has left. */
const thirdVersion: Codec<AccountOwner> = struct<AccountOwner>({
  signingPublicKey: fixedBytes(32),
  opaqueVersion: u32,
})

function sinceOf(held: HeldAccount | null): Since {
  if (held === null) return { oprf: null, home: null }
  return { oprf: held.oprf, home: held.home === held.identifier ? null : held.home }
}

function heldOf(record: opaque.AccountRecord | null, { oprf, home }: Since): HeldAccount | null {
  if (record === null) return null
  const generation = oprf && { ...oprf, sharing: oprf.certificate.sharing }
  return { ...record, oprf: generation, home: home ?? record.identifier }
}

/**
 * Version 2 is the first one with more behind it. A row that ends where the first version does is of
 * that version: its shares are those of its registration. Version 3 is of accounts that have left; version
 * 4, of those with a charter, goes on with one of the two.
 */
export const accountRow: Codec<AccountRow> = {
  write(writer, row) {
    if (row.left !== null && !isEmpty(row)) throw new Error("an account that has left is here")
    firstVersion.write(writer, row)
    if (row.charter !== null) {
      u8.write(writer, 4)
      fourthVersion.write(writer, { charter: row.charter })
    }
    u8.write(writer, row.left === null ? 2 : 3)
    if (row.left !== null) return thirdVersion.write(writer, row.left)
    const [active, previous] = [sinceOf(row.active), sinceOf(row.previous)]
    secondVersion.write(writer, { active, previous })
  },
  read(reader) {
    const first = firstVersion.read(reader)
    const asRegistered = { oprf: null, home: null }
    if (reader.remaining === 0) {
      const [active, previous] = [first.active, first.previous].map((one) => {
        return heldOf(one, asRegistered)
      })
      const rest = { left: null, charter: null }
      return { ...first, active: active ?? null, previous: previous ?? null, ...rest }
    }
    let [start, version] = [reader.offset, u8.read(reader)]
    const charter = version === 4 ? fourthVersion.read(reader).charter : null
    if (charter !== null) [start, version] = [reader.offset, u8.read(reader)]
    if (version === 3) {
      const left = thirdVersion.read(reader)
      if (!isEmpty(first)) reader.fail("left: the account is here", start)
      return { ...first, active: null, previous: null, left, charter }
    }
    if (version !== 2) reader.fail("version: unknown", start)
    const second = secondVersion.read(reader)
    const active = heldOf(first.active, second.active)
    const previous = heldOf(first.previous, second.previous)
    const row = { ...first, active, previous, left: null, charter }
    for (const key of ["active", "previous"] as const) {
      const { oprf, home } = second[key]
      const held = row[key]
      if (held === null ? oprf !== null || home !== null : home === held.identifier) {
        reader.fail(`${key}: not canonical`, start)
      }
    }
    return row
  },
}

function isEmpty({ active, previous, pending }: FirstVersion): boolean {
  return active === null && previous === null && pending === null
}
