import type { Identifier } from "@lockkeeper/crypto"
import { type Log, type Store, TABLES, type Table } from "@lockkeeper/server"
import type { DurableRow, DurableState } from "./observed.ts"

const PAGE = 256

/** Reads a server's whole store through its own seal. */
export async function readDurable(server: Identifier, store: Store & Log): Promise<DurableState> {
  const unreadable: string[] = []
  const tables = new Map<Table, ReadonlyMap<string, DurableRow>>()
  for (const table of TABLES) {
    const rows = new Map<string, DurableRow>()
    tables.set(table, rows)
    try {
      for (let after = ""; ; ) {
        const page = await store.scan(table, "", after, PAGE)
        for (const { id, version, value } of page) rows.set(id, { version, value })
        if (page.length < PAGE) break
        after = page.at(-1)?.id ?? after
      }
    } catch (error) {
      unreadable.push(`${table}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const log: DurableState["log"][number][] = []
  try {
    for (;;) {
      const page = await store.entries(log.length, PAGE)
      log.push(...page)
      if (page.length < PAGE) break
    }
  } catch (error) {
    unreadable.push(`log: ${error instanceof Error ? error.message : String(error)}`)
  }
  return { server, tables, log, unreadable }
}
