import type { Secret } from "@lockkeeper/crypto"
import { type Bytes, encode, fixedBytes, safeInteger, struct, text } from "@lockkeeper/encoding"
import { commitToLogBody, decodeLogBody, encodeLogBody } from "@lockkeeper/transparency"
import type { Randomness } from "../ports/dependencies.ts"
import type { Log, LoggedEntry } from "../ports/log.ts"
import { nextVersion, type RowChange, type RowStore } from "../ports/row-store.ts"
import type { Change, LogEntry, LogPosition, Store, Table, Versioned } from "../ports/store.ts"
import { type Before, Freshness } from "./freshness.ts"
import { openBytes, SEAL_RANDOMNESS, sealBytes } from "./sealed-bytes.ts"

export type SealBreach = "not-authentic" | "rolled-back"

/** A stored record is not the one this server sealed for that place. Somebody wrote to the database. */
export class SealBroken extends Error {
  override readonly name = "SealBroken"
  readonly reason: SealBreach
  readonly table: Table | "log"

  constructor(reason: SealBreach, table: Table | "log") {
    super(
      reason === "rolled-back"
        ? `a record in ${table} is gone or older than this server has seen it`
        : `a record in ${table} was not sealed by this server for that place`,
    )
    this.reason = reason
    this.table = table
  }
}

interface RowPlace {
  readonly table: string
  readonly id: string
  readonly version: number
}

const rowPlace = struct<RowPlace>({ table: text(32), id: text(256), version: safeInteger })

const logPlace = struct<{ readonly table: string; readonly commitment: Bytes }>({
  table: text(32),
  commitment: fixedBytes(32),
})

/**
 * A store over rows that the database cannot read, move, swap or alter; one that hides a row, or
 * gives it back older than this process has seen it, or takes log entries away, is found out. Log
 * bodies are sealed to their commitments.
 */
export class SealedStore implements Store, Log {
  readonly #rows: RowStore
  readonly #key: Secret
  readonly #randomness: Randomness
  readonly #freshness = new Freshness()
  /** Entries that the log is known to have: it never has fewer. */
  #logSize = 0
  /** The log has lost entries. Those that came since could make up for their number. */
  #logBroken = false

  /** Takes ownership of `keyEncryptionKey`: `close` wipes it. */
  constructor(rows: RowStore, keyEncryptionKey: Secret, randomness: Randomness) {
    this.#rows = rows
    this.#key = keyEncryptionKey
    this.#randomness = randomness
  }

  async read(table: Table, id: string): Promise<Versioned<Bytes> | null> {
    const before = this.#freshness.before(table, id)
    const row = await this.#rows.read(table, id)
    if (row !== null) {
      return { version: row.version, value: this.#open(table, id, row, before) }
    }
    if (this.#freshness.accept(table, id, "absent", before)) return null
    throw new SealBroken("rolled-back", table)
  }

  async scan(
    table: Table,
    prefix: string,
    after: string,
    limit: number,
  ): Promise<readonly (Versioned<Bytes> & { readonly id: string })[]> {
    const before = this.#freshness.beforeAll(table)
    const rows = await this.#rows.scan(table, prefix, after, limit)
    return rows.map(({ id, version, value }) => ({
      id,
      version,
      value: this.#open(table, id, { version, value }, before(id)),
    }))
  }

  async commit(batch: readonly Change[]): Promise<readonly LogPosition[]> {
    if (this.#logBroken) throw new SealBroken("rolled-back", "log")
    const claims = this.#freshness.begin(batch)
    const known = this.#logSize
    try {
      const positions = await this.#rows.commit(batch.map((change) => this.#seal(change)))
      const broken = this.#freshness.committed(claims)
      if (broken !== null) throw new SealBroken("rolled-back", broken)
      const [first] = positions
      if (first !== undefined) this.#acceptLog(first.index, known)
      return positions
    } finally {
      this.#freshness.end(claims)
    }
  }

  async logPosition(): Promise<LogPosition | null> {
    const known = this.#logSize
    const position = await this.#rows.logPosition()
    this.#acceptLog(position === null ? 0 : position.index + 1, known)
    return position
  }

  async entries(from: number, limit: number): Promise<readonly LoggedEntry[]> {
    const entries = await this.#rows.entries(from, limit)
    return entries.map(({ index, head, commitment, body }) => {
      const place = encode(logPlace, { table: "log", commitment })
      const opened = openBytes(this.#key, place, body)
      if (opened === null) throw new SealBroken("not-authentic", "log")
      return { index, head, commitment, ...decodeLogBody(opened) }
    })
  }

  async close(): Promise<LogPosition | null> {
    try {
      return await this.#rows.close()
    } finally {
      this.#key.wipe()
    }
  }

  /** @throws SealBroken when the log has fewer entries than it was known to have before. */
  #acceptLog(size: number, known: number): void {
    this.#logBroken ||= size < known
    if (this.#logBroken) throw new SealBroken("rolled-back", "log")
    this.#logSize = Math.max(this.#logSize, size)
  }

  #open(table: Table, id: string, { version, value }: Versioned<Bytes>, before: Before): Bytes {
    const opened = openBytes(this.#key, encode(rowPlace, { table, id, version }), value)
    if (opened === null) throw new SealBroken("not-authentic", table)
    if (this.#freshness.accept(table, id, version, before)) return opened
    opened.fill(0)
    throw new SealBroken("rolled-back", table)
  }

  #seal(change: Change): RowChange {
    if (change.kind === "append") return { kind: "append", entry: this.#sealEntry(change.entry) }
    if (change.kind !== "put") return change
    const { table, id, ifVersion } = change
    const place = encode(rowPlace, { table, id, version: nextVersion(ifVersion) })
    const randomness = this.#randomness.bytes(SEAL_RANDOMNESS)
    return { ...change, value: sealBytes(this.#key, place, change.value, randomness) }
  }

  #sealEntry({ time, event }: LogEntry): { commitment: Bytes; body: Bytes } {
    const body = encodeLogBody({ salt: this.#randomness.bytes(32), time, event })
    const commitment = commitToLogBody(body)
    const place = encode(logPlace, { table: "log", commitment })
    const randomness = this.#randomness.bytes(SEAL_RANDOMNESS)
    return { commitment, body: sealBytes(this.#key, place, body, randomness) }
  }
}
