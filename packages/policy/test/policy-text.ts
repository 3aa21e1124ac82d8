import type { Limit, Quorum, Who } from "../src/document/document.ts"
import type { Atom, RandomPolicy, RandomRule } from "./random-policies.ts"

/** A random policy as the file that somebody would have written. */
export function policyText({ rules, limits, quorums }: RandomPolicy): string {
  const header = {
    name: "random",
    version: 1,
    roles: ["auditor", "clerk", "treasurer"],
    limits: Object.fromEntries(limits.map((limit) => [limit.name, limitJson(limit)])),
    quorums: Object.fromEntries(quorums.map((quorum) => [quorum.name, quorumJson(quorum)])),
  }
  return `${JSON.stringify(header)}\n---\n${rules.map(ruleText).join("\n\n")}\n`
}

function limitJson(limit: Limit): object {
  const { name: _, ...rest } = limit
  const { overMs, most, ...terms } = { overMs: 0, most: 0n, ...rest }
  return {
    ...terms,
    ...(limit.kind === "velocity" ? {} : { most: String(most) }),
    ...(overMs === 0 ? {} : { over: `${overMs / 60_000}m` }),
  }
}

const whoJson = (who: Who) => (who.kind === "role" ? { role: who.role } : { person: who.person })

const quorumJson = ({ need, members, veto, requesterMayApprove }: Quorum) => ({
  need,
  members: members.map(({ who, weight }) => ({ ...whoJson(who), weight })),
  veto: veto.map(whoJson),
  "requester-may-approve": requesterMayApprove,
})

function ruleText(rule: RandomRule): string {
  const annotation = (name: string, values: readonly string[]) =>
    values.length === 0 ? "" : `@${name}("${values.join(", ")}")\n`
  const principal = rule.role === null ? "principal" : `principal in Role::"${rule.role}"`
  const action = rule.action === null ? "action" : `action == Action::"${rule.action}"`
  const clauses = [
    ...rule.when.map((atom) => `\nwhen { ${atomText(atom)} }`),
    ...rule.unless.map((atom) => `\nunless { ${atomText(atom)} }`),
  ]
  return [
    annotation("id", [rule.id]),
    annotation("limit", rule.limits),
    annotation("quorum", rule.quorums),
    `${rule.effect} (${principal}, ${action}, resource)${clauses.join("")};`,
  ].join("")
}

function atomText(atom: Atom): string {
  switch (atom.of) {
    case "hour":
      return `context.time.hour < ${atom.below}`
    case "weekday":
      return `context.time.weekday == ${atom.is}`
    case "kind":
      return `principal.kind == Kind::"${atom.is}"`
    case "custody":
      return `resource.custody == Custody::"${atom.is}"`
    case "chain":
      return `context.intent.chain == "${atom.is}"`
    case "asset":
      return `context.intent.assets.contains("${atom.is}")`
    case "to":
      return `[${atom.among.map((to) => `"${to}"`)}].containsAll(context.intent.to)`
    case "unwarned":
      return "context.intent.warnings.isEmpty()"
    case "product":
      return `context.time.at * ${atom.times} > 0`
  }
}
