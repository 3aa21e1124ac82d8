/** What shares a bound: the commitments of one key, or the key generations of one account. */
export type OneTimeKind = "nonces" | "key-generation"

interface Entry {
  readonly owner: string
  readonly kind: OneTimeKind
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number
}

/** Room that a request holds until its commit has ended. */
export interface Reservation {
  readonly count: number
  /** Gives the room back; what was issued meanwhile takes its own. Once is enough. */
  release(): void
}

/**
 * What this process has issued and not yet spent, beside the store's own rows. A hostile database
 * can put a row back that was taken; it cannot put an entry back here. One-time state of an earlier
 * process is refused: losing a nonce is fine, repeating one is not.
 */
export class OneTimeLedger {
  readonly #limitPerOwner: number
  /** In the order of issue, so that the oldest come first. */
  readonly #outstanding = new Map<string, Entry>()
  readonly #counts = new Map<string, number>()

  /** @param limitPerOwner - most entries of one kind one owner (a key, an account) may have. */
  constructor(limitPerOwner: number) {
    this.#limitPerOwner = limitPerOwner
  }

  /** How many more entries the owner may have. */
  room(kind: OneTimeKind, owner: string): number {
    return this.#limitPerOwner - (this.#counts.get(countedAs({ kind, owner })) ?? 0)
  }

  /**
   * Takes up to `most` of the owner's room for what is about to be committed, so that requests at
   * the same time do not all find the same room. To be released however the commit ends.
   */
  reserve(kind: OneTimeKind, owner: string, most: number): Reservation {
    const counted = countedAs({ kind, owner })
    let reserved = Math.max(0, Math.min(most, this.room(kind, owner)))
    const count = reserved
    this.#add(counted, count)
    return {
      count,
      release: () => {
        this.#add(counted, -reserved)
        reserved = 0
      },
    }
  }

  issue(kind: OneTimeKind, owner: string, id: string, issuedAt: number): void {
    if (this.#outstanding.has(id)) throw new Error("one-time state issued twice")
    const entry = { kind, owner, issuedAt }
    this.#outstanding.set(id, entry)
    this.#add(countedAs(entry), 1)
  }

  has(id: string): boolean {
    return this.#outstanding.has(id)
  }

  /** True once for each issued id, before anything derived from it may leave. */
  spend(id: string): boolean {
    const entry = this.#outstanding.get(id)
    if (entry === undefined) return false
    this.#outstanding.delete(id)
    this.#add(countedAs(entry), -1)
    return true
  }

  /** Strikes off the owner's oldest entries until there is room for `wanted`; says which they were. */
  makeRoom(kind: OneTimeKind, owner: string, wanted: number): readonly string[] {
    const missing = wanted - this.room(kind, owner)
    const oldest: string[] = []
    if (missing <= 0) return oldest
    for (const [id, entry] of this.#outstanding) {
      if (entry.kind !== kind || entry.owner !== owner) continue
      oldest.push(id)
      if (oldest.length === missing) break
    }
    for (const id of oldest) this.spend(id)
    return oldest
  }

  /** Strikes off up to `limit` entries issued before `issuedBefore`, and says which they were. */
  expire(issuedBefore: number, limit: number): readonly { kind: OneTimeKind; id: string }[] {
    const expired: { kind: OneTimeKind; id: string }[] = []
    for (const [id, { kind, issuedAt }] of this.#outstanding) {
      if (issuedAt >= issuedBefore || expired.length === limit) break
      expired.push({ kind, id })
    }
    for (const { id } of expired) this.spend(id)
    return expired
  }

  #add(counted: string, change: number): void {
    const count = (this.#counts.get(counted) ?? 0) + change
    if (count === 0) this.#counts.delete(counted)
    else this.#counts.set(counted, count)
  }
}

// Key ids are chosen by strangers, so a key may bear the id of somebody else's account.
function countedAs({ kind, owner }: Pick<Entry, "kind" | "owner">): string {
  return `${kind}/${owner}`
}
