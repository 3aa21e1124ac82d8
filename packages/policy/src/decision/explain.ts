import { cedarRequest } from "../facts/cedar-request.ts"
import type { Facts } from "../facts/facts.ts"
import type { LimitState } from "../limits/limit-state.ts"
import type { Policy } from "../policy.ts"
import type { QuorumState } from "../quorums/quorum-state.ts"
import type { Rule } from "../rules/compile.ts"
import { type Decision, decide, statesOf } from "./decide.ts"
import { effectsOf, isBeyond, isWithin, type States } from "./effects.ts"

const SENTENCES: Readonly<Record<Decision["reason"], (decision: Decision) => string>> = {
  permitted: ({ rules }) => `Allowed by ${rules.join(", ")}.`,
  forbidden: ({ rules }) => `Denied: forbidden by ${rules.join(", ")}.`,
  "no-permit": () => "Denied: no rule permits it.",
  "approvals-missing": () => "Waits for approvals.",
  "rule-error": ({ rules }) => `Denied: ${rules.join(", ")} could not be computed.`,
  "engine-failed": ({ detail }) => `Denied: Cedar gave no decision: ${detail}.`,
  "invalid-facts": ({ detail }) => `Denied: ${detail} of the request cannot be relied on.`,
  "counter-missing": ({ detail }) => `Denied: the counter of limit ${detail} is missing.`,
}

/**
 * Why a request is allowed or denied, for people: the decision, what is still missing, and each rule,
 * limit and quorum with how it stands. Of the same facts as `decide`, whose word alone counts.
 */
export function explain(policy: Policy, facts: Facts): readonly string[] {
  const decision = decide(policy, facts)
  const { name, version } = policy.document
  const lines = [`${SENTENCES[decision.reason](decision)} (policy ${name}, version ${version})`]
  for (const { rule, quorums } of decision.missing) {
    const needs = quorums.map((q) => `${q.quorum} (${q.have} of ${q.need})`)
    lines.push(`With approvals of ${needs.join(" and ")}, rule ${rule} permits it.`)
  }
  const found = statesOf(policy, facts)
  if ("reason" in found) return lines
  const { states } = found
  lines.push(...ruleLines(policy, facts, states))
  for (const state of states.limits.values()) lines.push(limitLine(state))
  for (const state of states.quorums.values()) lines.push(quorumLine(state))
  return lines
}

function ruleLines(policy: Policy, facts: Facts, states: States): readonly string[] {
  const effects = effectsOf(policy, facts, states, false)
  const request = cedarRequest(policy.document, facts, effects)
  const verdicts = {
    permit: policy.prepared.matching("permit", request),
    forbid: policy.prepared.matching("forbid", request),
  }
  return policy.rules.map((rule) => {
    const verdict = verdicts[rule.effect]
    const what = `Rule ${rule.id} (${rule.effect}${rule.note ? `: ${rule.note}` : ""})`
    if (verdict.kind === "failed") return `${what}: unknown, ${verdict.why}.`
    const named = verdict.rules.includes(rule.id)
    if (verdict.kind === "rule-error") {
      return `${what}: ${named ? "could not be computed" : "unknown beside a rule with an error"}.`
    }
    if (!named) return `${what}: does not speak of this.`
    const held = heldBack(policy, rule, facts, states)
    return held === "" ? `${what}: takes effect.` : `${what}: speaks of this, but ${held}.`
  })
}

/** Why a rule whose conditions hold has no effect; "" where it has. */
function heldBack(policy: Policy, rule: Rule, facts: Facts, states: States): string {
  const waiting = rule.quorums.filter((name) => states.quorums.get(name)?.status !== "approved")
  if (rule.effect === "permit") {
    const beyond = rule.limits.filter((name) => states.limits.get(name)?.status === "beyond")
    if (beyond.length > 0) return `it is beyond ${beyond.join(" and ")}`
    if (!isWithin(policy.document, rule, facts, states)) {
      return `${rule.limits.join(" and ")} cover not all that moves`
    }
    return waiting.length > 0 ? `without ${waiting.join(" and ")}` : ""
  }
  if (rule.limits.length > 0 && !isBeyond(rule, states)) {
    return `nothing is beyond ${rule.limits.join(" or ")}`
  }
  const lifted = rule.quorums.length > 0 && waiting.length === 0
  return lifted ? `lifted by ${rule.quorums.join(" and ")}` : ""
}

function limitLine({ limit, status, used, adds, most }: LimitState): string {
  if (status === "outside") return `Limit ${limit}: does not speak of this.`
  return `Limit ${limit}: ${status}, ${used} used and ${adds} asked for, of ${most}.`
}

function quorumLine({ quorum, status, need, have, approvedBy, vetoedBy }: QuorumState): string {
  const by = approvedBy.length > 0 ? ` by ${approvedBy.join(", ")}` : ""
  if (status === "vetoed") return `Quorum ${quorum}: vetoed by ${vetoedBy.join(", ")}.`
  return `Quorum ${quorum}: ${status}, ${have} of ${need}${by}.`
}
