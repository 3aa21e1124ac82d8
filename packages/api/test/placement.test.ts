import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  checkPlacement,
  MAX_MEMBERS,
  type Member,
  placementMargin,
  placementViolation,
  type Roster,
  signerSetAmong,
} from "@lockkeeper/api"
import { testRoster, testServer } from "./fixtures.ts"
import { refusal } from "./refusal.ts"

const NOTHING = { distinctOperators: false, distinctClouds: false, distinctJurisdictions: false }
const OPERATORS = { ...NOTHING, distinctOperators: true }

/** A roster of one server for each place, by operator, cloud and jurisdiction. */
function rosterOf(
  places: readonly string[],
  minSigners: number,
  placement: Roster["placement"],
): Roster {
  const [first] = testRoster([testServer(1)]).members as [Member]
  const members = places.map((place, i) => {
    const [operator = "", cloud = "", jurisdiction = ""] = place
    return { ...first, identifier: i + 1, name: `s${i + 1}`, operator, cloud, jurisdiction }
  })
  return { ...testRoster([]), minSigners, members, placement }
}

/** By trying every loss. */
function mayLoseByTrying(roster: Roster): number {
  const { members, minSigners } = roster
  const sets = (all: readonly number[], size: number): number[][] => {
    if (size === 0) return [[]]
    return all.flatMap((id, i) => sets(all.slice(i + 1), size - 1).map((rest) => [id, ...rest]))
  }
  const all = members.map(({ identifier }) => identifier)
  const allowed = sets(all, minSigners).filter((set) => placementViolation(roster, set) === null)
  for (let lost = 0; lost <= all.length; lost++) {
    const stops = (gone: number[]) => allowed.every((set) => set.some((id) => gone.includes(id)))
    if (sets(all, lost).some(stops)) return lost - 1
  }
  throw new Error("losing all servers stops everything")
}

describe("placement rules", () => {
  for (const [rule, field, place] of [
    ["distinctOperators", "operator", ["abc", "axy", "bbc"]],
    ["distinctClouds", "cloud", ["abc", "xby", "aac"]],
    ["distinctJurisdictions", "jurisdiction", ["abc", "xyc", "aba"]],
  ] as const) {
    it(`refuse a signer set that breaks ${rule}, and only where the roster demands it`, () => {
      const free = rosterOf(place, 2, NOTHING)
      const demanding = rosterOf(place, 2, { ...NOTHING, [rule]: true })
      assert.equal(placementViolation(free, [1, 2]), null)
      assert.match(placementViolation(demanding, [1, 2]) ?? "", new RegExp(`the ${field} "`))
      assert.equal(placementViolation(demanding, [1, 3]), null)
    })
  }

  const cases: readonly [string, Roster, boolean, number][] = [
    ["2 of 3 without rules", rosterOf(["a", "a", "a"], 2, NOTHING), true, 1],
    ["2 of 3 of three operators", rosterOf(["a", "b", "c"], 2, OPERATORS), true, 1],
    ["2 of 3 of two operators", rosterOf(["a", "a", "b"], 2, OPERATORS), true, 0],
    ["2 of 3 of one operator", rosterOf(["a", "a", "a"], 2, OPERATORS), false, 0],
    ["3 of 5 of three operators", rosterOf(["a", "a", "b", "b", "c"], 3, OPERATORS), true, 0],
    ["3 of 6 of three operators", rosterOf(["a", "a", "b", "b", "c", "c"], 3, OPERATORS), true, 1],
    ["1 of 1", rosterOf(["a"], 1, OPERATORS), true, 0],
  ]
  for (const [what, roster, possible, mayLose] of cases) {
    it(`leave ${what} ${possible ? `able to lose ${mayLose}` : "no signer set"}`, () => {
      assert.deepEqual(placementMargin(roster), { possible, mayLose })
    })
  }

  it("leave what trying every loss finds, for rules that overlap in any way", () => {
    let compared = 0
    let impossible = 0
    for (let i = 0; i < 120; i++) {
      const draw = (n: number, of: number) => (i * 7919 + n * 104_729 + ((i * n) % 13)) % of
      const size = 2 + draw(1, 6)
      const places = Array.from({ length: size }, (_, at) =>
        [2, 3, 4].map((n) => "abcde"[draw(n * (at + 1), n + 1)] ?? "").join(""),
      )
      const placement = {
        distinctOperators: draw(5, 2) === 0,
        distinctClouds: draw(6, 3) > 0,
        distinctJurisdictions: draw(7, 2) === 1,
      }
      const roster = rosterOf(places, 1 + draw(8, Math.min(size, 4)), placement)
      const byTrying = mayLoseByTrying(roster)
      const expected = { possible: byTrying >= 0, mayLose: Math.max(0, byTrying) }
      assert.deepEqual(placementMargin(roster), expected, JSON.stringify(roster.members))
      compared++
      if (byTrying < 0) impossible++
    }
    assert.equal(compared, 120)
    assert.ok(impossible > 5 && impossible < 100, `${impossible} without a signer set`)
  })

  it("take bounded work for the largest roster, and never promise too much", () => {
    const places = Array.from({ length: MAX_MEMBERS }, (_, i) => {
      const at = (n: number) => String.fromCharCode(97 + Math.floor(i / n))
      return at(2) + at(3) + "x"
    })
    const placement = { ...NOTHING, distinctOperators: true, distinctClouds: true }
    const start = performance.now()
    const { possible, mayLose } = placementMargin(rosterOf(places, 5, placement))
    assert.ok(performance.now() - start < 5000)
    assert.equal(possible, true)
    assert.ok(mayLose >= 1 && mayLose <= 9, String(mayLose))
  })

  it("say whether those that are there may sign together", () => {
    const roster = rosterOf(["a", "a", "b"], 2, OPERATORS)
    assert.equal(signerSetAmong(roster, [1, 2]), false)
    assert.equal(signerSetAmong(roster, [2, 3]), true)
    assert.equal(signerSetAmong(roster, [3]), false)
    assert.equal(signerSetAmong(roster, [3, 9]), false)
  })

  it("are refused where they leave no signer set, naming what is shared", () => {
    checkPlacement(rosterOf(["a", "b"], 2, OPERATORS))
    const error = refusal(() => checkPlacement(rosterOf(["a", "a"], 2, OPERATORS)))
    assert.deepEqual([error.code, error.field], ["misconfigured", "placement"])
    assert.match(error.message, /^No 2 servers may sign together: too many share the same operator/)
  })
})
