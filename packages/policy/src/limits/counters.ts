import { hashValue } from "@lockkeeper/crypto"
import { oneOf, safeInteger, struct, text, toHex } from "@lockkeeper/encoding"
import { BOUNDS } from "../bounds.ts"
import type { Limit, PolicyDocument } from "../document/document.ts"
import { unsafeField } from "../facts/check.ts"
import { ACTIONS, type Facts, type IntentFacts, type RequestFacts } from "../facts/facts.ts"
import { type Counter, countMore } from "./counter.ts"

/** A counter that a request is judged by and, once it is allowed, counts in. */
export interface CounterNeed {
  /** 64 hexadecimal digits. It does not change with the policy's version, but with a limit's terms. */
  readonly id: string
  readonly limit: string
  readonly overMs: number
  readonly adds: bigint
}

type Counted = Extract<Limit, { overMs: number }>

const anyText = text(4 * BOUNDS.textCharacters)
const identityCodec = struct<CounterIdentity>({
  policy: anyText,
  limit: anyText,
  kind: oneOf("window", "velocity"),
  asset: anyText,
  overMs: safeInteger,
  per: oneOf("key", "principal", "policy"),
  of: anyText,
  action: oneOf(...ACTIONS),
})

interface CounterIdentity {
  readonly policy: string
  readonly limit: string
  readonly kind: Counted["kind"]
  readonly asset: string
  readonly overMs: number
  readonly per: Counted["per"]
  readonly of: string
  readonly action: (typeof ACTIONS)[number]
}

/** What `limit` would count of this request; null where it does not speak of it. */
export function counterNeed(
  document: PolicyDocument,
  limit: Limit,
  facts: RequestFacts,
): CounterNeed | null {
  if (limit.kind !== "window" && limit.kind !== "velocity") return null
  if (limit.per === "key" && facts.key === null) return null
  const asset = limit.kind === "window" ? limit.asset : ""
  const adds = limit.kind === "window" ? amountOf(facts.intent, asset) : 1n
  if (adds === null) return null
  const of = { key: facts.key?.id ?? "", principal: facts.principal.id, policy: "" }[limit.per]
  const { name, kind, overMs, per } = limit
  const identity = { policy: document.name, limit: name, kind, asset, overMs, per, of }
  const digest = hashValue("policy-counter", identityCodec, { ...identity, action: facts.action })
  return { id: toHex(digest), limit: name, overMs, adds }
}

/** The sum of an asset's transfers; null where there are none. */
export function amountOf(intent: IntentFacts | null, asset: string): bigint | null {
  const transfers = intent?.transfers.filter((transfer) => transfer.asset === asset) ?? []
  if (transfers.length === 0) return null
  return transfers.reduce((sum, { amount }) => sum + amount, 0n)
}

/**
 * The counters to read in the transaction of the request, for `Facts.counters`. None of facts that
 * `decide` refuses.
 */
export function countersNeeded(
  policy: { readonly document: PolicyDocument },
  facts: RequestFacts,
): readonly CounterNeed[] {
  if (unsafeField(facts) !== null) return []
  const { document } = policy
  return document.limits.flatMap((limit) => counterNeed(document, limit, facts) ?? [])
}

/**
 * The counters as they are to be written, in the same transaction, once the request is allowed: it
 * counts in every limit that speaks of it, whichever rule decided. None of what is counted already.
 *
 * @throws RangeError when `facts.counters` lacks one: then `decide` did not allow it.
 */
export function countersAfter(
  policy: { readonly document: PolicyDocument },
  facts: Facts,
): ReadonlyMap<string, Counter> {
  const after = new Map<string, Counter>()
  if (facts.isCounted === true) return after
  for (const { id, limit, overMs, adds } of countersNeeded(policy, facts)) {
    const counter = facts.counters.get(id)
    if (!counter) throw new RangeError(`the counter of limit ${limit} is missing`)
    after.set(id, countMore(counter, { overMs, timeMs: facts.timeMs, amount: adds }))
  }
  return after
}
