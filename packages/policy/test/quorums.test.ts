import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type ApprovalFacts, decide, explain, type Policy } from "../src/index.ts"
import { factsOf, plain } from "./treasury.ts"

const RULE = '@id("a") @quorum("q") permit (principal, action, resource);'
const quorum = (terms: object): Policy => plain(RULE, { quorums: { q: terms } })
const yes = (person: string, ...roles: string[]): ApprovalFacts => ({
  ...{ person, roles, verdict: "approve" },
})
const no = (person: string, ...roles: string[]): ApprovalFacts => ({
  ...{ person, roles, verdict: "veto" },
})
/** Whether it is allowed, and what the quorum has. */
function counted(policy: Policy, ...approvals: ApprovalFacts[]): [boolean, string] {
  const facts = factsOf(policy, { approvals })
  const line = explain(policy, facts).find((text) => text.startsWith("Quorum q: "))
  return [decide(policy, facts).allow, line?.slice("Quorum q: ".length) ?? ""]
}

describe("a quorum counts people", () => {
  const two = quorum({ need: 2, members: [{ role: "treasurer" }] })
  it("of a role, once each", () => {
    assert.deepEqual(counted(two), [false, "open, 0 of 2."])
    assert.deepEqual(counted(two, yes("bob", "treasurer")), [false, "open, 1 of 2 by bob."])
    const both = [yes("eve", "treasurer"), yes("bob", "treasurer")]
    assert.deepEqual(counted(two, ...both), [true, "approved, 2 of 2 by bob, eve."])
  })

  it("a person with two keys once", () => {
    const twice = [yes("bob", "treasurer"), yes("bob", "treasurer")]
    assert.deepEqual(counted(two, ...twice), [false, "open, 1 of 2 by bob."])
  })

  it("nobody of another role", () => {
    const other = [yes("bob", "treasurer"), yes("mia", "compliance")]
    assert.deepEqual(counted(two, ...other), [false, "open, 1 of 2 by bob."])
  })

  it("not the one who asks, unless the quorum says so", () => {
    const own = [yes("ada", "treasurer"), yes("bob", "treasurer")]
    assert.deepEqual(counted(two, ...own), [false, "open, 1 of 2 by bob."])
    const terms = { need: 2, members: [{ role: "treasurer" }], "requester-may-approve": true }
    assert.deepEqual(counted(quorum(terms), ...own), [true, "approved, 2 of 2 by ada, bob."])
  })

  it("by the greatest weight that fits, and not by their sum", () => {
    const weighted = quorum({
      need: 5,
      members: [
        { role: "treasurer", weight: 2 },
        { person: "cfo", weight: 3 },
      ],
    })
    const cfo = yes("cfo", "treasurer")
    assert.deepEqual(counted(weighted, cfo), [false, "open, 3 of 5 by cfo."])
    const approved = counted(weighted, cfo, yes("bob", "treasurer"))
    assert.deepEqual(approved, [true, "approved, 5 of 5 by bob, cfo."])
  })
})

describe("a veto", () => {
  const one = quorum({ need: 1, members: [{ role: "treasurer" }], veto: [{ person: "ceo" }] })
  const bob = yes("bob", "treasurer")
  it("of whom the quorum gives one stops it, whoever approves", () => {
    assert.deepEqual(counted(one, bob, no("ceo")), [false, "vetoed by ceo."])
  })
  it("of anybody else only takes the own approval back", () => {
    assert.deepEqual(counted(one, bob, no("eve", "treasurer")), [true, "approved, 1 of 1 by bob."])
    assert.deepEqual(counted(one, bob, no("bob", "treasurer")), [false, "open, 0 of 1."])
  })
  it("counts beside an approval by another key of the same person", () => {
    assert.deepEqual(counted(one, bob, yes("ceo"), no("ceo")), [false, "vetoed by ceo."])
  })
  it("of the one who asks counts", () => {
    const own = quorum({ need: 1, members: [{ role: "treasurer" }], veto: [{ person: "ada" }] })
    assert.deepEqual(counted(own, bob, no("ada")), [false, "vetoed by ada."])
  })
})

it("a rule with two quorums needs both, and a forbid with two is lifted by both alone", () => {
  const quorums = {
    x: { need: 1, members: [{ role: "treasurer" }] },
    y: { need: 1, members: [{ role: "compliance" }] },
  }
  const permit = plain('@id("p") @quorum("x, y") permit (principal, action, resource);', {
    quorums,
  })
  const forbid = plain(
    `@id("all") permit (principal, action, resource);
     @id("f") @quorum("x,y") forbid (principal, action, resource);`,
    { quorums },
  )
  for (const policy of [permit, forbid]) {
    const allowed = (...approvals: ApprovalFacts[]) =>
      decide(policy, factsOf(policy, { approvals })).allow
    assert.equal(allowed(yes("bob", "treasurer")), false)
    assert.equal(allowed(yes("mia", "compliance")), false)
    assert.equal(allowed(yes("bob", "treasurer"), yes("mia", "compliance")), true)
  }
})
