import type { Bytes } from "@lockkeeper/encoding"
import type { LogPosition, LogRow, Row, RowChange, Table, Versioned } from "@lockkeeper/server"
import {
  checkBatch,
  checkLimit,
  demandedVersion,
  nextVersion,
  StoreConflict,
} from "@lockkeeper/server"
import { EMPTY_FRONTIER, type Frontier, grow, hashLeaf, rootOf } from "@lockkeeper/transparency"

/** What lies on a disk. Rows are never altered in place, so that a copy costs little. */
export class DiskContent {
  readonly #tables: Map<Table, Map<string, Versioned<Bytes>>>
  readonly #log: LogRow[]
  #tree: Frontier

  constructor(from: DiskContent | null = null) {
    const tables = from === null ? [] : [...from.#tables]
    this.#tables = new Map(tables.map(([table, rows]) => [table, new Map(rows)]))
    this.#log = from === null ? [] : [...from.#log]
    this.#tree = from === null ? EMPTY_FRONTIER : from.#tree
  }

  get position(): LogPosition | null {
    const last = this.#log.at(-1)
    return last === undefined ? null : { index: last.index, head: last.head }
  }

  read(table: Table, id: string): Versioned<Bytes> | null {
    const row = this.#tables.get(table)?.get(id)
    return row === undefined ? null : { version: row.version, value: row.value.slice() }
  }

  scan(table: Table, prefix: string, after: string, limit: number): readonly Row[] {
    checkLimit(limit)
    const found: string[] = []
    for (const id of this.#tables.get(table)?.keys() ?? []) {
      if (id > after && id.startsWith(prefix)) found.push(id)
    }
    const ids = found.sort().slice(0, limit)
    return ids.map((id) => ({ id, ...(this.read(table, id) as Versioned<Bytes>) }))
  }

  entries(from: number, limit: number): readonly LogRow[] {
    checkLimit(limit)
    return this.#log.slice(from, from + limit).map((row) => ({ ...row, body: row.body.slice() }))
  }

  /** @throws StoreConflict when a guard does not hold; then nothing was applied. */
  apply(batch: readonly RowChange[]): readonly LogPosition[] {
    checkBatch(batch)
    for (const change of batch) {
      if (change.kind === "append") continue
      const version = this.#tables.get(change.table)?.get(change.id)?.version ?? "absent"
      if (version !== demandedVersion(change)) throw new StoreConflict(change.table, change.id)
    }
    const positions: LogPosition[] = []
    for (const change of batch) {
      if (change.kind === "append") positions.push(this.#append(change.entry))
      else if (change.kind === "take") this.#tables.get(change.table)?.delete(change.id)
      else if (change.kind === "put") {
        const row = { version: nextVersion(change.ifVersion), value: change.value.slice() }
        this.#rowsOf(change.table).set(change.id, row)
      }
    }
    return positions
  }

  #append(entry: { readonly commitment: Bytes; readonly body: Bytes }): LogPosition {
    const index = this.#tree.treeSize
    this.#tree = grow(this.#tree, hashLeaf(entry.commitment)).frontier
    const head = rootOf(this.#tree)
    const { commitment, body } = entry
    this.#log.push({ index, head, commitment: commitment.slice(), body: body.slice() })
    return { index, head }
  }

  #rowsOf(table: Table): Map<string, Versioned<Bytes>> {
    const rows = this.#tables.get(table) ?? new Map<string, Versioned<Bytes>>()
    this.#tables.set(table, rows)
    return rows
  }
}
