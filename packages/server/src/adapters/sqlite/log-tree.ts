import { type Bytes, concat, equalBytes } from "@lockkeeper/encoding"
import {
  EMPTY_FRONTIER,
  EMPTY_ROOT,
  type Frontier,
  frontierFrom,
  grow,
  hashLeaf,
  nodesOf,
  rootOf,
  TILE_WIDTH,
  type TileReader,
  type TileRoot,
  tileOfEntries,
} from "@lockkeeper/transparency"
import type Database from "better-sqlite3"
import { StoreUnavailable } from "../../ports/row-store.ts"
import type { LogPosition } from "../../ports/store.ts"

/** The tree as it grows in a transaction that may still be rolled back. */
export class GrowingTree {
  #frontier: Frontier
  readonly #keepRoot: (root: TileRoot) => void

  constructor(frontier: Frontier, keepRoot: (root: TileRoot) => void) {
    this.#frontier = frontier
    this.#keepRoot = keepRoot
  }

  get frontier(): Frontier {
    return this.#frontier
  }

  append(commitment: Bytes): LogPosition {
    const index = this.#frontier.treeSize
    const { frontier, tileRoots } = grow(this.#frontier, hashLeaf(commitment))
    this.#frontier = frontier
    tileRoots.forEach(this.#keepRoot)
    return { index, head: rootOf(frontier) }
  }
}

/**
 * The Merkle tree over the log's commitments. Only the roots of full tiles are kept, a row for each 256
 * entries and one for each 256 of these: the leaves are the commitments, and the frontier to append to
 * stays in memory from one transaction to the next.
 */
export class LogTree {
  readonly #last: Database.Statement<[], { index: number; head: Buffer }>
  readonly #commitments: Database.Statement<[number, number], Buffer>
  readonly #roots: Database.Statement<[number, number, number], Buffer>
  readonly #keepRoot: Database.Statement<[number, number, Uint8Array]>
  #frontier: Frontier = EMPTY_FRONTIER
  #root: Bytes = EMPTY_ROOT

  constructor(database: Database.Database) {
    this.#last = database.prepare('SELECT "index", head FROM log ORDER BY "index" DESC LIMIT 1')
    this.#commitments = database
      .prepare<[number, number], Buffer>(
        'SELECT commitment FROM log WHERE "index" >= ? ORDER BY "index" LIMIT ?',
      )
      .pluck()
    this.#roots = database
      .prepare<[number, number, number], Buffer>(
        'SELECT hash FROM log_tiles WHERE level = ? AND "index" >= ? ORDER BY "index" LIMIT ?',
      )
      .pluck()
    this.#keepRoot = database.prepare(
      'INSERT INTO log_tiles (level, "index", hash) VALUES (?, ?, ?)',
    )
  }

  /**
   * The tree as the database has it, to be called in the transaction that appends to it.
   *
   * @throws StoreUnavailable when the entries do not make the head that stands beside the last of them.
   */
  begin(): GrowingTree {
    const last = this.#last.get()
    const size = last === undefined ? 0 : last.index + 1
    const root = last === undefined ? EMPTY_ROOT : last.head
    const known = size === this.#frontier.treeSize && equalBytes(root, this.#root)
    // Another process has appended, or this is the first transaction of this one.
    const frontier = known ? this.#frontier : this.#read(size, root)
    return new GrowingTree(frontier, ({ level, index, hash }) => {
      this.#keepRoot.run(level, index, hash)
    })
  }

  /** Remembers what was committed. */
  keep({ frontier }: GrowingTree): void {
    if (frontier === this.#frontier) return
    this.#frontier = frontier
    this.#root = rootOf(frontier)
  }

  #read(size: number, root: Uint8Array): Frontier {
    try {
      const frontier = frontierFrom(nodesOf(this.#tile, size), size)
      if (equalBytes(rootOf(frontier), root)) return frontier
    } catch (error) {
      throw new StoreUnavailable("the log's tree cannot be read", { cause: error })
    }
    throw new StoreUnavailable("the log's entries do not make the head of the last of them")
  }

  readonly #tile: TileReader = ({ level, index, width }) => {
    const first = index * TILE_WIDTH
    if (level === "entries") return null
    const rows =
      level === 0 ? this.#commitments.all(first, width) : this.#roots.all(level, first, width)
    if (rows.length !== width) return null
    const hashes = rows.map((row) => new Uint8Array(row))
    return level === 0 ? tileOfEntries(hashes) : concat(...hashes)
  }
}

/** Rows that are made anew at a time. */
const PAGE = 1024

/** Heads and tiles for a log whose heads were of a hash chain, in the transaction that is open. */
export function plantTree(database: Database.Database): void {
  const commitments = database.prepare<[number, number], { index: number; commitment: Buffer }>(
    'SELECT "index", commitment FROM log WHERE "index" >= ? ORDER BY "index" LIMIT ?',
  )
  const setHead = database.prepare<[Uint8Array, number]>(
    'UPDATE log SET head = ? WHERE "index" = ?',
  )
  const keepRoot = database.prepare<[number, number, Uint8Array]>(
    'INSERT INTO log_tiles (level, "index", hash) VALUES (?, ?, ?)',
  )
  const tree = new GrowingTree(EMPTY_FRONTIER, ({ level, index, hash }) => {
    keepRoot.run(level, index, hash)
  })
  for (let from = 0; ; from += PAGE) {
    const rows = commitments.all(from, PAGE)
    for (const { index, commitment } of rows) {
      const position = tree.append(new Uint8Array(commitment))
      if (position.index !== index) throw new StoreUnavailable("the log has lost an entry")
      setHead.run(position.head, index)
    }
    if (rows.length < PAGE) return
  }
}
