import type { SharingKind, SharingListing, SharingsPage } from "@lockkeeper/api"
import { type Bytes, decode, fromHex, toHex } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"
import { decodeAccount, wipeAccount } from "../accounts.ts"
import { isDecoy } from "../decoy-account.ts"
import { keyRow, readListing } from "../keys.ts"
import type { Store } from "../ports/store.ts"
import type { ServerSelf } from "../self.ts"
import { sharingOfAccountRow } from "./accounts.ts"
import { generationId, generationRow } from "./rows.ts"

// What this server holds shares of, as sharings: one function for each kind.

/** Most products of holders and coefficients that are computed for one page of accounts. */
const MAX_ACCOUNT_WORK = 512

/** Keys in the order of their ids, after `after`. */
export async function pageOfKeys(
  store: Store,
  after: Bytes | null,
  limit: number,
): Promise<SharingsPage> {
  const rows = await scanAfter(store, "keys", after, limit)
  const held: Held[] = []
  for (const { value } of rows.slice(0, limit)) {
    const { accountId, keyPackage } = decode(keyRow, value)
    keyPackage.signingShare.wipe()
    const { createdAt } = await readListing(store, accountId, keyPackage.public.keyId)
    held.push({ sharing: sharing.sharingOfKey(keyPackage.public), createdAt })
  }
  wipeRows(rows)
  return { sharings: await listed(store, "keys", held), next: nextOf(rows, limit) }
}

/** Accounts that can log in, likewise. */
export async function pageOfAccounts(
  { roster }: ServerSelf,
  store: Store,
  after: Bytes | null,
  limit: number,
): Promise<SharingsPage> {
  const work = Math.floor(MAX_ACCOUNT_WORK / (roster.members.length * roster.minSigners))
  const most = Math.max(1, Math.min(limit, work))
  const found = await scanAfter(store, "accounts", after, most + 1)
  const rows = found.filter(({ id }) => !isDecoy(id)).slice(0, most + 1)
  const held = rows.slice(0, most).flatMap(({ value }) => {
    const row = decodeAccount(value)
    wipeAccount(row)
    const held = sharingOfAccountRow(row)
    return held === null ? [] : [{ sharing: held, createdAt: row.createdAt }]
  })
  wipeRows(found)
  return { sharings: await listed(store, "accounts", held), next: nextOf(rows, most) }
}

interface Held {
  readonly sharing: sharing.Sharing
  readonly createdAt: number
}

/** With what is kept of their generations; a sharing that no run was about yet has none. */
function listed(store: Store, kind: SharingKind, held: readonly Held[]): Promise<SharingListing[]> {
  return Promise.all(
    held.map(async ({ sharing: one, createdAt }) => {
      const row = await store.read("generations", generationId(kind, one.id))
      const { keyEpoch } = one
      if (row === null) {
        const none = { pendingRun: null, activeRun: null, activatedAt: createdAt }
        return { sharing: one, highestKeyEpoch: keyEpoch, ...none }
      }
      const { pendingRun, activeRun, ...kept } = decode(generationRow, row.value)
      const activatedAt = activeRun === null ? createdAt : kept.activatedAt
      const highestKeyEpoch = Math.max(kept.highestKeyEpoch, keyEpoch)
      return { sharing: one, highestKeyEpoch, pendingRun, activeRun, activatedAt }
    }),
  )
}

type Rows = Awaited<ReturnType<Store["scan"]>>

/** One row more than fits a page, where there is one: then another page follows. */
function scanAfter(
  store: Store,
  table: SharingKind,
  after: Bytes | null,
  limit: number,
): Promise<Rows> {
  return store.scan(table, "", after === null ? "" : toHex(after), limit + 1)
}

function nextOf(rows: Rows, limit: number): Bytes | null {
  const last = rows[limit - 1]
  return last === undefined || rows.length === limit ? null : fromHex(last.id)
}

/** They hold shares. */
function wipeRows(rows: Rows): void {
  for (const { value } of rows) value.fill(0)
}
