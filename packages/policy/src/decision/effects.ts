import type { Limit, PolicyDocument } from "../document/document.ts"
import type { Effects } from "../facts/cedar-request.ts"
import type { RequestFacts } from "../facts/facts.ts"
import type { LimitState } from "../limits/limit-state.ts"
import type { QuorumState } from "../quorums/quorum-state.ts"
import type { Rule } from "../rules/compile.ts"

/** The states of limits and quorums by name. */
export interface States {
  readonly limits: ReadonlyMap<string, LimitState>
  readonly quorums: ReadonlyMap<string, QuorumState>
}

/** Which rules with annotations take effect; with `awaited`, as if open quorums were approved. */
export function effectsOf(
  policy: { readonly document: PolicyDocument; readonly rules: readonly Rule[] },
  facts: RequestFacts,
  states: States,
  awaited: boolean,
): Effects {
  const approved = ({ quorums }: Rule) =>
    quorums.every((name) => {
      const status = states.quorums.get(name)?.status
      return status === "approved" || (awaited && status === "open")
    })
  const granted = policy.rules.filter(
    (rule) =>
      rule.effect === "permit" && approved(rule) && isWithin(policy.document, rule, facts, states),
  )
  // A forbid with a limit is lifted where nothing is beyond it, one with quorums when they approve.
  const lifted = policy.rules.filter(
    (rule) =>
      rule.effect === "forbid" &&
      ((rule.limits.length > 0 && !isBeyond(rule, states)) ||
        (rule.quorums.length > 0 && approved(rule))),
  )
  return { granted: granted.map(({ id }) => id), lifted: lifted.map(({ id }) => id) }
}

export const isBeyond = (rule: Rule, { limits }: States): boolean =>
  rule.limits.some((name) => limits.get(name)?.status === "beyond")

/**
 * Whether a permit's limits allow what is asked: none is exceeded, and those on amounts and fees
 * cover all that moves. A limit on one asset permits nothing of another.
 */
export function isWithin(
  document: PolicyDocument,
  rule: Rule,
  { intent }: RequestFacts,
  states: States,
): boolean {
  if (isBeyond(rule, states)) return false
  const limits = document.limits.filter(({ name }) => rule.limits.includes(name))
  const assetsOf = (...kinds: readonly Limit["kind"][]) =>
    limits.flatMap((limit) => (kinds.includes(limit.kind) && "asset" in limit ? limit.asset : []))
  const amounts = assetsOf("transaction", "window")
  const fees = assetsOf("fee")
  if (amounts.length > 0) {
    const transfers = intent?.transfers ?? []
    if (transfers.length === 0) return false
    if (!transfers.every(({ asset }) => amounts.includes(asset))) return false
  }
  if (fees.length > 0) {
    if (intent === null) return false
    if (intent.fee !== null && !fees.includes(intent.fee.asset)) return false
  }
  return true
}
