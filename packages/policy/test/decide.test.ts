import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decide, type IntentFacts, type RequestFacts } from "../src/index.ts"
import { factsOf, INTENT, NOON, plain, REQUEST, treasury } from "./treasury.ts"

const policy = treasury()
const decided = (changed: Partial<RequestFacts> = {}) => decide(policy, factsOf(policy, changed))
const withIntent = (changed: Partial<IntentFacts>) => decided({ intent: { ...INTENT, ...changed } })
const moving = (...transfers: [asset: string, amount: bigint][]) =>
  withIntent({ transfers: transfers.map(([asset, amount]) => ({ to: "0xbb", asset, amount })) })
const brief = ({ allow, reason, rules }: ReturnType<typeof decide>) => ({ allow, reason, rules })
const denied = (reason: string, ...rules: string[]) => ({ allow: false, reason, rules })
const permitted = (...rules: string[]) => ({ allow: true, reason: "permitted", rules })

describe("a request is decided by rules with their ids", () => {
  it("allowed by the permits that take effect", () => {
    assert.deepEqual(brief(decided()), permitted("payments"))
    const two = plain(`@id("b") permit (principal, action, resource);
      @id("a") permit (principal, action, resource);`)
    assert.deepEqual(brief(decide(two, factsOf(two))), permitted("a", "b"))
  })

  it("denied where no rule permits it", () => {
    const intent = { ...INTENT, kind: "message" }
    assert.deepEqual(brief(decided({ intent })), denied("no-permit"))
  })

  it("denied where a rule forbids it, whatever permits it", () => {
    assert.deepEqual(brief(withIntent({ warnings: ["unlimited"] })), denied("forbidden", "warned"))
  })

  it("in UTC, with weeks from Monday", () => {
    const key = { id: "key-1", type: "frost", custody: "self", labels: [] } as const
    const exports = (timeMs: number) =>
      brief(decided({ action: "export", key, intent: null, timeMs }))
    const DAY = 86_400_000
    const friday = Math.floor(NOON / DAY) * DAY + 4 * DAY
    assert.deepEqual(exports(friday), permitted("own-export"))
    assert.deepEqual(exports(friday + DAY - 1), permitted("own-export"))
    assert.deepEqual(exports(friday + DAY), denied("forbidden", "weekend"))
    assert.deepEqual(exports(friday + 3 * DAY - 1), denied("forbidden", "weekend"))
    assert.deepEqual(exports(friday + 3 * DAY), permitted("own-export"))
  })

  it("a role that the policy does not have is nothing to it", () => {
    const principal = { ...REQUEST.principal, roles: ["root", "treasurer"] }
    assert.deepEqual(brief(decided({ principal })), permitted("payments"))
    const stranger = { ...REQUEST.principal, roles: ["root"] }
    assert.deepEqual(brief(decided({ principal: stranger })), denied("no-permit"))
  })

  it("a policy's own change has the policy as its resource", () => {
    const own = plain(`@id("change") permit (principal, action == Action::"change-policy",
      resource == Policy::"treasury");`)
    const change = { action: "change-policy", key: null, intent: null } as const
    assert.deepEqual(brief(decide(own, factsOf(own, change))), permitted("change"))
    const other = plain(`@id("change") permit (principal, action, resource == Policy::"petty");`)
    assert.deepEqual(brief(decide(other, factsOf(other, change))), denied("no-permit"))
  })
})

describe("limits hold exactly", () => {
  it("up to the last unit", () => {
    assert.deepEqual(brief(moving(["usdc", 500n])), permitted("payments"))
    const beyond = moving(["usdc", 501n])
    assert.deepEqual(brief(beyond), denied("approvals-missing", "large-needs-compliance"))
    assert.deepEqual(
      beyond.limits.find(({ limit }) => limit === "large"),
      { limit: "large", status: "beyond", used: 0n, adds: 501n, most: 500n },
    )
  })

  it("on the sum of a request's transfers", () => {
    const reason = denied("approvals-missing", "large-needs-compliance")
    assert.deepEqual(brief(moving(["usdc", 250n], ["usdc", 251n])), reason)
  })

  it("above 2^53 and 2^64, to 2^256 - 1", () => {
    for (const most of [2n ** 53n, 2n ** 63n, 2n ** 64n, 2n ** 256n - 2n]) {
      const large = { kind: "transaction", asset: "usdc", most: String(most) }
      const limited = plain('@id("a") @limit("l") permit (principal, action, resource);', {
        limits: { l: large },
      })
      const ask = (amount: bigint) => {
        const transfers = [{ to: "x", asset: "usdc", amount }]
        return brief(decide(limited, factsOf(limited, { intent: { ...INTENT, transfers } })))
      }
      assert.deepEqual(ask(most), permitted("a"), String(most))
      assert.deepEqual(ask(most + 1n), denied("no-permit"), String(most))
    }
  })

  it("a permit with limits permits no other asset, and nothing where nothing is said to move", () => {
    assert.deepEqual(brief(moving(["usdc", 1n], ["dai", 1n])), denied("no-permit"))
    assert.deepEqual(brief(moving(["dai", 0n])), denied("no-permit"))
    assert.deepEqual(brief(moving()), denied("no-permit"))
  })

  it("a fee in another asset or above the most is not covered; no fee is", () => {
    const fee = (asset: string, amount: bigint) => brief(withIntent({ fee: { asset, amount } }))
    assert.deepEqual(fee("eth", 50n), permitted("payments"))
    assert.deepEqual(fee("eth", 51n), denied("no-permit"))
    assert.deepEqual(fee("usdc", 1n), denied("no-permit"))
    assert.deepEqual(brief(withIntent({ fee: null })), permitted("payments"))
  })

  it("an intent that may move more than it says is beyond every limit on amounts", () => {
    const opaque = withIntent({ complete: false })
    assert.deepEqual(brief(opaque), denied("forbidden", "large-needs-compliance"))
    assert.deepEqual(
      opaque.limits.map(({ limit, status }) => [limit, status]),
      [
        ["daily-usdc", "beyond"],
        ["fee-cap", "beyond"],
        ["hourly", "within"],
        ["large", "beyond"],
      ],
    )
  })
})

describe("approvals that are missing are named", () => {
  const approve = (person: string, ...roles: string[]) =>
    ({ person, roles, verdict: "approve" }) as const
  const large = { ...INTENT, transfers: [{ to: "0xbb", asset: "usdc", amount: 600n }] }

  it("with what there is of each quorum", () => {
    const waiting = decided({ intent: large, approvals: [approve("bob", "treasurer")] })
    assert.deepEqual(brief(waiting), denied("approvals-missing", "large-needs-compliance"))
    const quorums = [
      { quorum: "compliance", need: 1, have: 0 },
      { quorum: "two-treasurers", need: 2, have: 1 },
    ]
    assert.deepEqual(waiting.missing, [{ rule: "payments", quorums }])
  })

  it("one way for each permit that would allow", () => {
    const two = plain(
      `@id("a") @quorum("x") permit (principal, action, resource);
       @id("b") @quorum("y") permit (principal, action, resource);`,
      {
        quorums: {
          x: { need: 1, members: [{ person: "eve" }] },
          y: { need: 2, members: [{ role: "treasurer" }] },
        },
      },
    )
    const { missing } = decide(two, factsOf(two, { approvals: [] }))
    assert.deepEqual(missing, [
      { rule: "a", quorums: [{ quorum: "x", need: 1, have: 0 }] },
      { rule: "b", quorums: [{ quorum: "y", need: 2, have: 0 }] },
    ])
  })

  it("not where no approval helps", () => {
    const { approvals } = REQUEST
    const warned = decided({ approvals: [], intent: { ...large, warnings: ["unlimited"] } })
    const rules = ["large-needs-compliance", "warned"]
    assert.deepEqual(brief(warned), denied("forbidden", ...rules))
    const veto = { person: "mia", roles: ["compliance"], verdict: "veto" } as const
    const vetoed = decided({ intent: large, approvals: [...approvals, veto] })
    assert.deepEqual(brief(vetoed), denied("forbidden", "large-needs-compliance"))
    assert.deepEqual(vetoed.missing, [])
  })

  it("with all of them it is allowed", () => {
    const approvals = [...REQUEST.approvals, approve("mia", "compliance")]
    assert.deepEqual(brief(decided({ intent: large, approvals })), permitted("payments"))
  })
})

describe("nobody and nothing are no way around a list of those allowed", () => {
  const listed = plain(`@id("to") permit (principal, action == Action::"sign", resource)
    when { ["0xbb"].containsAll(context.intent.to) && ["usdc"].containsAll(context.intent.assets) };`)
  const ask = (...to: string[]) => {
    const transfers = to.map((place) => ({ to: place, asset: "usdc", amount: 1n }))
    return brief(decide(listed, factsOf(listed, { intent: { ...INTENT, transfers } })))
  }
  it("all recipients are compared", () => {
    assert.deepEqual(ask("0xbb"), permitted("to"))
    assert.deepEqual(ask("0xbb", "0xcc"), denied("no-permit"))
  })
  it("no recipient is none of the list", () => assert.deepEqual(ask(), denied("no-permit")))
})
