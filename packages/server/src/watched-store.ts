import type { Change, LogPosition, Store, Table } from "./ports/store.ts"

/** Most places that are noted; where more change, all count as changed. */
const MAX_NOTED = 16_384

export interface RowPlace {
  readonly table: Table
  readonly id: string
}

/** What was put since a watch began; null when that was too much to note. */
export interface Watch {
  readonly places: () => readonly RowPlace[] | null
  readonly end: () => void
}

/** A store that can say what was put into it since somebody went through it. */
export class WatchedStore implements Store {
  readonly #store: Store
  readonly #watches = new Set<(places: readonly RowPlace[]) => void>()

  constructor(store: Store) {
    this.#store = store
  }

  watch(): Watch {
    const noted = new Map<string, RowPlace>()
    const note = (places: readonly RowPlace[]): void => {
      if (noted.size > MAX_NOTED) return
      for (const place of places) noted.set(`${place.table} ${place.id}`, place)
    }
    this.#watches.add(note)
    return {
      places: () => (noted.size > MAX_NOTED ? null : [...noted.values()]),
      end: () => void this.#watches.delete(note),
    }
  }

  async commit(batch: readonly Change[]): Promise<readonly LogPosition[]> {
    const put = batch.flatMap((change) =>
      change.kind === "put" ? [{ table: change.table, id: change.id }] : [],
    )
    // Noted before it is there: whoever looks at the notes next has to look at the row too.
    for (const note of this.#watches) note(put)
    return await this.#store.commit(batch)
  }

  read(table: Table, id: string) {
    return this.#store.read(table, id)
  }

  scan(table: Table, prefix: string, after: string, limit: number) {
    return this.#store.scan(table, prefix, after, limit)
  }

  logPosition() {
    return this.#store.logPosition()
  }

  close() {
    return this.#store.close()
  }
}
