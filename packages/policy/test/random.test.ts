import assert from "node:assert/strict"
import { it } from "node:test"
import { cedar } from "../src/cedar.ts"
import {
  type Counter,
  countersAfter,
  countersNeeded,
  decide,
  emptyCounter,
  type Facts,
  type Policy,
  parsePolicy,
  type RequestFacts,
} from "../src/index.ts"
import { policyText } from "./policy-text.ts"
import {
  Draws,
  type RandomPolicy,
  randomPolicy,
  randomRequest,
  withUnsafeNumber,
} from "./random-policies.ts"
import { reference } from "./reference.ts"

const REQUESTS = Number(process.env["LOCKKEEPER_POLICY_REQUESTS"] ?? 5000)
const SEED = Number(process.env["LOCKKEEPER_SEED"] ?? 20_261_130)
const REQUESTS_PER_POLICY = 10
const START = Date.UTC(2026, 10, 30)

/** What the reference says, in the words of a decision. */
function expected(policy: RandomPolicy, facts: RequestFacts, past: readonly RequestFacts[]) {
  const { allow, errors, rules } = reference(policy, facts, past)
  if (errors) return { allow, reason: "error" }
  if (allow) return { allow, reason: "permitted", rules }
  const forbids = policy.rules.some(({ id, effect }) => rules[0] === id && effect === "forbid")
  const denying = forbids ? rules : []
  const waits = reference(policy, facts, past, true).allow
  const reason = waits ? "approvals-missing" : forbids ? "forbidden" : "no-permit"
  return { allow, reason, rules: denying }
}

function decided(policy: Policy, facts: Facts) {
  const { allow, reason, rules } = decide(policy, facts)
  const isError = reason === "rule-error" || reason === "invalid-facts"
  return isError ? { allow, reason: "error" } : { allow, reason, rules }
}

it(`${REQUESTS} random requests are decided as a reference without Cedar decides them`, (t) => {
  const reasons: Record<string, number> = {}
  let done = 0
  let policies = 0
  for (let seed = SEED; done < REQUESTS; seed += 1) {
    const draws = new Draws(seed)
    const random = randomPolicy(draws)
    const policy = parsePolicy(cedar, policyText(random))
    policies += 1
    const past: RequestFacts[] = []
    const kept = new Map<string, Counter>()
    let timeMs = START + draws.below(7 * 86_400_000)
    for (let i = 0; i < REQUESTS_PER_POLICY && done < REQUESTS; i++, done++) {
      timeMs += draws.one([0, 10_000, 60_400, 3_600_000, 86_400_000])
      const safe = randomRequest(draws, timeMs)
      const request = draws.below(12) === 0 ? withUnsafeNumber(draws, safe) : safe
      const needed = countersNeeded(policy, request)
      const counters = new Map(needed.map(({ id }) => [id, kept.get(id) ?? emptyCounter]))
      const facts = { ...request, counters }
      const wanted = expected(random, request, past)
      assert.deepEqual(decided(policy, facts), wanted, `seed ${seed}, request ${i}`)
      reasons[wanted.reason] = (reasons[wanted.reason] ?? 0) + 1
      if (!wanted.allow) continue
      past.push(request)
      for (const [id, counter] of countersAfter(policy, facts)) kept.set(id, counter)
    }
  }
  t.diagnostic(`seed ${SEED}, ${policies} policies, ${JSON.stringify(reasons)}`)
  for (const reason of ["permitted", "forbidden", "no-permit", "approvals-missing", "error"]) {
    assert.ok((reasons[reason] ?? 0) > REQUESTS / 200, `${reason} is among the outcomes`)
  }
})
