import { cameSince, type Member, placeAfter, type Roster, type SharingShape } from "@lockkeeper/api"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { decodeAccount, wipeAccount } from "../accounts.ts"
import { isDecoy } from "../decoy-account.ts"
import { keyRow } from "../keys.ts"
import type { Store } from "../ports/store.ts"
import { shapeOfAccount } from "../resharing/accounts.ts"
import type { RowPlace } from "../watched-store.ts"

const PAGE = 16

/** Of how many keys and accounts a server holds shares. */
export interface Holdings {
  readonly keys: number
  readonly accounts: number
}

/** What becomes of the shares that a server holds, with its next roster. */
export interface Outlook {
  readonly held: Holdings
  /** Of no use under it. */
  readonly stranded: Holdings
  /** With fewer than it takes left for certain. */
  readonly doubtful: Holdings
  /** Dealt under rosters that the server will not know any more: of no use either. */
  readonly forgotten: Holdings
  /** Names of those that came since such were dealt: whether they were repaired is not known. */
  readonly cameSince: readonly string[]
}

/** A change of rosters, with all that were followed before, oldest first. */
export interface RosterStep {
  readonly followed: readonly Roster[]
  readonly before: Roster
  readonly roster: Roster
  /** Numbers of those that the server does not keep with it: a chain is bounded. */
  readonly forgets: ReadonlySet<number>
}

interface HeldRow {
  readonly table: "keys" | "accounts"
  readonly value: Bytes
}

/** Who holds what a row has a share of, and under which roster it was dealt. */
interface Dealt extends SharingShape {
  readonly rosterEpoch: number
}

/** What becomes of all shares that the server holds. */
export function outlookOf({ store }: { readonly store: Store }, step: RosterStep) {
  return outlook(allRows(store), step)
}

/** The same, of these rows alone. */
export function outlookAmong(
  store: Store,
  step: RosterStep,
  places: readonly RowPlace[],
): Promise<Outlook> {
  return outlook(rowsAt(store, places), step)
}

/** Of how many keys and accounts the server holds any share. */
export async function heldShares({ store }: { readonly store: Store }): Promise<Holdings> {
  const held = { keys: 0, accounts: 0 }
  for await (const row of allRows(store)) {
    if (dealtOf(row) !== null) held[row.table]++
    row.value.fill(0)
  }
  return held
}

async function outlook(rows: AsyncIterable<HeldRow>, step: RosterStep): Promise<Outlook> {
  const { followed, before, roster: next, forgets } = step
  const [held, stranded, doubtful, forgotten] = [none(), none(), none(), none()]
  const since = new Set<string>()
  for await (const row of rows) {
    const shape = dealtOf(row)
    row.value.fill(0)
    if (shape === null) continue
    held[row.table]++
    if (forgets.has(shape.rosterEpoch)) forgotten[row.table]++
    const dealt = followed.find(({ rosterEpoch }) => rosterEpoch === shape.rosterEpoch) ?? null
    const place = placeAfter({ dealt, before, next }, shape)
    if (place === "stranded") stranded[row.table]++
    if (place !== "doubtful") continue
    doubtful[row.table]++
    for (const one of cameSince({ dealt, before, next }, shape)) since.add(nameOf(next, one))
  }
  return { held, stranded, doubtful, forgotten, cameSince: [...since].sort() }
}

function none(): { keys: number; accounts: number } {
  return { keys: 0, accounts: 0 }
}

function nameOf({ members }: Roster, one: number): string {
  return (members.find(({ identifier }) => identifier === one) as Member).name
}

/** Null where a row has no share. */
function dealtOf({ table, value }: HeldRow): Dealt | null {
  if (table === "keys") {
    const { signingShare, public: pkg } = decode(keyRow, value).keyPackage
    signingShare.wipe()
    const { minSigners, rosterEpoch } = pkg
    return { holders: [...pkg.verifyingShares.keys()], minSigners, rosterEpoch }
  }
  const row = decodeAccount(value)
  wipeAccount(row)
  return shapeOfAccount(row)
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
