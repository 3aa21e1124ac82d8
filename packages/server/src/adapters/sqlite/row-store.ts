import type { Bytes } from "@lockkeeper/encoding"
import type Database from "better-sqlite3"
import {
  checkBatch,
  checkLimit,
  demandedVersion,
  endOfPrefix,
  type LogRow,
  nextVersion,
  type Row,
  type RowChange,
  type RowStore,
  StoreUnavailable,
} from "../../ports/row-store.ts"
import { type LogPosition, StoreConflict, type Table, type Versioned } from "../../ports/store.ts"
import { type GrowingTree, LogTree } from "./log-tree.ts"
import { openDatabase } from "./schema.ts"

/** Most batches that wait for the next transaction. */
const MAX_QUEUE = 4096

interface Waiting {
  readonly batch: readonly RowChange[]
  readonly resolve: (positions: readonly LogPosition[]) => void
  readonly reject: (error: Error) => void
}

function ownBytes(buffer: Uint8Array): Bytes {
  return new Uint8Array(buffer)
}

function prepare(database: Database.Database) {
  return {
    begin: database.prepare("BEGIN IMMEDIATE"),
    commit: database.prepare("COMMIT"),
    rollback: database.prepare("ROLLBACK"),
    read: database.prepare<[string, string], { version: number; value: Buffer }>(
      'SELECT version, value FROM records WHERE "table" = ? AND id = ?',
    ),
    version: database
      .prepare<[string, string], number>('SELECT version FROM records WHERE "table" = ? AND id = ?')
      .pluck(),
    scan: database.prepare<[string, string, string, string, number], Row & { value: Buffer }>(
      `SELECT id, version, value FROM records
       WHERE "table" = ? AND id >= ? AND id > ? AND id < ? ORDER BY id LIMIT ?`,
    ),
    put: database.prepare<[string, string, number, Uint8Array]>(
      'INSERT OR REPLACE INTO records ("table", id, version, value) VALUES (?, ?, ?, ?)',
    ),
    take: database.prepare<[string, string]>('DELETE FROM records WHERE "table" = ? AND id = ?'),
    last: database.prepare<[], { index: number; head: Buffer }>(
      'SELECT "index", head FROM log ORDER BY "index" DESC LIMIT 1',
    ),
    append: database.prepare<[number, Uint8Array, Uint8Array, Uint8Array]>(
      'INSERT INTO log ("index", commitment, head, body) VALUES (?, ?, ?, ?)',
    ),
    entries: database.prepare<
      [number, number],
      { index: number; commitment: Buffer; head: Buffer; body: Buffer }
    >(
      'SELECT "index", commitment, head, body FROM log WHERE "index" >= ? ORDER BY "index" LIMIT ?',
    ),
  }
}

/**
 * Rows in one SQLite file. All batches queued in one turn of the event loop share one transaction
 * and so one fsync. The transaction is IMMEDIATE: of several processes on the file one writes at a
 * time, and the guards decide which of them read the current state.
 */
export class SqliteRowStore implements RowStore {
  readonly #database: Database.Database
  readonly #sql: ReturnType<typeof prepare>
  readonly #tree: LogTree
  #queue: Waiting[] = []
  #closed = false

  constructor(path: string) {
    this.#database = openDatabase(path)
    this.#sql = prepare(this.#database)
    this.#tree = new LogTree(this.#database)
  }

  async read(table: Table, id: string): Promise<Versioned<Bytes> | null> {
    this.#checkOpen()
    const row = this.#sql.read.get(table, id)
    return row === undefined ? null : { version: row.version, value: ownBytes(row.value) }
  }

  async scan(table: Table, prefix: string, after: string, limit: number): Promise<readonly Row[]> {
    this.#checkOpen()
    checkLimit(limit)
    return this.#sql.scan
      .all(table, prefix, after, endOfPrefix(prefix), limit)
      .map(({ id, version, value }) => ({ id, version, value: ownBytes(value) }))
  }

  commit(batch: readonly RowChange[]): Promise<readonly LogPosition[]> {
    return new Promise((resolve, reject) => {
      this.#checkOpen()
      checkBatch(batch)
      if (this.#queue.length >= MAX_QUEUE) throw new StoreUnavailable("too many waiting commits")
      if (this.#queue.length === 0) setImmediate(() => this.#flush())
      this.#queue.push({ batch, resolve, reject })
    })
  }

  async logPosition(): Promise<LogPosition | null> {
    this.#checkOpen()
    const last = this.#sql.last.get()
    return last === undefined ? null : { index: last.index, head: ownBytes(last.head) }
  }

  async entries(from: number, limit: number): Promise<readonly LogRow[]> {
    this.#checkOpen()
    checkLimit(limit)
    return this.#sql.entries.all(from, limit).map(({ index, commitment, head, body }) => ({
      index,
      commitment: ownBytes(commitment),
      head: ownBytes(head),
      body: ownBytes(body),
    }))
  }

  async close(): Promise<LogPosition | null> {
    if (this.#closed) return null
    this.#flush()
    this.#closed = true
    const last = this.#sql.last.get()
    this.#database.close()
    return last === undefined ? null : { index: last.index, head: ownBytes(last.head) }
  }

  /** One transaction for everything that waits. A batch whose guard fails is left out of it alone. */
  #flush(): void {
    const waiting = this.#queue
    this.#queue = []
    if (waiting.length === 0 || this.#closed) return
    const settle: (() => void)[] = []
    try {
      this.#sql.begin.run()
      const growing = this.#tree.begin()
      for (const { batch, resolve, reject } of waiting) {
        const conflict = this.#findConflict(batch)
        if (conflict !== null) {
          settle.push(() => reject(conflict))
          continue
        }
        const positions = this.#apply(batch, growing)
        settle.push(() => resolve(positions))
      }
      this.#sql.commit.run()
      this.#tree.keep(growing)
    } catch (error) {
      if (this.#database.inTransaction) this.#sql.rollback.run()
      const failure = new StoreUnavailable("the database could not commit", { cause: error })
      for (const { reject } of waiting) reject(failure)
      return
    }
    for (const tell of settle) tell()
  }

  /** All guards are checked before anything is applied, so a refused batch needs no undoing. */
  #findConflict(batch: readonly RowChange[]): StoreConflict | null {
    for (const change of batch) {
      if (change.kind === "append") continue
      const version = this.#sql.version.get(change.table, change.id) ?? "absent"
      if (version !== demandedVersion(change)) return new StoreConflict(change.table, change.id)
    }
    return null
  }

  #apply(batch: readonly RowChange[], growing: GrowingTree): readonly LogPosition[] {
    const positions: LogPosition[] = []
    for (const change of batch) {
      if (change.kind === "append") {
        const { commitment, body } = change.entry
        const position = growing.append(commitment)
        this.#sql.append.run(position.index, commitment, position.head, body)
        positions.push(position)
      } else if (change.kind === "take") this.#sql.take.run(change.table, change.id)
      else if (change.kind === "put") {
        const version = nextVersion(change.ifVersion)
        this.#sql.put.run(change.table, change.id, version, change.value)
      }
    }
    return positions
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreUnavailable("the store is closed")
  }
}
