import { LockKeeperError } from "@lockkeeper/api"
import { hmacSha256 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, equalBytes, toHex } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import type { Change, Store } from "./ports/store.ts"
import type { ServerSelf } from "./self.ts"

/** Counters for names without an account: a bounded number, shared by names that fall together. */
const UNKNOWN_BUCKETS = 65_536

/** Two of them in a byte, of which each counts to 15: more than any limit. */
export const UNKNOWN_GUESSES_LENGTH = UNKNOWN_BUCKETS / 2
const MOST_TOLD = 15

const TOLD = { table: "meta", id: "unknown-guesses" } as const

const PAGE = 256

/** Most accounts whose counters this process remembers beside the store. */
const MAX_REMEMBERED = 100_000

export interface GuessRecord {
  readonly id: string
  readonly version: number | "absent"
  readonly counter: opaque.GuessCounter
}

/**
 * Guess counters: stored, and remembered by this process so that a database that puts back an older
 * row gives no guesses back.
 */
export class Guesses {
  readonly #store: Store
  readonly #self: ServerSelf
  readonly #taken = new Map<string, number>()
  /** Of unknown names, at the servers that names have come from; null before it is looked up. */
  #told: Bytes | null = null

  constructor(self: ServerSelf, store: Store) {
    this.#self = self
    this.#store = store
  }

  /** The counter of an account, or the one a name without an account falls to. */
  async read(accountId: Bytes, exists: boolean): Promise<GuessRecord> {
    const id = exists ? toHex(accountId) : this.#bucket(accountId)
    const row = await this.#store.read("guesses", id)
    const stored =
      row === null ? opaque.newGuessCounter() : decode(opaque.guessCounterCodec, row.value)
    const told = exists ? 0 : await this.#toldOf(accountId)
    const taken = Math.min(stored.limit, Math.max(stored.taken, this.#taken.get(id) ?? 0, told))
    return { id, version: row?.version ?? "absent", counter: { ...stored, taken } }
  }

  /** The change that stores `counter`; call `remember` once it is committed. */
  put({ id, version }: GuessRecord, counter: opaque.GuessCounter): Change {
    const value = encode(opaque.guessCounterCodec, counter)
    return { kind: "put", table: "guesses", id, ifVersion: version, value }
  }

  remember({ id }: GuessRecord, counter: opaque.GuessCounter): void {
    this.#taken.delete(id)
    this.#taken.set(id, counter.taken)
    if (this.#taken.size > MAX_REMEMBERED) {
      this.#taken.delete(this.#taken.keys().next().value as string)
    }
  }

  /**
   * What this server counts for unknown names, for one that begins to answer for them: a name whose guesses
   * came back when names moved would be known not to exist. Empty where nothing is counted.
   */
  async ofUnknownNames(): Promise<Bytes> {
    const counts = await this.#readTold()
    for (let after = ""; ; ) {
      const rows = await this.#store.scan("guesses", "unknown-", after, PAGE)
      for (const { id, value } of rows) {
        const { taken } = decode(opaque.guessCounterCodec, value)
        raise(counts, Number(id.slice("unknown-".length)), taken)
      }
      if (rows.length < PAGE) break
      after = rows.at(-1)?.id ?? after
    }
    return counts.every((byte) => byte === 0) ? new Uint8Array(0) : counts
  }

  /** The change that has this server count for unknown names what others told. None where it does. */
  async putTold(told: Bytes): Promise<readonly Change[]> {
    if (told.length !== UNKNOWN_GUESSES_LENGTH) return []
    const row = await this.#store.read(TOLD.table, TOLD.id)
    const before = row?.value ?? new Uint8Array(UNKNOWN_GUESSES_LENGTH)
    const value = mostOf([before, told])
    if (equalBytes(before, value)) return []
    return [{ kind: "put", ...TOLD, ifVersion: row?.version ?? "absent", value }]
  }

  /** To be called when such a change is committed. */
  forgetTold(): void {
    this.#told = null
  }

  async #toldOf(accountId: Bytes): Promise<number> {
    this.#told ??= await this.#readTold()
    return countOf(this.#told, this.#number(accountId))
  }

  async #readTold(): Promise<Bytes> {
    const row = await this.#store.read(TOLD.table, TOLD.id)
    return row?.value ?? new Uint8Array(UNKNOWN_GUESSES_LENGTH)
  }

  #bucket(accountId: Bytes): string {
    return `unknown-${this.#number(accountId)}`
  }

  #number(accountId: Bytes): number {
    const digest = hmacSha256(this.#self.loginServer.fakes.seed.expose(), accountId)
    return new DataView(digest.buffer, digest.byteOffset).getUint32(0) % UNKNOWN_BUCKETS
  }
}

function countOf(counts: Bytes, bucket: number): number {
  return ((counts[bucket >> 1] ?? 0) >> (bucket & 1 ? 4 : 0)) & MOST_TOLD
}

function raise(counts: Bytes, bucket: number, taken: number): void {
  const most = Math.min(MOST_TOLD, Math.max(taken, countOf(counts, bucket)))
  const other = countOf(counts, bucket ^ 1)
  counts[bucket >> 1] = bucket & 1 ? (most << 4) | other : (other << 4) | most
}

/** What is counted most by any of them, name by name. Those that count nothing are empty. */
export function mostOf(all: readonly Bytes[]): Bytes {
  const most = new Uint8Array(UNKNOWN_GUESSES_LENGTH)
  for (const counts of all) {
    for (const [i, byte] of counts.entries()) {
      const now = most[i] ?? 0
      most[i] = Math.max(byte & 0xf0, now & 0xf0) | Math.max(byte & 0x0f, now & 0x0f)
    }
  }
  return most
}

/** As many as `many` of these count, or more: what fewer cannot raise above all the others. */
export function countReachedBy(counts: readonly number[], many: number): number {
  return [...counts].sort((a, b) => b - a)[many - 1] ?? 0
}

/** The same, name by name. Those that count nothing are empty, and so is what comes to nothing. */
export function reachedBy(all: readonly Bytes[], many: number): Bytes {
  const counting = all.filter(({ length }) => length > 0)
  if (counting.length < many) return new Uint8Array(0)
  const reached = new Uint8Array(UNKNOWN_GUESSES_LENGTH)
  for (let i = 0; i < UNKNOWN_GUESSES_LENGTH; i++) {
    const high = countReachedBy(
      counting.map((counts) => (counts[i] ?? 0) & 0xf0),
      many,
    )
    const low = countReachedBy(
      counting.map((counts) => (counts[i] ?? 0) & 0x0f),
      many,
    )
    reached[i] = high | low
  }
  return reached.every((byte) => byte === 0) ? new Uint8Array(0) : reached
}

/** Refused because this server has no guesses left for the name, whether or not it exists. */
export function lockedOut(): LockKeeperError {
  return new LockKeeperError("locked", "This server has no guesses left for this account.", {
    field: "name",
    remedy: "Use a client that is still logged in to forgive the failed guesses.",
    guessesRemaining: 0,
  })
}
