import { LockKeeperError } from "@lockkeeper/api"
import { type Bytes, decode, encode, equalBytes, toHex } from "@lockkeeper/encoding"
import { type Charter, charterCodec, charterDigest, type Person } from "@lockkeeper/policy"
import type { KnownAccount } from "../accounts.ts"
import type { Change, Store, Versioned } from "../ports/store.ts"

const TABLE = "charters"

/**
 * The charter in force, or null where the owner decides alone.
 *
 * @throws LockKeeperError `unavailable` where this server knows that there is one, and not its text.
 */
export async function readCharter(
  store: Store,
  account: Pick<KnownAccount, "accountId" | "charter">,
): Promise<Charter | null> {
  if (account.charter === null) return null
  const held = await readText(store, account.accountId)
  if (held !== null && equalBytes(charterDigest(held.value), account.charter)) return held.value
  throw new LockKeeperError("unavailable", "This server lacks the text of the account's policy.", {
    field: "policy",
    remedy: "Set the policy that is in force once more, or use other servers.",
  })
}

/** Whose key it is; null where it is nobody's. */
export function personOf(charter: Charter | null, credential: Bytes): Person | null {
  const has = ({ credentials }: Person) => credentials.some((one) => equalBytes(one, credential))
  return charter?.people.find(has) ?? null
}

/** What a person's session may ask for: whoever is no auditor decides. */
export function roleOf({ kind }: Pick<Person, "kind">): "approver" | "auditor" {
  return kind === "auditor" ? "auditor" : "approver"
}

async function readText(store: Store, accountId: Bytes): Promise<Versioned<Charter> | null> {
  const row = await store.read(TABLE, toHex(accountId))
  return row === null ? null : { version: row.version, value: decode(charterCodec, row.value) }
}

/** The change that keeps a charter's text; the account's row says that it is in force. */
export async function putCharter(
  store: Store,
  accountId: Bytes,
  charter: Charter,
): Promise<Change> {
  const held = await store.read(TABLE, toHex(accountId))
  const ifVersion = held?.version ?? "absent"
  const value = encode(charterCodec, charter)
  return { kind: "put", table: TABLE, id: toHex(accountId), ifVersion, value }
}
