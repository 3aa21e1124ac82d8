import type { Table } from "../ports/store.ts"

/** Rows a process remembers the versions of; the one unused for longest makes room. */
const MAX_REMEMBERED = 65_536

// Rows of these tables are written more than once, so an old copy of one still opens.
const VERSIONED: ReadonlySet<Table> = new Set(["meta", "accounts", "guesses", "keys"])

// The ids of these rows are random and never used again: whoever sees one again sees a rollback.
const ONE_TIME: ReadonlySet<Table> = new Set(["nonces"])

/**
 * What this process knows of the newest version of rows, so that a database that gives back an
 * older one is found out. The memory is bounded and ends with the process: a rollback behind a
 * restart is the log's to detect.
 */
export class Freshness {
  readonly #known = new Map<string, number>()

  /** False when the row is older than one seen before, or was taken for ever. */
  accept(table: Table, id: string, version: number): boolean {
    if (!VERSIONED.has(table) && !ONE_TIME.has(table)) return true
    const known = this.#known.get(`${table}/${id}`)
    if (known !== undefined && version < known) return false
    this.#remember(table, id, version)
    return true
  }

  /** After a committed put. */
  written(table: Table, id: string, version: number): void {
    if (VERSIONED.has(table)) this.#remember(table, id, version)
  }

  /** After a committed take. */
  taken(table: Table, id: string): void {
    if (ONE_TIME.has(table)) this.#remember(table, id, Number.POSITIVE_INFINITY)
    else this.#known.delete(`${table}/${id}`)
  }

  #remember(table: Table, id: string, version: number): void {
    const key = `${table}/${id}`
    const known = this.#known.get(key) ?? 0
    this.#known.delete(key)
    this.#known.set(key, Math.max(known, version))
    if (this.#known.size > MAX_REMEMBERED) {
      this.#known.delete(this.#known.keys().next().value as string)
    }
  }
}
