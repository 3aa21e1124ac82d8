import type { Bytes } from "@lockkeeper/encoding"
import {
  checkBatch,
  checkLimit,
  type LogPosition,
  type LogRow,
  type Row,
  type RowChange,
  type RowStore,
  StoreUnavailable,
  type Table,
  type Versioned,
} from "@lockkeeper/server"
import type { SimulatedDisk } from "./disk.ts"
import type { DiskContent } from "./disk-content.ts"

/**
 * The disk as one process has it open. When the process dies its store answers nothing any more,
 * neither yes nor no: what the dead code waits for never comes, and so it does nothing more.
 */
export class SimulatedRowStore implements RowStore {
  readonly disk: SimulatedDisk
  #state: "open" | "closed" | "dead" = "open"
  #note: unknown = null

  constructor(disk: SimulatedDisk) {
    this.disk = disk
  }

  /** What `commit` is given within `act`, at once and not later, is handed to the disk's watcher. */
  noting<T>(note: unknown, act: () => T): T {
    this.#note = note
    try {
      return act()
    } finally {
      this.#note = null
    }
  }

  read(table: Table, id: string): Promise<Versioned<Bytes> | null> {
    return this.#look((content) => content.read(table, id))
  }

  async scan(table: Table, prefix: string, after: string, limit: number): Promise<readonly Row[]> {
    checkLimit(limit)
    return this.#look((content) => content.scan(table, prefix, after, limit))
  }

  commit(batch: readonly RowChange[]): Promise<readonly LogPosition[]> {
    const note = this.#note
    return this.#commit(batch, note)
  }

  logPosition(): Promise<LogPosition | null> {
    return this.#look((content) => content.position)
  }

  async entries(from: number, limit: number): Promise<readonly LogRow[]> {
    checkLimit(limit)
    return this.#look((content) => content.entries(from, limit))
  }

  async close(): Promise<LogPosition | null> {
    if (this.#state === "closed") return null
    await this.#check()
    this.#state = "closed"
    await this.disk.settled()
    return this.#isDead() ? never() : this.disk.content.position
  }

  die(): void {
    this.#state = "dead"
  }

  async #commit(batch: readonly RowChange[], note: unknown): Promise<readonly LogPosition[]> {
    await this.#check()
    checkBatch(batch)
    const positions = await this.disk.commit(batch, () => this.#state === "dead", note)
    return positions ?? never()
  }

  async #look<T>(look: (content: DiskContent) => T): Promise<T> {
    await this.#check()
    const found = await this.disk.read(look)
    return this.#isDead() ? never() : found
  }

  async #check(): Promise<void> {
    if (this.#isDead()) await never()
    if (this.#state === "closed") throw new StoreUnavailable("the store is closed")
  }

  #isDead(): boolean {
    return this.#state === "dead"
  }
}

/** What a process waits for that has died. */
function never(): Promise<never> {
  return new Promise(() => undefined)
}
