import { MAX_PRESIGNATURES } from "@lockkeeper/api"
import { hashValue, type Identifier } from "@lockkeeper/crypto"
import { type Bytes, equalBytes, list, text, toHex } from "@lockkeeper/encoding"
import type { Reservation } from "../one-time.ts"

/** Most presignatures of all keys. */
const MAX_POOLED = 65_536

/** How long presignatures that were offered to one caller are offered to no other, milliseconds. */
export const LEASE_MS = 60_000

/** What this process knows of a presignature that it may still use once. */
export interface Pooled {
  /** The row it waits in. */
  readonly id: string
  readonly presignatureId: Bytes
  readonly keyId: Bytes
  /** Ascending. */
  readonly signers: readonly Identifier[]
  readonly keyEpoch: number
  readonly rosterEpoch: number
  /** Milliseconds since the Unix epoch. */
  readonly madeAt: number
}

interface Entry extends Pooled {
  offeredAt: number | null
}

function isLeased({ offeredAt }: Entry, now: number): boolean {
  return offeredAt !== null && now - offeredAt < LEASE_MS
}

/** Which signer set, in words that compare. */
export function setName(signers: readonly Identifier[]): string {
  return signers.join("-")
}

/**
 * The presignatures that this process may use, beside the store's rows: one is struck off here before
 * the transaction that takes its row is sent, so that a hostile database that puts the row back gains
 * nothing. In the order in which they were made.
 */
export class Pool {
  readonly #entries = new Map<string, Entry>()
  readonly #byKey = new Map<string, Set<Entry>>()
  readonly #reserved = new Map<string, number>()

  get size(): number {
    return this.#entries.size
  }

  /** How many more of the key there may be. */
  room(keyId: Bytes): number {
    return Math.min(this.#roomOfKey(keyId), MAX_POOLED - this.size)
  }

  #roomOfKey(keyId: Bytes): number {
    const key = toHex(keyId)
    const held = (this.#byKey.get(key)?.size ?? 0) + (this.#reserved.get(key) ?? 0)
    return MAX_PRESIGNATURES - held
  }

  /** Room for what is being made, or null when there is not enough. */
  reserve(keyId: Bytes, count: number): Reservation | null {
    if (this.room(keyId) < count) return null
    const key = toHex(keyId)
    const change = (by: number): void => {
      const reserved = (this.#reserved.get(key) ?? 0) + by
      if (reserved === 0) this.#reserved.delete(key)
      else this.#reserved.set(key, reserved)
    }
    let held = count
    change(held)
    return {
      count,
      release: () => {
        change(-held)
        held = 0
      },
    }
  }

  add(pooled: Pooled): void {
    if (this.#entries.has(pooled.id)) throw new Error("a presignature was made twice")
    const entry: Entry = { ...pooled, offeredAt: null }
    this.#entries.set(entry.id, entry)
    const key = toHex(entry.keyId)
    const ofKey = this.#byKey.get(key) ?? new Set<Entry>()
    this.#byKey.set(key, ofKey.add(entry))
  }

  find(id: string): Pooled | null {
    return this.#entries.get(id) ?? null
  }

  /** True once for each presignature, before anything derived from it may leave. */
  spend(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined) return false
    this.#entries.delete(id)
    const key = toHex(entry.keyId)
    const ofKey = this.#byKey.get(key)
    ofKey?.delete(entry)
    if (ofKey?.size === 0) this.#byKey.delete(key)
    return true
  }

  /** The key's, oldest first. */
  ofKey(keyId: Bytes): readonly Pooled[] {
    return [...(this.#byKey.get(toHex(keyId)) ?? [])]
  }

  /** Up to `count` of a signer set for one caller, oldest first. */
  offer(keyId: Bytes, signers: readonly Identifier[], count: number, now: number): Bytes[] {
    const offered: Bytes[] = []
    const set = setName(signers)
    for (const entry of this.#byKey.get(toHex(keyId)) ?? []) {
      if (offered.length >= count) break
      if (isLeased(entry, now) || setName(entry.signers) !== set) continue
      entry.offeredAt = now
      offered.push(entry.presignatureId)
    }
    return offered
  }

  /** Strikes off the key's presignatures of other epochs than these, and returns them. */
  dropOutdated(keyId: Bytes, keyEpoch: number, rosterEpoch: number): readonly Pooled[] {
    return this.#strike(
      this.ofKey(keyId).filter(
        (one) => one.keyEpoch !== keyEpoch || one.rosterEpoch !== rosterEpoch,
      ),
    )
  }

  /**
   * Strikes off as many of a signer set as room is missing for, and returns them: the oldest of what
   * this server has beyond the `ready` that every signer has. What somebody may be about to use stays.
   */
  dropUnmatched(
    keyId: Bytes,
    signers: readonly Identifier[],
    { ready, count, now }: { readonly ready: number; readonly count: number; readonly now: number },
  ): readonly Pooled[] {
    const ofSet = [...(this.#byKey.get(toHex(keyId)) ?? [])].filter(
      (one) => setName(one.signers) === setName(signers),
    )
    const missing = Math.max(0, count - this.#roomOfKey(keyId))
    const most = Math.max(0, Math.min(missing, ofSet.length - ready))
    return this.#strike(ofSet.filter((one) => !isLeased(one, now)).slice(0, most))
  }

  /**
   * Strikes off the key's oldest of other signer sets until there is room, and returns them. Where all
   * keys together have too many, the key that has most gives: nobody fills the pool for everyone.
   */
  makeRoom(keyId: Bytes, count: number, keep: readonly Identifier[]): readonly Pooled[] {
    const others = this.ofKey(keyId).filter(({ signers }) => setName(signers) !== setName(keep))
    const missing = Math.max(0, count - this.#roomOfKey(keyId))
    const struck = this.#strike(others.slice(0, missing))
    const missingInAll = Math.max(0, count - (MAX_POOLED - this.size))
    return [...struck, ...this.#strike(this.#ofFullest(keyId, missingInAll))]
  }

  /** The oldest of whichever key has most, if that is more than this one has. */
  #ofFullest(keyId: Bytes, count: number): readonly Pooled[] {
    if (count === 0) return []
    let fullest = this.#byKey.get(toHex(keyId)) ?? new Set<Entry>()
    const own = fullest
    for (const ofKey of this.#byKey.values()) if (ofKey.size > fullest.size) fullest = ofKey
    return fullest === own ? [] : [...fullest].slice(0, count)
  }

  /** Strikes off what was made before, at most `limit`, and returns it. */
  expire(madeBefore: number, limit: number): readonly Pooled[] {
    const old: Pooled[] = []
    for (const entry of this.#entries.values()) {
      if (old.length === limit) break
      if (entry.madeAt < madeBefore) old.push(entry)
    }
    return this.#strike(old)
  }

  clear(): void {
    this.#entries.clear()
    this.#byKey.clear()
    this.#reserved.clear()
  }

  /** 32 bytes over what there is: an orderly stop leaves them where the database cannot write. */
  digest(): Bytes {
    return digestOfPool([...this.#entries.keys()])
  }

  #strike(entries: readonly Pooled[]): readonly Pooled[] {
    for (const { id } of entries) this.spend(id)
    return entries
  }
}

const idList = list(text(160), MAX_POOLED)

function digestOfPool(ids: readonly string[]): Bytes {
  return hashValue("presignature-pool", idList, [...ids].sort())
}

/** Whether rows are exactly those of which `digest` was made: none put back, none hidden. */
export function isPoolOf(digest: Bytes, ids: readonly string[]): boolean {
  return ids.length <= MAX_POOLED && equalBytes(digestOfPool(ids), digest)
}
