import type { Identifier } from "@lockkeeper/crypto"
import type { EcdsaSigningOrder } from "./ecdsa-attempt.ts"
import { sharesOf } from "./generations.ts"
import type { Principal } from "./principal.ts"
import {
  chooseSet,
  isAscending,
  nameOfSet,
  orderFor,
  type SetRules,
  type SignerSet,
} from "./signer-sets.ts"
import type { Supply } from "./supply.ts"

/** Which signer sets one signature may still be made with, and which of them to try next. */
export class EcdsaSets {
  /** Will not be asked again for this signature. */
  readonly excluded = new Set<Identifier>()
  /** Have not answered for a while; others are asked beside them. */
  readonly slow = new Set<Identifier>()
  readonly #principal: Principal
  readonly #supply: Supply
  readonly #order: EcdsaSigningOrder
  readonly #barred = new Set<string>()
  readonly #deferred = new Set<string>()
  /** In how many barred or deferred sets each server was: any of their members may have been the reason. */
  readonly #doubts = new Map<Identifier, number>()
  /** Found to have nothing in their pool that can be used. */
  readonly #empty = new Set<string>()
  #ready: readonly SignerSet[] = []

  constructor(principal: Principal, supply: Supply, order: EcdsaSigningOrder) {
    this.#principal = principal
    this.#supply = supply
    this.#order = order
  }

  /** Does not try this set again. */
  bar(set: SignerSet): void {
    this.#barred.add(nameOfSet(set))
    this.#doubt(set)
  }

  /** Tries every other set before this one. */
  defer(set: SignerSet): void {
    this.#deferred.add(nameOfSet(set))
    this.#doubt(set)
  }

  #doubt(set: SignerSet): void {
    for (const id of set) this.#doubts.set(id, (this.#doubts.get(id) ?? 0) + 1)
  }

  /** The best set that is not at work yet: the preferred one, unless only others have a pool. */
  choose(atWork: ReadonlyMap<string, SignerSet>): SignerSet | null {
    const { key } = this.#order
    const isFree = (set: SignerSet): boolean =>
      !atWork.has(nameOfSet(set)) && !this.#deferred.has(nameOfSet(set))
    const isBarred = (set: SignerSet): boolean => this.#isOut(set) || !isFree(set)
    const rules = { ...this.#rules, isBarred }
    const preferred = chooseSet(this.#candidates(), rules)
    if (preferred === null && this.#deferred.size > 0) {
      this.#deferred.clear()
      return this.choose(atWork)
    }
    if (preferred === null || !this.#empty.has(nameOfSet(preferred))) return preferred
    const filled = this.#ready.filter((set) => isFree(set) && this.#isUsable(set))
    return filled.find((set) => this.#supply.hasOffer(sharesOf(key), set)) ?? filled[0] ?? preferred
  }

  /** Notes that a set's pool is empty, and says whether another set that can sign has one. */
  async hasBetter(set: SignerSet): Promise<boolean> {
    this.#empty.add(nameOfSet(set))
    const news = await this.#supply.news(this.#order.key)
    this.#ready = news.sets
      .filter(({ ready, complete }) => complete && ready > 0)
      .map(({ signers }) => signers)
      .filter((signers) => !this.#empty.has(nameOfSet(signers)))
    return this.#ready.some((other) => this.#isUsable(other))
  }

  get #rules(): SetRules {
    const { trust } = this.#principal.servers
    return { roster: trust.roster, dead: this.#supply.apart, size: this.#order.key.minSigners }
  }

  /** Those who may be asked, those last of whom there is something to doubt. */
  #candidates(): readonly Identifier[] {
    const { servers } = this.#principal
    const { keyId, holders } = this.#order.key
    const rank = (id: Identifier): number =>
      (servers.isDemoted(id) ? 1_000 : 0) + (this.#doubts.get(id) ?? 0)
    return servers
      .usable(orderFor(keyId, holders))
      .filter((id) => !this.excluded.has(id) && !this.slow.has(id))
      .sort((a, b) => rank(a) - rank(b))
  }

  #isOut(set: SignerSet): boolean {
    return this.#barred.has(nameOfSet(set))
  }

  /** Whether a set that a server named is one that may sign. */
  #isUsable(set: SignerSet): boolean {
    const among = this.#candidates()
    const isSet = isAscending(set) && set.length === this.#order.key.minSigners
    if (!isSet || this.#isOut(set)) return false
    return set.every((id) => among.includes(id)) && chooseSet(set, this.#rules) !== null
  }
}
