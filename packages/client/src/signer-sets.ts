import { placementViolation, type Roster } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { MAX_SET_SEARCH, MAX_SETS_IN_USE } from "./limits.ts"

/** The servers that sign together, ascending. */
export type SignerSet = readonly Identifier[]

/** Names a signer set, as a key of maps. */
export function nameOfSet(set: SignerSet): string {
  return set.join("-")
}

/** Whether a set is written as sets are: distinct, ascending. */
export function isAscending(set: SignerSet): boolean {
  return set.every((id, i) => i === 0 || id > (set[i - 1] as number))
}

function ascending(set: readonly Identifier[]): SignerSet {
  return [...set].sort((a, b) => a - b)
}

/** Pairs of servers that can no longer multiply together: no signer set may hold both. */
export class DeadPairs {
  readonly #names = new Set<string>()

  add(a: Identifier, b: Identifier): void {
    this.#names.add(nameOfSet(ascending([a, b])))
  }

  has(a: Identifier, b: Identifier): boolean {
    return this.#names.has(nameOfSet(ascending([a, b])))
  }

  /** Whether a set holds such a pair. */
  within(set: SignerSet): boolean {
    return set.some((a, i) => set.slice(i + 1).some((b) => this.has(a, b)))
  }
}

export interface SetRules {
  readonly roster: Roster
  /** Pairs that no set may hold. */
  readonly dead: Pick<DeadPairs, "has">
  /** How many sign together. */
  readonly size: number
  /** Whether a complete set is out of the question for other reasons. */
  readonly isBarred?: (set: SignerSet) => boolean
}

/**
 * The first signer set, in order of preference of its members, that holds no dead pair and that the
 * roster's placement rules allow; null when there is none, or none is found within the bound.
 */
export function chooseSet(order: readonly Identifier[], rules: SetRules): SignerSet | null {
  const { roster, dead, size, isBarred } = rules
  let looked = 0
  const extend = (chosen: readonly Identifier[], from: number): SignerSet | null => {
    if (chosen.length === size) {
      const set = ascending(chosen)
      return isBarred?.(set) ? null : set
    }
    for (let i = from; i <= order.length - (size - chosen.length); i++) {
      if (++looked > MAX_SET_SEARCH) return null
      const next = order[i] as Identifier
      if (chosen.some((id) => dead.has(id, next))) continue
      const longer = [...chosen, next]
      if (placementViolation(roster, longer) !== null) continue
      const found = extend(longer, i + 1)
      if (found !== null) return found
    }
    return null
  }
  return extend([], 0)
}

/**
 * The key's holders in the order in which signer sets are looked for: the same for every client, so
 * that pools are filled for the sets that sign, and rotated by the key, so that keys spread the work.
 */
export function orderFor(keyId: Bytes, holders: readonly Identifier[]): readonly Identifier[] {
  const turn = (keyId[0] as number) % Math.max(1, holders.length)
  return [...holders.slice(turn), ...holders.slice(0, turn)]
}

/**
 * The sets that sign as long as at most one server is away: the preferred one first, then for each
 * server in it the one that takes its place.
 */
export function setsInUse(order: readonly Identifier[], rules: SetRules): readonly SignerSet[] {
  const preferred = chooseSet(order, rules)
  if (preferred === null) return []
  const sets = new Map([[nameOfSet(preferred), preferred]])
  for (const away of preferred) {
    const others = order.filter((id) => id !== away)
    const alternate = chooseSet(others, rules)
    if (alternate !== null && sets.size < MAX_SETS_IN_USE) {
      sets.set(nameOfSet(alternate), alternate)
    }
  }
  return [...sets.values()]
}
