import type { Identifier } from "@lockkeeper/crypto"
import {
  CHEATS,
  type Cheat,
  MOVING_CHEATS,
  OPERATED_CHEATS,
} from "../adversaries/cheating-store.ts"
import type { Target } from "../world/rosters.ts"
import { SeededRandomness } from "../world/seeded-randomness.ts"

export type Mode = "safety" | "liveness"

export interface Cheater {
  readonly server: Identifier
  readonly cheats: readonly Cheat[]
  /** It multiplies by other oblivious transfers than it has set up. */
  readonly spoilsTransfers: boolean
}

/** What one seed stands for: everything about a run that its code does not fix. */
export interface Plan {
  readonly seed: number
  readonly mode: Mode
  readonly servers: number
  readonly minSigners: number
  /** Honest owners, each with so many devices. */
  readonly devices: readonly number[]
  /** Oblivious transfers are expensive: few runs make ECDSA keys. */
  readonly ecdsa: boolean
  readonly cheater: Cheater | null
  readonly dishonestOwner: boolean
  readonly guesser: boolean
  /** How many operators refresh everything, each with coordinators of its own. */
  readonly operators: number
  /** Who holds shares in the end, and before that: none where nobody comes or goes. */
  readonly changes: readonly Target[]
  /** How long faults happen, milliseconds of virtual time. */
  readonly stormMs: number
  /** Faults begin while owners are still registering. */
  readonly early: boolean
}

/** How often, out of 100 runs, something takes part in a run. */
const SHARES = {
  ecdsa: 12,
  cheater: 25,
  ecdsaCheater: 60,
  dishonestOwner: 35,
  guesser: 35,
  early: 25,
  operators: 25,
  twoOperators: 40,
  operatedCheat: 40,
  changes: 17,
  joiningCheater: 40,
  movingCheat: 60,
}

export function planOf(seed: number, mode: Mode): Plan {
  return withChanges(withOperators(planOfOwners(seed, mode)))
}

type Shape = readonly [servers: number, minSigners: number]

const to = (minSigners: number, ...holders: readonly Identifier[]): Target => {
  return { holders, minSigners, dropped: [] }
}

/** How the holders change, and from how many. */
const CHANGES: readonly (readonly [Shape, readonly Target[]])[] = [
  [[3, 2], [to(2, 4, 5, 6)]],
  [[3, 2], [to(2, 2, 3, 4)]],
  [[3, 2], [to(3, 1, 2, 3, 4, 5)]],
  [[5, 3], [to(2, 1, 2, 6)]],
  [
    [3, 2],
    [to(2, 4, 5, 6), to(2, 1, 2, 3)],
  ],
  [[3, 2], [{ ...to(2, 1, 2, 4), dropped: [3] }]],
]

/** From dice of its own, too; what is promised about time counts on servers that are honest. */
function withChanges(plan: Plan): Plan {
  const dice = new Dice(plan, "holders")
  if (!dice.percent(SHARES.changes)) return plan
  const [[servers, minSigners], chosen] = dice.pick(CHANGES)
  // A key may have t holders and no more: then none of them can be spared.
  const isSafety = plan.mode === "safety"
  const changes = chosen.map((one) => (isSafety ? one : { ...one, dropped: [] }))
  const everybody = new Set(changes.flatMap(({ holders }) => holders))
  const joining = [...everybody].filter((one) => one > servers)
  const joins = joining.length > 0 && dice.percent(SHARES.joiningCheater)
  const server = joins ? dice.pick(joining) : 1 + dice.below(servers)
  const moving = dice.percent(SHARES.movingCheat) ? [dice.pick(MOVING_CHEATS)] : []
  const cheats = moving.length > 0 ? moving : (plan.cheater?.cheats ?? [])
  const cheater =
    plan.mode === "liveness" ? null : plan.cheater && { ...plan.cheater, server, cheats }
  // Pairs of five and six servers would cost more than all else.
  const ecdsa = plan.ecdsa && servers === 3 && everybody.size < 5
  return { ...plan, servers, minSigners, changes, cheater, ecdsa }
}

/** From dice of its own: what else a seed stands for does not depend on it. */
function withOperators(plan: Plan): Plan {
  const dice = new Dice(plan, "operators")
  if (!dice.percent(SHARES.operators)) return plan
  const operators = dice.percent(SHARES.twoOperators) ? 2 : 1
  const { cheater } = plan
  if (cheater === null || !dice.percent(SHARES.operatedCheat)) return { ...plan, operators }
  const cheats = [...cheater.cheats, ...OPERATED_CHEATS]
  return { ...plan, operators, cheater: { ...cheater, cheats } }
}

function planOfOwners(seed: number, mode: Mode): Plan {
  const randomness = new SeededRandomness(String(seed), `plan of a ${mode} run`)
  const often = (share: number): boolean => randomness.below(100) < share
  const pick = <T>(from: readonly T[]): T => from[randomness.below(from.length)] as T
  const [servers, minSigners] = pick([
    ...Array.from({ length: 8 }, () => [3, 2] as const),
    [4, 3] as const,
    [5, 3] as const,
  ])
  const ecdsa = servers === 3 && often(SHARES.ecdsa)
  const server = 1 + randomness.below(servers)
  const spoilsTransfers = ecdsa && often(50)
  // Other cheats would end a run before it comes to that.
  const chosen = spoilsTransfers ? [] : [pick(CHEATS), ...CHEATS.filter(() => often(25))]
  const cheats = [...new Set(chosen)]
  return {
    ...{ seed, mode, servers, minSigners, ecdsa },
    devices: pick([[1], [1], [2], [1, 1], [1, 1], [2, 1]]),
    cheater: often(ecdsa ? SHARES.ecdsaCheater : SHARES.cheater)
      ? { server, cheats, spoilsTransfers }
      : null,
    dishonestOwner: often(SHARES.dishonestOwner),
    guesser: often(SHARES.guesser),
    operators: 0,
    changes: [],
    stormMs: 4_000 + randomness.below(10_000),
    early: often(SHARES.early),
  }
}

/** Seeded choices of one part of a run. */
export class Dice {
  readonly #randomness: SeededRandomness

  constructor({ seed, mode }: Pick<Plan, "seed" | "mode">, part: string) {
    this.#randomness = new SeededRandomness(String(seed), `${part} of a ${mode} run`)
  }

  below(bound: number): number {
    return this.#randomness.below(bound)
  }

  /** From `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  percent(share: number): boolean {
    return this.below(100) < share
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError("there is nothing to pick from")
    return from[this.below(from.length)] as T
  }

  /** One of the names, as often as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const names = Object.keys(weights) as T[]
    let left = this.below(names.reduce((sum, name) => sum + weights[name], 0))
    for (const name of names) {
      left -= weights[name]
      if (left < 0) return name
    }
    throw new RangeError("weights add up to nothing")
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return this.#randomness.bytes(length)
  }
}
