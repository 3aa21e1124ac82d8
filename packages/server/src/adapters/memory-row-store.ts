import type { Bytes } from "@lockkeeper/encoding"
import { EMPTY_FRONTIER, type Frontier, grow, hashLeaf, rootOf } from "@lockkeeper/transparency"
import {
  checkBatch,
  checkLimit,
  demandedVersion,
  type LogRow,
  nextVersion,
  type Row,
  type RowChange,
  type RowStore,
  StoreUnavailable,
} from "../ports/row-store.ts"
import { type LogPosition, StoreConflict, type Table, type Versioned } from "../ports/store.ts"

/** Keeps everything in memory: for the simulator and for tests. Durable as far as memory is. */
export class MemoryRowStore implements RowStore {
  readonly #tables = new Map<Table, Map<string, Versioned<Bytes>>>()
  readonly #log: LogRow[] = []
  #tree: Frontier = EMPTY_FRONTIER
  #closed = false

  async read(table: Table, id: string): Promise<Versioned<Bytes> | null> {
    this.#checkOpen()
    const row = this.#table(table).get(id)
    return row === undefined ? null : { version: row.version, value: row.value.slice() }
  }

  async scan(table: Table, prefix: string, after: string, limit: number): Promise<readonly Row[]> {
    this.#checkOpen()
    checkLimit(limit)
    return [...this.#table(table)]
      .filter(([id]) => id.startsWith(prefix) && id > after)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([id, { version, value }]) => ({ id, version, value: value.slice() }))
  }

  async commit(batch: readonly RowChange[]): Promise<readonly LogPosition[]> {
    this.#checkOpen()
    checkBatch(batch)
    for (const change of batch) {
      if (change.kind === "append") continue
      const version = this.#table(change.table).get(change.id)?.version ?? "absent"
      if (version !== demandedVersion(change)) throw new StoreConflict(change.table, change.id)
    }
    const positions: LogPosition[] = []
    for (const change of batch) {
      if (change.kind === "append") positions.push(this.#append(change.entry))
      else if (change.kind === "take") this.#table(change.table).delete(change.id)
      else if (change.kind === "put") {
        const version = nextVersion(change.ifVersion)
        this.#table(change.table).set(change.id, { version, value: change.value.slice() })
      }
    }
    return positions
  }

  async logPosition(): Promise<LogPosition | null> {
    this.#checkOpen()
    const last = this.#log.at(-1)
    return last === undefined ? null : { index: last.index, head: last.head }
  }

  async entries(from: number, limit: number): Promise<readonly LogRow[]> {
    this.#checkOpen()
    checkLimit(limit)
    return this.#log.slice(from, from + limit)
  }

  async close(): Promise<LogPosition | null> {
    const end = this.#closed ? null : await this.logPosition()
    this.#closed = true
    return end
  }

  /** The same rows behind a new handle, as after a restart. */
  reopen(): MemoryRowStore {
    this.#closed = false
    return this
  }

  #append(entry: { readonly commitment: Bytes; readonly body: Bytes }): LogPosition {
    const index = this.#tree.treeSize
    this.#tree = grow(this.#tree, hashLeaf(entry.commitment)).frontier
    const row: LogRow = {
      index,
      head: rootOf(this.#tree),
      commitment: entry.commitment.slice(),
      body: entry.body.slice(),
    }
    this.#log.push(row)
    return { index, head: row.head }
  }

  #table(table: Table): Map<string, Versioned<Bytes>> {
    let rows = this.#tables.get(table)
    if (rows === undefined) {
      rows = new Map()
      this.#tables.set(table, rows)
    }
    return rows
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreUnavailable("the store is closed")
  }
}
