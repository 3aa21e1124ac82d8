import assert from "node:assert/strict"
import { it } from "node:test"
import { dryRun, explain, type PastRequest } from "../src/index.ts"
import { factsOf, INTENT, NOON, plain, REQUEST, treasury } from "./treasury.ts"

const policy = treasury()

it("an explanation has the decision and how every rule, limit and quorum stands", () => {
  const intent = { ...INTENT, transfers: [{ to: "0xbb", asset: "usdc", amount: 600n }] }
  const approvals = REQUEST.approvals.slice(0, 1)
  assert.deepEqual(explain(policy, factsOf(policy, { intent, approvals })), [
    "Waits for approvals. (policy treasury, version 3)",
    "With approvals of compliance (0 of 1) and two-treasurers (1 of 2), rule payments permits it.",
    "Rule payments (permit: treasurers pay in USDC): speaks of this, but without two-treasurers.",
    "Rule large-needs-compliance (forbid): takes effect.",
    "Rule warned (forbid): does not speak of this.",
    "Rule weekend (forbid): does not speak of this.",
    "Rule operators-rotate (permit): does not speak of this.",
    "Rule own-export (permit): does not speak of this.",
    "Limit daily-usdc: within, 0 used and 600 asked for, of 1000.",
    "Limit fee-cap: within, 0 used and 10 asked for, of 50.",
    "Limit hourly: within, 0 used and 1 asked for, of 3.",
    "Limit large: beyond, 0 used and 600 asked for, of 500.",
    "Quorum compliance: open, 0 of 1.",
    "Quorum two-treasurers: open, 1 of 2 by bob.",
  ])
})

it("a rule that is held back says by what", () => {
  const line = (id: string, changed: object) =>
    explain(policy, factsOf(policy, changed)).find((text) => text.startsWith(`Rule ${id} `))
  const payments = "Rule payments (permit: treasurers pay in USDC): speaks of this, but"
  const moving = (asset: string, amount: bigint) => ({
    intent: { ...INTENT, transfers: [{ to: "0xbb", asset, amount }] },
  })
  assert.equal(line("payments", moving("usdc", 1001n)), `${payments} it is beyond daily-usdc.`)
  assert.equal(
    line("payments", moving("dai", 1n)),
    `${payments} daily-usdc and fee-cap and hourly cover not all that moves.`,
  )
  const large = "Rule large-needs-compliance (forbid): speaks of this, but"
  assert.equal(line("large-needs-compliance", {}), `${large} nothing is beyond large.`)
  const mia = { person: "mia", roles: ["compliance"], verdict: "approve" } as const
  const approved = { ...moving("usdc", 501n), approvals: [mia] }
  assert.equal(line("large-needs-compliance", approved), `${large} lifted by compliance.`)
})

it("what cannot be decided is explained as far as it goes", () => {
  const invalid = { ...factsOf(policy), timeMs: Number.NaN }
  const head = "(policy treasury, version 3)"
  assert.deepEqual(explain(policy, invalid), [
    `Denied: timeMs of the request cannot be relied on. ${head}`,
  ])
  const counters = new Map()
  assert.deepEqual(explain(policy, { ...factsOf(policy), counters }), [
    `Denied: the counter of limit daily-usdc is missing. ${head}`,
  ])
  const overflowing = plain(`@id("a") permit (principal, action, resource);
    @id("b") permit (principal, action, resource) when { context.time.at * 9223372036854775807 > 0 };`)
  assert.deepEqual(explain(overflowing, factsOf(overflowing)), [
    `Denied: b could not be computed. ${head}`,
    "Rule a (permit): unknown beside a rule with an error.",
    "Rule b (permit): could not be computed.",
  ])
})

it("a dry run counts what it allows itself and says what it decides otherwise", () => {
  const past = (amount: bigint, hours: number, allowed: boolean | null): PastRequest => ({
    facts: {
      ...REQUEST,
      intent: { ...INTENT, transfers: [{ to: "0xbb", asset: "usdc", amount }] },
      timeMs: NOON + hours * 3_600_000,
    },
    allowed,
  })
  const history = [
    past(400n, 0, true),
    past(400n, 2, true),
    past(300n, 4, true),
    past(200n, 6, false),
    past(300n, 30, null),
  ]
  const { decisions, allowed, changed } = dryRun(policy, history)
  assert.deepEqual(
    decisions.map(({ allow }) => allow),
    [true, true, false, true, true],
  )
  assert.equal(decisions[2]?.reason, "no-permit")
  assert.deepEqual([allowed, changed], [4, [2, 3]])
})

it("a dry run takes 10 000 requests and no more", () => {
  const history = Array(10_001).fill({ facts: REQUEST, allowed: null })
  assert.throws(() => dryRun(policy, history), { name: "RangeError" })
})
