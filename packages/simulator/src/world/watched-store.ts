import type { Bytes } from "@lockkeeper/encoding"
import type { Change, LogPosition, SealedStore, Store, Table, Versioned } from "@lockkeeper/server"
import { meantBy } from "./observations.ts"
import type { SimulatedRowStore } from "./simulated-row-store.ts"

/** A server's store, of which the disk learns what each sealed batch means. */
export class WatchedStore implements Store {
  readonly #sealed: SealedStore
  readonly #rows: SimulatedRowStore

  /** @param rows - those that `sealed` stands over. */
  constructor(sealed: SealedStore, rows: SimulatedRowStore) {
    this.#sealed = sealed
    this.#rows = rows
  }

  read(table: Table, id: string): Promise<Versioned<Bytes> | null> {
    return this.#sealed.read(table, id)
  }

  scan(
    table: Table,
    prefix: string,
    after: string,
    limit: number,
  ): Promise<readonly (Versioned<Bytes> & { readonly id: string })[]> {
    return this.#sealed.scan(table, prefix, after, limit)
  }

  commit(batch: readonly Change[]): Promise<readonly LogPosition[]> {
    return this.#rows.noting(meantBy(batch), () => this.#sealed.commit(batch))
  }

  logPosition(): Promise<LogPosition | null> {
    return this.#sealed.logPosition()
  }

  entries(from: number, limit: number): ReturnType<SealedStore["entries"]> {
    return this.#sealed.entries(from, limit)
  }

  close(): Promise<LogPosition | null> {
    return this.#sealed.close()
  }
}
