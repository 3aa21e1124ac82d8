import { cedarRequest } from "../facts/cedar-request.ts"
import { unsafeField } from "../facts/check.ts"
import type { Facts } from "../facts/facts.ts"
import { type LimitState, limitState } from "../limits/limit-state.ts"
import type { Policy } from "../policy.ts"
import { quorumState } from "../quorums/quorum-state.ts"
import type { Verdict } from "../rules/prepared.ts"
import { effectsOf, type States } from "./effects.ts"

/** Why a request is allowed or denied. */
export type Reason =
  | "permitted"
  | "forbidden"
  | "no-permit"
  | "approvals-missing"
  | "rule-error"
  | "engine-failed"
  | "invalid-facts"
  | "counter-missing"

export interface Decision {
  readonly allow: boolean
  readonly reason: Reason
  /**
   * The ids that decided, ascending: the permits of what is permitted; the forbids of what is
   * forbidden, or waits because of them; the rules with errors.
   */
  readonly rules: readonly string[]
  /** Every limit that speaks of the request. */
  readonly limits: readonly LimitState[]
  /** Ways to be allowed by approvals, one for each permit; empty unless `approvals-missing`. */
  readonly missing: readonly MissingApprovals[]
  /** What `reason` is about: a field of the facts, a limit without a counter, an engine's words. */
  readonly detail: string
}

export interface MissingApprovals {
  /** The permit that would allow. */
  readonly rule: string
  readonly quorums: readonly {
    readonly quorum: string
    readonly need: number
    readonly have: number
  }[]
}

/**
 * Decides a request: denied unless a permit takes effect and no forbid does. Whatever cannot be
 * computed, a rule's error or an unsafe number, is denied. Nothing is thrown.
 */
export function decide(policy: Policy, facts: Facts): Decision {
  const found = statesOf(policy, facts)
  if ("reason" in found) return denied(found.reason, [], found.detail)
  const { states } = found
  const limits = [...states.limits.values()].filter(({ status }) => status !== "outside")
  const verdict = evaluate(policy, facts, states, false)
  if (verdict.kind === "failed") return denied("engine-failed", [], verdict.why)
  const { rules } = verdict
  const empty = { rules, limits, missing: [], detail: "" }
  if (verdict.kind === "rule-error") return { ...empty, allow: false, reason: "rule-error" }
  if (verdict.kind === "allow") return { ...empty, allow: true, reason: "permitted" }
  const missing = missingApprovals(policy, facts, states, rules)
  if (missing.length > 0) return { ...empty, allow: false, reason: "approvals-missing", missing }
  return { ...empty, allow: false, reason: rules.length > 0 ? "forbidden" : "no-permit" }
}

const denied = (reason: Reason, rules: readonly string[], detail: string): Decision => ({
  ...{ allow: false, reason, rules, limits: [], missing: [], detail },
})

/** The states of all limits and quorums, or why there can be no decision. */
export function statesOf(
  policy: Policy,
  facts: Facts,
): { states: States } | { reason: "invalid-facts" | "counter-missing"; detail: string } {
  const field = unsafeField(facts)
  if (field !== null) return { reason: "invalid-facts", detail: field }
  const { document } = policy
  const limits = new Map<string, LimitState>()
  for (const limit of document.limits) {
    const state = limitState(document, limit, facts)
    if ("missing" in state) return { reason: "counter-missing", detail: state.missing }
    limits.set(limit.name, state)
  }
  const quorums = new Map(document.quorums.map((q) => [q.name, quorumState(q, facts)]))
  return { states: { limits, quorums } }
}

function evaluate(policy: Policy, facts: Facts, states: States, awaited: boolean): Verdict {
  const effects = effectsOf(policy, facts, states, awaited)
  return policy.prepared.decide(cedarRequest(policy.document, facts, effects))
}

/** Asks once more, as if every quorum that is open had approved. */
function missingApprovals(
  policy: Policy,
  facts: Facts,
  states: States,
  forbids: readonly string[],
): readonly MissingApprovals[] {
  const open = [...states.quorums.values()].filter(({ status }) => status === "open")
  if (open.length === 0) return []
  const verdict = evaluate(policy, facts, states, true)
  if (verdict.kind !== "allow") return []
  const quorumsOf = (id: string) => policy.rules.find((rule) => rule.id === id)?.quorums ?? []
  return verdict.rules.map((rule) => {
    const needed = new Set([rule, ...forbids].flatMap(quorumsOf))
    const quorums = open
      .filter(({ quorum }) => needed.has(quorum))
      .map(({ quorum, need, have }) => ({ quorum, need, have }))
    return { rule, quorums }
  })
}
