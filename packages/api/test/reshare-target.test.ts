import assert from "node:assert/strict"
import { test } from "node:test"
import { reshare } from "@lockkeeper/protocols"
import { isAtTarget, mayReshare, reshareTarget } from "../src/reshare-target.ts"
import type { Roster } from "../src/roster.ts"

/** What of a roster the target depends on. */
function roster(
  members: readonly number[],
  minSigners: number,
  transition: Roster["transition"] = null,
): Roster {
  const listed = members.map((identifier) => ({ identifier }))
  return { members: listed, minSigners, transition } as unknown as Roster
}

test("a reshare gives shares to all that stay, with the roster's threshold", () => {
  const moving = roster([1, 2, 3, 4, 5, 6], 3, { leaving: [2], minSignersBefore: 2 })
  const target = { holders: [1, 3, 4, 5, 6], minSigners: 3 }
  assert.deepEqual(reshareTarget(moving), target)
  assert.ok(isAtTarget(moving, target))
  assert.ok(!isAtTarget(moving, { ...target, minSigners: 2 }))
  assert.ok(!isAtTarget(moving, { ...target, holders: [1, 3, 4, 5] }))
  assert.ok(!isAtTarget(moving, { ...target, holders: [1, 2, 3, 4, 5] }))
})

test("what is on its way may be dealt to them, and nothing that too few are left of", () => {
  const moving = roster([1, 2, 3, 4], 2, { leaving: [3], minSignersBefore: 2 })
  assert.ok(mayReshare(moving, { holders: [1, 2, 3], minSigners: 2 }))
  assert.ok(mayReshare(moving, { holders: [2, 3, 9], minSigners: 2 }))
  assert.ok(!mayReshare(moving, { holders: [3, 8, 9], minSigners: 2 }))
  assert.ok(!mayReshare(moving, { holders: [1, 2, 3], minSigners: 3 }))
  const settled = roster([1, 2, 3], 2)
  assert.ok(!mayReshare(settled, { holders: [1, 2, 3, 4], minSigners: 2 }))
})

test("what some hold as they should goes to all only where any two quorums share an honest holder", () => {
  const range = (count: number) => Array.from({ length: count }, (_, i) => i + 1)
  let [may, mayNot] = [0, 0]
  for (let all = 2; all <= 9; all++) {
    for (let minSigners = 2; minSigners <= all; minSigners++) {
      for (let some = minSigners; some <= all; some++) {
        const shape = { holders: range(some), minSigners }
        const before = reshare.quorumOf(minSigners, some)
        const after = reshare.quorumOf(minSigners, all)
        // A quorum of all that has as few of the others' as there can be.
        const common = before - (all - after)
        const is = mayReshare(roster(range(all), minSigners), shape)
        assert.equal(is, common >= minSigners, `${minSigners} of ${some} to ${all}`)
        // With as many corrupt as there may be, an honest one is in both.
        if (is) assert.ok(common - (minSigners - 1) >= 1)
        if (some === all) assert.ok(is)
        if (is) may++
        else mayNot++
      }
    }
  }
  assert.ok(may > 50 && mayNot > 20, `${may} ${mayNot}`)
})
