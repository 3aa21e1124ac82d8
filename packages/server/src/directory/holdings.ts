import { encodeRoster, LockKeeperError, placeOfShares, type Roster } from "@lockkeeper/api"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { decodeAccount, wipeAccount } from "../accounts.ts"
import { isDecoy } from "../decoy-account.ts"
import { keyRow } from "../keys.ts"
import type { Store } from "../ports/store.ts"
import { shapeOfAccount } from "../resharing/accounts.ts"
import type { RowPlace } from "../watched-store.ts"
import { settles } from "./roster-bundle.ts"

const PAGE = 16

/** Of how many keys and accounts a server holds shares. */
export interface Holdings {
  readonly keys: number
  readonly accounts: number
}

interface HeldRow {
  readonly table: "keys" | "accounts"
  readonly value: Bytes
}

/** Of how many keys and accounts the server holds shares that are of no use under a roster. */
export async function strandedShares(
  { store }: { readonly store: Store },
  roster: Roster,
): Promise<Holdings> {
  return await countWhere(allRows(store), (row) => isStranded(row, roster))
}

/** The same, of these rows alone. */
export async function strandedAmong(
  store: Store,
  roster: Roster,
  places: readonly RowPlace[],
): Promise<Holdings> {
  return await countWhere(rowsAt(store, places), (row) => isStranded(row, roster))
}

/** Of how many keys and accounts the server holds any share. */
export async function heldShares({ store }: { readonly store: Store }): Promise<Holdings> {
  return await countWhere(allRows(store), (row) => shapeOf(row) !== null)
}

/**
 * Refuses a roster under which shares that the server holds are of no use.
 *
 * @throws LockKeeperError `conflict`
 */
export function checkNoneStranded(
  before: Roster | null,
  roster: Roster,
  { keys, accounts }: Holdings,
): void {
  if (keys + accounts === 0) return
  const what = `${keys} keys and ${accounts} accounts`
  if (before !== null && settles(before, encodeRoster(roster))) {
    throw new LockKeeperError("conflict", `${what} of this server still have to move.`, {
      field: "transition",
      remedy: "Run `lockkeeper reshare` until nothing is lacking, then settle.",
    })
  }
  throw new LockKeeperError(
    "conflict",
    `Under roster ${roster.rosterEpoch} ${what} of this server could not be used.`,
    {
      field: "bundle",
      remedy:
        roster.transition === null
          ? "Deal their shares anew first: `lockkeeper reshare` under a roster in transition."
          : "Keep more of their holders in the roster, or have lost ones repaired first.",
    },
  )
}

type Shape = Parameters<typeof placeOfShares>[1]

/** Who holds what a row has a share of; null where it has none. */
function shapeOf({ table, value }: HeldRow): Shape | null {
  if (table === "keys") {
    const { signingShare, public: pkg } = decode(keyRow, value).keyPackage
    signingShare.wipe()
    return { holders: [...pkg.verifyingShares.keys()], minSigners: pkg.minSigners }
  }
  const row = decodeAccount(value)
  wipeAccount(row)
  return shapeOfAccount(row)
}

function isStranded(row: HeldRow, roster: Roster): boolean {
  const shape = shapeOf(row)
  return shape !== null && placeOfShares(roster, shape) === "stranded"
}

async function countWhere(
  rows: AsyncIterable<HeldRow>,
  counts: (row: HeldRow) => boolean,
): Promise<Holdings> {
  const found = { keys: 0, accounts: 0 }
  for await (const row of rows) {
    if (counts(row)) found[row.table]++
    row.value.fill(0)
  }
  return found
}

async function* allRows(store: Store): AsyncGenerator<HeldRow> {
  for (const table of ["keys", "accounts"] as const) {
    for (let after = ""; ; ) {
      const rows = await store.scan(table, "", after, PAGE)
      for (const { id, value } of rows) if (!isDecoy(id)) yield { table, value }
      if (rows.length < PAGE) break
      after = rows.at(-1)?.id ?? after
    }
  }
}

async function* rowsAt(store: Store, places: readonly RowPlace[]): AsyncGenerator<HeldRow> {
  for (const { table, id } of places) {
    if ((table !== "keys" && table !== "accounts") || isDecoy(id)) continue
    const row = await store.read(table, id)
    if (row !== null) yield { table, value: row.value }
  }
}
