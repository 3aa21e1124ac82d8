import { cedar } from "../src/cedar.ts"
import {
  countersNeeded,
  emptyCounter,
  type Facts,
  type IntentFacts,
  type Policy,
  parsePolicy,
  type RequestFacts,
} from "../src/index.ts"

export const HEADER = {
  name: "treasury",
  version: 3,
  roles: ["compliance", "treasurer"],
  limits: {
    "daily-usdc": { kind: "window", asset: "usdc", most: "1000", over: "24h", per: "key" },
    "fee-cap": { kind: "fee", asset: "eth", most: "50" },
    hourly: { kind: "velocity", requests: 3, over: "1h", per: "principal" },
    large: { kind: "transaction", asset: "usdc", most: "500" },
  },
  quorums: {
    compliance: { need: 1, members: [{ role: "compliance" }], veto: [{ role: "compliance" }] },
    "two-treasurers": {
      need: 2,
      members: [{ role: "treasurer" }, { person: "cfo", weight: 2 }],
      veto: [{ person: "ceo" }],
    },
  },
}

export const RULES = `
@id("payments")
@limit("daily-usdc, fee-cap, hourly")
@quorum("two-treasurers")
@note("treasurers pay in USDC")
permit (principal in Role::"treasurer", action == Action::"sign", resource)
when { context.intent.kind == "transfer" };

@id("large-needs-compliance")
@limit("large")
@quorum("compliance")
forbid (principal, action == Action::"sign", resource);

@id("warned") // whatever the approvals
forbid (principal, action == Action::"sign", resource)
unless { context.intent.warnings.isEmpty() };

@id("weekend")
forbid (principal, action == Action::"export", resource)
when { context.time.weekday > 5 };

@id("operators-rotate")
permit (principal, action == Action::"change-key", resource)
when { principal.kind == Kind::"operator" };

@id("own-export")
permit (principal, action == Action::"export", resource)
when { principal.kind == Kind::"owner" && resource.custody == Custody::"self" };
`

/** A policy file of a header, changed as a test needs it, and rules. */
export const sourceOf = (header: object = {}, rules: string = RULES): string =>
  `${JSON.stringify({ ...HEADER, ...header }, null, 2)}\n---\n${rules}`

export const treasury = (header: object = {}, rules: string = RULES): Policy =>
  parsePolicy(cedar, sourceOf(header, rules))

/** A policy whose header has nothing that its rules do not name. */
export const plain = (rules: string, header: object = {}): Policy =>
  treasury({ limits: {}, quorums: {}, ...header }, rules)

/** Monday, 30 November 2026, 12:00 UTC. */
export const NOON = Date.UTC(2026, 10, 30, 12)

export const INTENT: IntentFacts = {
  chain: "ethereum:1",
  kind: "transfer",
  from: "0xaa",
  transfers: [{ to: "0xbb", asset: "usdc", amount: 100n }],
  fee: { asset: "eth", amount: 10n },
  complete: true,
  warnings: [],
}

export const REQUEST: RequestFacts = {
  principal: { id: "ada", kind: "owner", roles: ["treasurer"] },
  action: "sign",
  key: { id: "key-1", type: "dkls-secp256k1", custody: "shared", labels: [] },
  intent: INTENT,
  timeMs: NOON,
  approvals: [
    { person: "bob", roles: ["treasurer"], verdict: "approve" },
    { person: "eve", roles: ["treasurer"], verdict: "approve" },
  ],
}

/** A request with counters at zero. */
export function factsOf(policy: Policy, changed: Partial<RequestFacts> = {}): Facts {
  const request = { ...REQUEST, ...changed }
  const needed = countersNeeded(policy, request)
  return { ...request, counters: new Map(needed.map(({ id }) => [id, emptyCounter])) }
}
