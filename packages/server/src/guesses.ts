import { LockKeeperError } from "@lockkeeper/api"
import { hmacSha256 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import type { Change, Store } from "./ports/store.ts"
import type { ServerSelf } from "./self.ts"

/** Counters for names without an account: a bounded number, shared by names that fall together. */
const UNKNOWN_BUCKETS = 65_536

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
    const taken = Math.min(stored.limit, Math.max(stored.taken, this.#taken.get(id) ?? 0))
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

  #bucket(accountId: Bytes): string {
    const digest = hmacSha256(this.#self.loginServer.fakes.seed.expose(), accountId)
    const number = new DataView(digest.buffer, digest.byteOffset).getUint32(0) % UNKNOWN_BUCKETS
    return `unknown-${number}`
  }
}

/** Refused because this server has no guesses left for the name, whether or not it exists. */
export function lockedOut(): LockKeeperError {
  return new LockKeeperError("locked", "This server has no guesses left for this account.", {
    field: "name",
    remedy: "Use a client that is still logged in to forgive the failed guesses.",
    guessesRemaining: 0,
  })
}
