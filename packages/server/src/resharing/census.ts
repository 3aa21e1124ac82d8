import type { Bytes } from "@lockkeeper/encoding"
import type { Store } from "../ports/store.ts"
import { pageOfKeys } from "./sources.ts"

/** Most keys that are looked at in one round of housekeeping, and at once. */
const LOOKED_AT = 512
const PAGE = 64

/** How old the shares of keys are, for the operator: looked up a part at a time, and never decided by. */
export class ShareCensus {
  readonly #store: Store
  #after: Bytes | null = null
  #oldest = Number.POSITIVE_INFINITY
  /** Of the last whole round. */
  #known: number | null = null

  constructor(store: Store) {
    this.#store = store
  }

  /** Since when the oldest shares are in force, milliseconds since the Unix epoch; null for none. */
  get oldest(): number | null {
    return this.#known
  }

  async goOn(): Promise<void> {
    for (let seen = 0; seen < LOOKED_AT; seen += PAGE) {
      const { sharings, next } = await pageOfKeys(this.#store, this.#after, PAGE)
      for (const { activatedAt } of sharings) this.#oldest = Math.min(this.#oldest, activatedAt)
      this.#after = next
      if (next !== null) continue
      this.#known = Number.isFinite(this.#oldest) ? this.#oldest : null
      this.#oldest = Number.POSITIVE_INFINITY
      return
    }
  }
}
