import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { BOUNDS, countersNeeded, decide, type RequestFacts } from "../src/index.ts"
import { factsOf, INTENT, plain, REQUEST, treasury } from "./treasury.ts"

const policy = treasury()
/** Permits everything, so that nothing but the facts can deny. */
const open = plain('@id("all") permit (principal, action, resource);')

const bad = (value: unknown) => value as never
const principal = (changed: object) => ({ principal: { ...REQUEST.principal, ...changed } })
const key = (changed: object) => ({ key: { ...(REQUEST.key as object), ...changed } as never })
const intent = (changed: object) => ({ intent: { ...INTENT, ...changed } })
const transfer = (changed: object) =>
  intent({
    transfers: [...INTENT.transfers, { to: "0xbb", asset: "usdc", amount: 1n, ...changed }],
  })
const approval = (changed: object) => ({
  approvals: [{ person: "bob", roles: ["treasurer"], verdict: "approve" as const, ...changed }],
})
const long = "a".repeat(BOUNDS.textCharacters + 1)
const many = (count: number) => Array.from({ length: count }, (_, index) => `x${index}`)

describe("facts that cannot be relied on are denied with the field", () => {
  const cases: readonly (readonly [field: string, changed: Partial<RequestFacts>])[] = [
    ["action", { action: bad("spend") }],
    ["timeMs", { timeMs: Number.NaN }],
    ["timeMs", { timeMs: -1 }],
    ["timeMs", { timeMs: 0.5 }],
    ["timeMs", { timeMs: 2 ** 53 }],
    ["timeMs", { timeMs: Number.POSITIVE_INFINITY }],
    ["timeMs", { timeMs: bad(5n) }],
    ["principal", { principal: bad(null) }],
    ["principal.id", principal({ id: "" })],
    ["principal.id", principal({ id: long })],
    ["principal.id", principal({ id: "\ud800" })],
    ["principal.kind", principal({ kind: "root" })],
    ["principal.roles", principal({ roles: null })],
    ["principal.roles", principal({ roles: many(BOUNDS.principalRoles + 1) })],
    ["principal.roles.1", principal({ roles: ["a", 7] })],
    ["key", { key: null }],
    ["key", { action: "change-policy", intent: null }],
    ["key.id", key({ id: 7 })],
    ["key.type", key({ type: "" })],
    ["key.custody", key({ custody: "none" })],
    ["key.labels.0", key({ labels: [""] })],
    ["key.labels", key({ labels: many(BOUNDS.labels + 1) })],
    ["intent", { intent: null }],
    ["intent", { action: "export" }],
    ["intent.chain", intent({ chain: undefined })],
    ["intent.kind", intent({ kind: 3 })],
    ["intent.from", intent({ from: long })],
    ["intent.transfers", intent({ transfers: null })],
    [
      "intent.transfers",
      intent({ transfers: Array(BOUNDS.transfers + 1).fill(INTENT.transfers[0]) }),
    ],
    ["intent.transfers.0.to", intent({ transfers: [null] })],
    ["intent.transfers.1.to", transfer({ to: "" })],
    ["intent.transfers.1.asset", transfer({ asset: null })],
    ["intent.transfers.1.amount", transfer({ amount: 5 })],
    ["intent.transfers.1.amount", transfer({ amount: Number.NaN })],
    ["intent.transfers.1.amount", transfer({ amount: "5" })],
    ["intent.transfers.1.amount", transfer({ amount: -1n })],
    ["intent.transfers.1.amount", transfer({ amount: 2n ** 256n })],
    ["intent.fee.asset", intent({ fee: { amount: 1n } })],
    ["intent.fee.amount", intent({ fee: { asset: "eth", amount: 2 ** 60 } })],
    ["intent.fee.asset", intent({ fee: undefined })],
    ["intent.complete", intent({ complete: undefined })],
    ["intent.complete", intent({ complete: "false" })],
    ["intent.warnings", intent({ warnings: many(BOUNDS.warnings + 1) })],
    ["intent.warnings.0", intent({ warnings: [{}] })],
    ["approvals", { approvals: Array(BOUNDS.approvals + 1).fill(REQUEST.approvals[0]) }],
    ["approvals", { approvals: bad(undefined) }],
    ["approvals.0.person", { approvals: [bad(null)] }],
    ["approvals.0.person", approval({ person: "" })],
    ["approvals.0.roles.0", approval({ roles: [null] })],
    ["approvals.0.verdict", approval({ verdict: "abstain" })],
  ]
  it("and the facts that they start from are not", () => {
    assert.equal(decide(open, factsOf(open)).allow, true)
  })
  for (const [index, [field, changed]] of cases.entries()) {
    it(`${field}, case ${index}`, () => {
      const decision = decide(open, { ...REQUEST, ...changed, counters: new Map() })
      const wanted = { rules: [], limits: [], missing: [], detail: field }
      assert.deepEqual(decision, { allow: false, reason: "invalid-facts", ...wanted })
      assert.deepEqual(countersNeeded(policy, { ...REQUEST, ...changed }), [])
    })
  }
})

it("a counter that is needed and not there is not taken for zero", () => {
  const facts = factsOf(policy)
  for (const { id, limit } of countersNeeded(policy, REQUEST)) {
    const counters = new Map(facts.counters)
    counters.delete(id)
    const { allow, reason, detail } = decide(policy, { ...facts, counters })
    assert.deepEqual([allow, reason, detail], [false, "counter-missing", limit])
  }
})
