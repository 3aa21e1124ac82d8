/**
 * What this process has issued and not yet spent, beside the store's own rows. A hostile database
 * can put a row back that was taken; it cannot put an entry back here. One-time state of an earlier
 * process is refused: losing a nonce is fine, repeating one is not.
 */
export class OneTimeLedger {
  readonly #limitPerOwner: number
  readonly #outstanding = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  /** @param limitPerOwner - most entries one owner (a key, an account) may have outstanding. */
  constructor(limitPerOwner: number) {
    this.#limitPerOwner = limitPerOwner
  }

  /** How many more entries the owner may have. */
  room(owner: string): number {
    return this.#limitPerOwner - (this.#counts.get(owner) ?? 0)
  }

  issue(owner: string, id: string): void {
    if (this.#outstanding.has(id)) throw new Error("one-time state issued twice")
    this.#outstanding.set(id, owner)
    this.#counts.set(owner, (this.#counts.get(owner) ?? 0) + 1)
  }

  has(id: string): boolean {
    return this.#outstanding.has(id)
  }

  /** True once for each issued id, before anything derived from it may leave. */
  spend(id: string): boolean {
    const owner = this.#outstanding.get(id)
    if (owner === undefined) return false
    this.#outstanding.delete(id)
    const left = (this.#counts.get(owner) ?? 1) - 1
    if (left === 0) this.#counts.delete(owner)
    else this.#counts.set(owner, left)
    return true
  }
}
