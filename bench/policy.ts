import { decide, type Facts, type Policy } from "@lockkeeper/policy"
import { cedar } from "@lockkeeper/policy/cedar"
import { factsOf, treasury } from "../packages/policy/test/treasury.ts"
import type { Bench } from "./bench.ts"
import { quantile, sample } from "./measure.ts"

const RUNS = { warmup: 100, count: 400 }

/** One decision beside Cedar on the same rules without anything computed or kept for it. */
export const bench: Bench = {
  name: "policy",
  async run(report) {
    const policy = treasury()
    const facts = factsOf(policy)
    const stateless = await medianMs(() => decideStateless(policy, facts))
    report({
      name: "policy-decision-p50",
      value: await medianMs(() => decide(policy, facts)),
      unit: "ms",
      baseline: { name: "Cedar parsing the rules each time", value: stateless },
      target: { of: "value", is: "at most", bound: 3 },
      consistsOf:
        "4 limits, 2 quorums and 6 rules, parsed once: facts checked, sums, one evaluation",
    })
    const waiting = { ...facts, approvals: [] }
    report({
      name: "policy-waiting-p50",
      value: await medianMs(() => decide(policy, waiting)),
      unit: "ms",
      baseline: { name: "Cedar parsing the rules each time", value: stateless },
      target: { of: "value", is: "at most", bound: 3 },
      consistsOf: "the same without approvals: a second evaluation says which are missing",
    })
  },
}

const medianMs = async (decision: () => unknown) => quantile(await sample(decision, RUNS), 0.5)

function decideStateless({ rules }: Policy, { principal, action, key, timeMs }: Facts): unknown {
  const staticPolicies = Object.fromEntries(rules.map(({ id, compiled }) => [id, compiled]))
  const who = { type: "Principal", id: principal.id }
  const what = { type: "Key", id: key?.id ?? "" }
  return cedar.isAuthorized({
    principal: who,
    action: { type: "Action", id: action },
    resource: what,
    context: {
      granted: ["payments"],
      lifted: ["large-needs-compliance"],
      time: { at: timeMs, hour: 12, weekday: 1 },
      intent: { kind: "transfer", warnings: [] },
    },
    policies: { staticPolicies },
    entities: [
      {
        uid: who,
        attrs: { kind: { __entity: { type: "Kind", id: principal.kind } } },
        parents: principal.roles.map((role) => ({ type: "Role", id: role })),
      },
      { uid: what, attrs: {}, parents: [] },
    ],
  })
}
