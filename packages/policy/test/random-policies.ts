import type { Limit, Per, Quorum, Who } from "../src/document/document.ts"
import {
  ACTIONS,
  type Action,
  CUSTODIES,
  type IntentFacts,
  PRINCIPAL_KINDS,
  type RequestFacts,
} from "../src/index.ts"

/** One condition of a rule, in a form that is both written as Cedar and evaluated without it. */
export type Atom =
  | { readonly of: "hour"; readonly below: number }
  | { readonly of: "weekday"; readonly is: number }
  | { readonly of: "kind"; readonly is: string }
  | { readonly of: "custody"; readonly is: string }
  | { readonly of: "chain"; readonly is: string }
  | { readonly of: "asset"; readonly is: string }
  | { readonly of: "to"; readonly among: readonly string[] }
  | { readonly of: "unwarned" }
  | { readonly of: "product"; readonly times: bigint }

export interface RandomRule {
  readonly id: string
  readonly effect: "permit" | "forbid"
  readonly role: string | null
  readonly action: Action | null
  readonly when: readonly Atom[]
  readonly unless: readonly Atom[]
  readonly limits: readonly string[]
  readonly quorums: readonly string[]
}

export interface RandomPolicy {
  readonly rules: readonly RandomRule[]
  readonly limits: readonly Limit[]
  readonly quorums: readonly Quorum[]
}

/** Numbers from a seed, by mulberry32. */
export class Draws {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  below(count: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count)
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T
  }

  some<T>(of: readonly T[]): readonly T[] {
    return of.filter(() => this.below(3) === 0)
  }

  times<T>(most: number, make: (index: number) => T): T[] {
    return Array.from({ length: this.below(most + 1) }, (_, index) => make(index))
  }
}

const ROLES = ["auditor", "clerk", "treasurer"]
const PEOPLE = ["ada", "bob", "cyd", "dan", "eve"]
const ASSETS = ["eth", "usdc", "wbtc"]
const CHAINS = ["bitcoin", "ethereum:1"]
const PLACES = ["0xaa", "0xbb", "0xcc"]
const AMOUNTS = [0n, 1n, 5n, 6n, 10n, 2n ** 53n + 1n, 2n ** 64n, 2n ** 255n, 2n ** 256n - 1n]
const MOSTS = [0n, 5n, 10n, 11n, 2n ** 53n, 2n ** 64n + 1n, 2n ** 256n - 1n]
const DURATIONS = [60_000, 3_600_000, 86_400_000]
const PERS: readonly Per[] = ["key", "principal", "policy"]

export function randomPolicy(draws: Draws): RandomPolicy {
  const limits = draws.times(4, (index) => randomLimit(draws, `limit-${index}`))
  const quorums = draws.times(3, (index) => randomQuorum(draws, `quorum-${index}`))
  const rules = Array.from({ length: 1 + draws.below(6) }, (_, index) =>
    randomRule(draws, `rule-${index}`, { limits, quorums }),
  )
  const used = (names: (rule: RandomRule) => readonly string[]) => new Set(rules.flatMap(names))
  return {
    rules,
    limits: limits.filter(({ name }) => used((rule) => rule.limits).has(name)),
    quorums: quorums.filter(({ name }) => used((rule) => rule.quorums).has(name)),
  }
}

function randomLimit(draws: Draws, name: string): Limit {
  const amount = { name, asset: draws.one(ASSETS), most: draws.one(MOSTS) }
  const counted = { overMs: draws.one(DURATIONS), per: draws.one(PERS) }
  return draws.one<Limit>([
    { kind: "transaction", ...amount },
    { kind: "fee", ...amount },
    { kind: "window", ...amount, ...counted },
    { kind: "velocity", name, requests: 1 + draws.below(4), ...counted },
  ])
}

function randomQuorum(draws: Draws, name: string): Quorum {
  const everybody: readonly Who[] = [
    ...ROLES.map((role) => ({ kind: "role", role }) as const),
    ...PEOPLE.map((person) => ({ kind: "person", person }) as const),
  ]
  // Of a role there may be any number of people; without one the header would be refused.
  const members = [draws.one(everybody.slice(0, ROLES.length)), ...draws.some(everybody)]
  return {
    name,
    need: 1 + draws.below(3),
    members: [...new Set(members)].map((who) => ({ who, weight: 1 + draws.below(3) })),
    veto: draws.some(everybody).slice(0, 2),
    requesterMayApprove: draws.below(3) === 0,
  }
}

function randomRule(
  draws: Draws,
  id: string,
  { limits, quorums }: Omit<RandomPolicy, "rules">,
): RandomRule {
  const action = draws.below(4) === 0 ? null : draws.below(3) > 0 ? "sign" : draws.one(ACTIONS)
  const names = (of: readonly { name: string }[]) =>
    draws.below(2) === 0 ? [] : draws.some(of).map(({ name }) => name)
  return {
    id,
    effect: draws.below(3) === 0 ? "forbid" : "permit",
    role: draws.below(3) === 0 ? draws.one(ROLES) : null,
    action,
    when: draws.times(2, () => randomAtom(draws, action)),
    unless: draws.times(1, () => randomAtom(draws, action)),
    limits: names(limits),
    quorums: names(quorums),
  }
}

function randomAtom(draws: Draws, action: Action | null): Atom {
  const always: readonly Atom[] = [
    { of: "hour", below: 1 + draws.below(24) },
    { of: "weekday", is: 1 + draws.below(7) },
    { of: "kind", is: draws.one(PRINCIPAL_KINDS) },
    { of: "product", times: draws.one([1n, 2n ** 10n, 2n ** 22n, 2n ** 24n, 2n ** 62n]) },
  ]
  const ofKeys: readonly Atom[] = [{ of: "custody", is: draws.one(CUSTODIES) }]
  const ofIntents: readonly Atom[] = [
    { of: "chain", is: draws.one(CHAINS) },
    { of: "asset", is: draws.one(ASSETS) },
    { of: "to", among: [draws.one(PLACES), ...draws.some(PLACES)] },
    { of: "unwarned" },
  ]
  // The schema refuses what not every action has.
  const hasKey = action !== null && action !== "change-policy"
  const more = [...(hasKey ? ofKeys : []), ...(action === "sign" ? ofIntents : [])]
  return draws.one([...always.slice(0, draws.below(8) === 0 ? 4 : 3), ...more])
}

export function randomRequest(draws: Draws, timeMs: number): RequestFacts {
  const action = draws.below(4) > 0 ? "sign" : draws.one(ACTIONS)
  const id = draws.one(["key-1", "key-2"])
  const key = { id, type: "frost", custody: draws.one(CUSTODIES), labels: draws.some(["hot"]) }
  return {
    principal: {
      id: draws.one(PEOPLE.slice(0, 2)),
      kind: draws.one(PRINCIPAL_KINDS),
      roles: draws.some([...ROLES, "stranger"]),
    },
    action,
    key: action === "change-policy" ? null : key,
    intent: action === "sign" ? randomIntent(draws) : null,
    timeMs,
    approvals: draws.times(5, () => ({
      person: draws.one(PEOPLE),
      roles: draws.some(ROLES),
      verdict: draws.below(8) === 0 ? "veto" : "approve",
    })),
  }
}

function randomIntent(draws: Draws): IntentFacts {
  return {
    chain: draws.one(CHAINS),
    kind: "transfer",
    from: "0x00",
    transfers: draws.times(3, () => ({
      to: draws.one(PLACES),
      asset: draws.one(ASSETS),
      amount: draws.one(AMOUNTS),
    })),
    fee: draws.below(3) === 0 ? null : { asset: draws.one(ASSETS), amount: draws.one(AMOUNTS) },
    complete: draws.below(8) > 0,
    warnings: draws.some(["unknown-call"]),
  }
}

/** The same with one number that cannot be relied on. */
export function withUnsafeNumber(draws: Draws, facts: RequestFacts): RequestFacts {
  const timeMs = draws.one([Number.NaN, -1, 0.5, 2 ** 53, Number.POSITIVE_INFINITY])
  if (facts.intent === null || draws.below(2) === 0) return { ...facts, timeMs }
  const amount = draws.one([-1n, 2n ** 256n, 5, Number.MAX_SAFE_INTEGER, "5", null]) as bigint
  const unsafe = { to: "0xaa", asset: "usdc", amount }
  return { ...facts, intent: { ...facts.intent, transfers: [unsafe] } }
}
