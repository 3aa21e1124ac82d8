import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { describeDifference, type Roster, rosterDifference } from "@lockkeeper/api"
import { testRoster, testServer } from "./fixtures.ts"

const [one, two, three] = [testServer(1), testServer(2), testServer(3)]
const before = testRoster([one, two, three])

function told(after: Roster): readonly string[] {
  return describeDifference(rosterDifference(before, after))
}

describe("the difference of two rosters", () => {
  it("is nothing where only number, digest and time differ", () => {
    const previousDigest = new Uint8Array(32).fill(1)
    assert.deepEqual(told({ ...before, rosterEpoch: 2, previousDigest, createdAt: 1 }), [])
  })

  it("names who was added and removed, and how many there are", () => {
    const after = testRoster([one, two, testServer(4), testServer(5)])
    const { added, removed, replaced, moved } = rosterDifference(before, after)
    const names = [added, removed].map((members) => members.map(({ name }) => name))
    assert.deepEqual(names, [["server-4", "server-5"], ["server-3"]])
    assert.deepEqual([replaced, moved], [[], []])
    assert.deepEqual(told(after), [
      'added: server 4 "server-4" at https://s4.example:7443, operator "operator 4", cloud ' +
        '"cloud 4", jurisdiction "jurisdiction 4"',
      'added: server 5 "server-5" at https://s5.example:7443, operator "operator 5", cloud ' +
        '"cloud 5", jurisdiction "jurisdiction 5"',
      'removed: server 3 "server-3" at https://s3.example:7443, operator "operator 3", cloud ' +
        '"cloud 3", jurisdiction "jurisdiction 3"',
      "servers: 3 before, 4 now",
    ])
  })

  for (const field of ["identityKey", "channelKey", "opaqueKey"] as const) {
    it(`calls a member with another ${field} replaced, wherever it is`, () => {
      const other = testServer(2, " new").member
      const member = { ...two.member, [field]: other[field], url: "https://new.example:1" }
      const after = { ...before, members: [one.member, member, three.member] }
      const { replaced, moved } = rosterDifference(before, after)
      assert.deepEqual(replaced, [{ before: two.member, after: member }])
      assert.deepEqual(moved, [])
      assert.match(told(after)[0] ?? "", /^replaced: server 2 "server-2", new keys, at .*new\.exa/)
    })
  }

  it("says who takes the place of a member that is replaced by another", () => {
    const member = { ...testServer(2, " new").member, name: "delta" }
    const after = { ...before, members: [one.member, member, three.member] }
    assert.match(told(after)[0] ?? "", /^replaced: server 2 "server-2" by "delta", new keys/)
  })

  for (const field of ["name", "url", "operator", "cloud", "jurisdiction"] as const) {
    it(`calls a member with its keys and another ${field} moved`, () => {
      const member = { ...two.member, [field]: "elsewhere" }
      const after = { ...before, members: [one.member, member, three.member] }
      assert.deepEqual(rosterDifference(before, after).moved, [
        { before: two.member, after: member },
      ])
      const change = `${field} "${two.member[field]}" becomes "elsewhere"`
      assert.deepEqual(told(after), [`moved: server 2 "server-2", ${change}`])
    })
  }

  it("says what becomes of threshold, rules and schedule, in both directions", () => {
    const placement = { ...before.placement, distinctClouds: true }
    const schedule = { refreshHours: 168, cryptoperiodDays: 730 }
    const after = { ...before, minSigners: 3, placement, ...schedule }
    assert.deepEqual(told(after), [
      "threshold: 2 before, 3 now",
      "demanded from now on: signer sets of distinct clouds",
      "refresh: never before, every 168 hours now",
      "cryptoperiod: none before, 730 days now",
    ])
    assert.deepEqual(describeDifference(rosterDifference(after, before)), [
      "threshold: 3 before, 2 now",
      "no longer demanded: signer sets of distinct clouds",
      "refresh: every 168 hours before, never now",
      "cryptoperiod: 730 days before, none now",
    ])
  })
})
