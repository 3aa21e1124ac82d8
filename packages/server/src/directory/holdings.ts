import { placeOfShares, type Roster } from "@lockkeeper/api"
import { decode } from "@lockkeeper/encoding"
import { decodeAccount, wipeAccount } from "../accounts.ts"
import { isDecoy } from "../decoy-account.ts"
import { keyRow } from "../keys.ts"
import type { Store } from "../ports/store.ts"
import { shapeOfAccount } from "../resharing/accounts.ts"
import type { Unsealed } from "./unseal.ts"

const PAGE = 64

/** Of how many keys and accounts the server holds shares that are of no use under a roster. */
export async function strandedShares(
  { store }: Pick<Unsealed, "store">,
  roster: Roster,
): Promise<{ readonly keys: number; readonly accounts: number }> {
  let keys = 0
  let accounts = 0
  for await (const { value } of rowsOf(store, "keys")) {
    const { signingShare, public: pkg } = decode(keyRow, value).keyPackage
    signingShare.wipe()
    const holders = [...pkg.verifyingShares.keys()]
    const { minSigners } = pkg
    if (placeOfShares(roster, { holders, minSigners }) === "stranded") keys++
  }
  for await (const { id, value } of rowsOf(store, "accounts")) {
    if (isDecoy(id)) continue
    const row = decodeAccount(value)
    wipeAccount(row)
    const shape = shapeOfAccount(row)
    if (shape !== null && placeOfShares(roster, shape) === "stranded") accounts++
  }
  return { keys, accounts }
}

async function* rowsOf(store: Store, table: "keys" | "accounts") {
  for (let after = ""; ; ) {
    const rows = await store.scan(table, "", after, PAGE)
    yield* rows
    for (const { value } of rows) value.fill(0)
    if (rows.length < PAGE) return
    after = rows.at(-1)?.id ?? after
  }
}
