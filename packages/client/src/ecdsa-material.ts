import type { PreparedEcdsa } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, toHex } from "@lockkeeper/encoding"
import { type Message, messageCodec } from "@lockkeeper/protocols"
import type { Clock } from "./dependencies.ts"
import { MATERIAL_LIFETIME_MS, MAX_POOLED, MAX_PREPARED_KEYS, MAX_PREPARED_SETS } from "./limits.ts"
import { nameOfSet, type SignerSet } from "./signer-sets.ts"

/** What one ECDSA signature takes beside the shares: a presignature on offer, a nonce of each signer. */
export interface Material {
  readonly presignature: Bytes
  /** Until when the presignature is offered to nobody else, milliseconds since the Unix epoch. */
  readonly until: number
  readonly nonces: readonly Nonce[]
}

/** A signer's signed nonce, as it came and decoded: whether it is one shows with its order. */
export interface Nonce {
  readonly encoded: Bytes
  readonly message: Message
}

interface Kept<T> {
  readonly value: T
  readonly until: number
}

interface OfKey {
  readonly nonces: Map<Identifier, Kept<Nonce>[]>
  /** By signer set. */
  readonly offers: Map<string, Kept<Bytes>[]>
}

/**
 * Nonces and offers that servers handed out and nobody has used, so that a signature takes one round
 * trip, by `sharesOf` the key. Public values; each is used once and forgotten before the servers forget it. Bounded.
 */
export class EcdsaMaterial {
  readonly #clock: Clock
  readonly #byKey = new Map<string, OfKey>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Removes and gives what one signature takes, or gives null and removes nothing. */
  take(shares: Bytes, set: SignerSet): Material | null {
    const kept = this.#of(shares)
    if (this.lacking(shares, set).length > 0) return null
    const offer = this.#fresh(kept.offers, nameOfSet(set)).shift() as Kept<Bytes>
    const nonces = set.map((id) => (this.#fresh(kept.nonces, id).shift() as Kept<Nonce>).value)
    return { presignature: offer.value, until: offer.until, nonces }
  }

  /** Gives back what was taken and never sent. */
  giveBack(shares: Bytes, set: SignerSet, { presignature, until }: Material): void {
    this.#fresh(this.#of(shares).offers, nameOfSet(set)).unshift({ value: presignature, until })
  }

  /** Those whose nonces, or whose offers for the set, are used up. */
  lacking(shares: Bytes, set: SignerSet): readonly Identifier[] {
    const { nonces, offers } = this.#of(shares)
    const [first] = set
    const isOffered = this.#fresh(offers, nameOfSet(set)).length > 0
    return set.filter((id) => (id === first && !isOffered) || this.#fresh(nonces, id).length === 0)
  }

  /** Whether a presignature of this set is at hand. */
  hasOffer(shares: Bytes, set: SignerSet): boolean {
    return this.#fresh(this.#of(shares).offers, nameOfSet(set)).length > 0
  }

  /** How many more nonces of this server are welcome. */
  room(shares: Bytes, server: Identifier): number {
    return MAX_POOLED - this.#fresh(this.#of(shares).nonces, server).length
  }

  /**
   * Keeps what a server prepared.
   *
   * @throws DecodeError on what is no message.
   */
  keep(shares: Bytes, set: SignerSet, server: Identifier, prepared: PreparedEcdsa): void {
    const { nonces, offers } = this.#of(shares)
    const until = this.#clock.now() + MATERIAL_LIFETIME_MS
    const came = prepared.nonces.map((encoded) => {
      return { value: { encoded, message: decode(messageCodec, encoded) }, until }
    })
    append(this.#fresh(nonces, server), came)
    if (server === set[0]) {
      const offered = prepared.presignatures.map((value) => ({ value, until }))
      append(this.#fresh(offers, nameOfSet(set)), offered)
    }
  }

  /** Forgets a server's nonces: it has restarted, and does not know them any more. */
  dropNonces(shares: Bytes, server: Identifier): void {
    this.#of(shares).nonces.delete(server)
  }

  clear(): void {
    this.#byKey.clear()
  }

  /** The list under a name without what is too old, oldest first. */
  #fresh<K, T>(lists: Map<K, Kept<T>[]>, name: K): Kept<T>[] {
    const now = this.#clock.now()
    const list = lists.get(name) ?? []
    while (list.length > 0 && (list[0] as Kept<T>).until <= now) list.shift()
    lists.delete(name)
    lists.set(name, list)
    trim(lists, MAX_PREPARED_SETS)
    return list
  }

  #of(shares: Bytes): OfKey {
    const id = toHex(shares)
    const found = this.#byKey.get(id) ?? { nonces: new Map(), offers: new Map() }
    this.#byKey.delete(id)
    this.#byKey.set(id, found)
    trim(this.#byKey, MAX_PREPARED_KEYS)
    return found
  }
}

function append<T>(list: Kept<T>[], more: readonly Kept<T>[]): void {
  for (const item of more) if (list.length < MAX_POOLED) list.push(item)
}

/** Whatever was used longest ago makes room. */
function trim<K, V>(map: Map<K, V>, most: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= most) break
    map.delete(oldest)
  }
}
