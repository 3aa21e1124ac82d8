import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Roster } from "@lockkeeper/api"
import fc from "fast-check"
import {
  chooseSet,
  DeadPairs,
  nameOfSet,
  orderFor,
  type SetRules,
  setsInUse,
} from "../src/signer-sets.ts"
import { TestCluster } from "./cluster.ts"

const { roster: plain } = await TestCluster.start({ servers: 7, minSigners: 3 })

function rules(size: number, more: Partial<SetRules> = {}): SetRules {
  return { roster: plain, dead: new DeadPairs(), size, ...more }
}

/** Servers of which each two neighbours share an operator, who may be in a set once. */
function withOperators(): Roster {
  const members = plain.members.map((m, i) => ({ ...m, operator: `operator ${i >> 1}` }))
  return { ...plain, members, placement: { ...plain.placement, distinctOperators: true } }
}

function dead(...pairs: readonly (readonly [number, number])[]): DeadPairs {
  const all = new DeadPairs()
  for (const [a, b] of pairs) all.add(a, b)
  return all
}

describe("choosing a signer set", () => {
  it("takes the first in order of preference, and gives them ascending", () => {
    assert.deepEqual(chooseSet([5, 3, 1, 2], rules(3)), [1, 3, 5])
  })

  it("finds a set wherever one avoids all dead pairs, and never takes one with both ends", () => {
    const pair = fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }))
    const order = fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7], { minLength: 3 })
    fc.assert(
      fc.property(order, fc.array(pair, { maxLength: 12 }), (servers, pairs) => {
        const all = dead(...pairs.filter(([a, b]) => a !== b))
        const found = chooseSet(servers, rules(3, { dead: all }))
        const isPossible = servers.some((a, i) =>
          servers.some((b, j) => servers.some((c, k) => i < j && j < k && !all.within([a, b, c]))),
        )
        assert.equal(found !== null, isPossible)
        if (found !== null) assert.ok(!all.within(found))
      }),
    )
  })

  it("obeys the roster's placement rules, going back where the first choice leads nowhere", () => {
    const roster = withOperators()
    assert.deepEqual(chooseSet([1, 2, 3, 4, 5], rules(3, { roster })), [1, 3, 5])
    assert.equal(chooseSet([1, 2, 3, 4], rules(3, { roster })), null)
    const avoiding = rules(3, { roster, dead: dead([1, 3], [1, 4]) })
    assert.deepEqual(chooseSet([1, 3, 4, 2, 5], avoiding), [2, 3, 5])
  })

  it("passes over a set that is barred", () => {
    const isBarred = (set: readonly number[]) => nameOfSet(set) === "1-2-3"
    assert.deepEqual(chooseSet([1, 2, 3, 4], rules(3, { isBarred })), [1, 2, 4])
  })

  it("gives up at its bound instead of searching for ever", async () => {
    const { roster } = await TestCluster.start({ servers: 23, minSigners: 12 })
    const start = performance.now()
    const isBarred = () => true
    assert.equal(
      chooseSet(
        roster.members.map((m) => m.identifier),
        { ...rules(12), roster, isBarred },
      ),
      null,
    )
    assert.ok(performance.now() - start < 2_000)
  })
})

describe("the sets in use", () => {
  it("are the preferred one, and one without each server in it", () => {
    const sets = setsInUse([1, 2, 3, 4, 5], rules(3)).map(nameOfSet)
    assert.deepEqual(sets, ["1-2-3", "2-3-4", "1-3-4", "1-2-4"])
  })

  it("leave no server whose loss leaves none of them, where that is possible", () => {
    for (const size of [1, 2, 3, 4, 5, 6]) {
      const sets = setsInUse([1, 2, 3, 4, 5, 6, 7], rules(size))
      for (const away of [1, 2, 3, 4, 5, 6, 7]) {
        assert.ok(sets.some((set) => !set.includes(away)))
      }
    }
  })

  it("are the only set where every server is needed, and none where no set is allowed", () => {
    assert.deepEqual(setsInUse([2, 1], rules(2)).map(nameOfSet), ["1-2"])
    assert.deepEqual(setsInUse([2, 1], rules(2, { dead: dead([1, 2]) })), [])
  })

  it("differ from key to key, so that every server comes first for some", () => {
    const firsts = Array.from(
      { length: 6 },
      (_, i) => orderFor(new Uint8Array(32).fill(i), [1, 2, 3])[0],
    )
    assert.deepEqual([...new Set(firsts)].sort(), [1, 2, 3])
  })
})
