import assert from "node:assert/strict"
import { describe, test } from "node:test"
import {
  acceptNextRoster,
  cameSince,
  decodeRoster,
  encodeRoster,
  fewestSigners,
  holderIds,
  LockKeeperError,
  lastSettled,
  needsTransition,
  placeAfter,
  placeOfShares,
  type Roster,
  rosterDigest,
  settledRoster,
  thresholdsAt,
  thresholdsOf,
  transitionFrom,
} from "../src/index.ts"
import { signedBy, testRoster, testServer } from "./fixtures.ts"

const servers = [1, 2, 3, 4, 5].map((identifier) => testServer(identifier))
const three = testRoster(servers.slice(0, 3))

function moving(leaving: readonly number[], changes: Partial<Roster> = {}): Roster {
  return testRoster(servers, {
    rosterEpoch: 2,
    previousDigest: rosterDigest(encodeRoster(three)),
    transition: transitionFrom(three, 2, leaving),
    ...changes,
  })
}

const refused = (code: string, field: string) => (error: unknown) =>
  error instanceof LockKeeperError && error.code === code && error.field === field

describe("a roster in transition", () => {
  test("lists those that leave, and is read back as it was", () => {
    const roster = moving([2, 1], { refreshHours: 0 })
    assert.deepEqual(decodeRoster(encodeRoster(roster)), roster)
    assert.deepEqual(roster.transition, { leaving: [1, 2], minSignersBefore: 2 })
    assert.deepEqual(holderIds(roster), [3, 4, 5])
  })

  test("is of version 3, and others are as they were", () => {
    const label = (roster: Roster) => new TextDecoder().decode(encodeRoster(roster).subarray(0, 20))
    assert.equal(label(three), "lockkeeper/roster/v1")
    assert.equal(label({ ...three, refreshHours: 1 }), "lockkeeper/roster/v2")
    assert.equal(label(moving([])), "lockkeeper/roster/v3")
  })

  test("takes either threshold while shares of both are used", () => {
    assert.deepEqual(thresholdsOf(moving([], { minSigners: 3 })), [3, 2])
    assert.equal(fewestSigners(moving([], { minSigners: 3 })), 2)
    assert.deepEqual(thresholdsOf(moving([])), [2])
  })

  test("takes of each member the thresholds of shares that it may hold", () => {
    const to = moving([3], { minSigners: 3 })
    const each = (before: Roster | null) => [...thresholdsAt(to, before)]
    assert.deepEqual(each(three), [
      [1, [3, 2]],
      [2, [3, 2]],
      [3, [2]],
      [4, [3]],
      [5, [3]],
    ])
    const five = testRoster(servers)
    assert.deepEqual(each(five).slice(3), [
      [4, [3, 2]],
      [5, [3, 2]],
    ])
    assert.deepEqual([...thresholdsAt(to, null).values()], Array(5).fill([3]))
    // Another key is another member, whatever its number.
    const other = { ...testServer(1).member, identityKey: testServer(9).member.identityKey }
    assert.deepEqual(thresholdsAt(to, { ...three, members: [other] }).get(1), [3])
    assert.deepEqual([...thresholdsAt(three, null).values()], [[2], [2], [2]])
  })

  test("keeps apart who joined in it however many rosters it takes, also where they leave again", () => {
    const to = moving([], { minSigners: 3 })
    const { transition } = to
    assert.ok(transition)
    const later = { ...to, rosterEpoch: 3, transition: { ...transition, leaving: [3, 5] } }
    assert.deepEqual(lastSettled([three, to]), three)
    assert.equal(lastSettled([to]), null)
    assert.deepEqual(
      [...thresholdsAt(later, lastSettled([three, to])).values()],
      [[3, 2], [3, 2], [2], [3], [3]],
    )
  })

  for (const [what, transition, field] of [
    ["a stranger that leaves", { leaving: [9], minSignersBefore: 2 }, "transition.leaving"],
    [
      "those that leave out of order",
      { leaving: [2, 1], minSignersBefore: 2 },
      "transition.leaving",
    ],
    ["one that leaves twice", { leaving: [1, 1], minSignersBefore: 2 }, "transition.leaving"],
    ["no threshold before", { leaving: [], minSignersBefore: 0 }, "transition.minSignersBefore"],
    [
      "a threshold of too many",
      { leaving: [], minSignersBefore: 6 },
      "transition.minSignersBefore",
    ],
    ["more signers than holders", { leaving: [1, 2, 3, 4], minSignersBefore: 2 }, "minSigners"],
  ] as const) {
    test(`is refused with ${what}`, () => {
      assert.throws(() => encodeRoster(moving([], { transition })), refused("misconfigured", field))
    })
  }

  test("goes on where a member is lost meanwhile, and never to a third threshold", () => {
    const growing = moving([1], { minSigners: 3 })
    assert.deepEqual(transitionFrom(growing, 3, [2, 1]), { leaving: [1, 2], minSignersBefore: 2 })
    assert.throws(() => transitionFrom(growing, 2, []), refused("conflict", "minSigners"))
    assert.throws(() => transitionFrom(growing, 4, []), refused("conflict", "minSigners"))
  })

  test("is followed only with the threshold before that it has", () => {
    const transition = { leaving: [1], minSignersBefore: 1 }
    const current = encodeRoster(three)
    const follow = (changes: Partial<Roster>) =>
      acceptNextRoster(current, signedBy(moving([1], changes), servers))
    assert.deepEqual(follow({}).transition, { leaving: [1], minSignersBefore: 2 })
    assert.throws(
      () => follow({ transition }),
      refused("untrusted-roster", "transition.minSignersBefore"),
    )
  })

  test("is settled without those that leave, by a roster that follows from it alone", () => {
    const roster = moving([1, 2])
    const settled = settledRoster(roster)
    assert.deepEqual(
      settled.members.map(({ identifier }) => identifier),
      [3, 4, 5],
    )
    assert.equal(settled.transition, null)
    assert.deepEqual(encodeRoster(settledRoster(roster)), encodeRoster(settled))
    const signed = signedBy(settled, servers.slice(2))
    assert.deepEqual(acceptNextRoster(encodeRoster(roster), signed), settled)
    assert.throws(() => settledRoster(settled), refused("conflict", "transition"))
  })
})

describe("what a change of the roster does to shares", () => {
  test("needs a transition where holders or the threshold change, and only there", () => {
    assert.equal(needsTransition(three, three), false)
    assert.equal(needsTransition(three, moving([])), true)
    assert.equal(needsTransition(three, moving([4, 5])), false)
    assert.equal(needsTransition(three, moving([3, 4])), true)
    assert.equal(needsTransition(three, { ...three, minSigners: 3 }), true)
    const another = { ...three, members: [testServer(1, "b"), ...servers.slice(1, 3)] }
    const members = another.members.map((one) => ("member" in one ? one.member : one))
    assert.equal(needsTransition(three, { ...three, members }), true)
    const renamed = three.members.map((member) => ({ ...member, url: "https://x.example:1" }))
    assert.equal(needsTransition(three, { ...three, members: renamed }), false)
  })

  const old = { holders: [1, 2, 3], minSigners: 2 }
  for (const [what, roster, shape, place] of [
    ["all as before", three, old, "settled"],
    ["fewer holders than there are members", three, { ...old, holders: [1, 3] }, "settled"],
    ["another threshold", { ...three, minSigners: 3 }, old, "stranded"],
    ["another threshold in transition", moving([], { minSigners: 3 }), old, "moving"],
    ["holders that leave", moving([1]), old, "moving"],
    ["holders that stay", moving([4]), old, "settled"],
    ["a holder that is gone", moving([], { members: moving([]).members.slice(1) }), old, "moving"],
    ["too many gone", moving([], { members: moving([]).members.slice(2) }), old, "stranded"],
    ["a threshold nobody knows", moving([1]), { ...old, minSigners: 3 }, "stranded"],
    ["those that left", settledRoster(moving([1])), old, "stranded"],
  ] as const) {
    test(`${what}: ${place}`, () => {
      assert.equal(placeOfShares(roster as Roster, shape), place)
    })
  }
})

describe("shares whose holders are replaced one after the other", () => {
  const shape = { holders: [1, 2, 3], minSigners: 2 }
  /** Three members, some of them in another's place. */
  function withNew(rosterEpoch: number, ...replaced: readonly number[]): Roster {
    const members = [1, 2, 3].map((one) => testServer(one, replaced.includes(one) ? "b" : "a"))
    return testRoster(members, { rosterEpoch })
  }
  const [dealt, once, twice] = [withNew(1), withNew(2, 3), withNew(3, 2, 3)]
  const renamed = { ...once, members: once.members.map((one) => ({ ...one, url: "https://x:1" })) }
  const dropped = { ...once, members: once.members.filter(({ identifier }) => identifier !== 2) }

  for (const [what, change, place, since] of [
    ["the first of them", { dealt, before: dealt, next: once }, "settled", []],
    ["two at once", { dealt, before: dealt, next: twice }, "doubtful", []],
    ["the second, with none dealt since", { dealt, before: once, next: twice }, "doubtful", [3]],
    ["the second, dealt anew between", { dealt: once, before: once, next: twice }, "settled", []],
    [
      "the second, dealt when nobody knows",
      { dealt: null, before: once, next: twice },
      "doubtful",
      [1, 3],
    ],
    ["none, after two", { dealt, before: twice, next: twice }, "settled", [2, 3]],
    ["none, with another address", { dealt, before: once, next: renamed }, "settled", [3]],
  ] as const) {
    test(`${what}: ${place}`, () => {
      assert.equal(placeAfter(change, shape), place)
      assert.deepEqual(cameSince(change, shape), since)
    })
  }

  test("are as doubtful where the second one is dropped, and stranded where numbers tell it", () => {
    const next = { ...dropped, transition: { leaving: [], minSignersBefore: 2 } }
    assert.equal(placeAfter({ dealt, before: once, next }, shape), "doubtful")
    assert.equal(placeAfter({ dealt: once, before: once, next }, shape), "moving")
    assert.equal(placeAfter({ dealt, before: once, next: dropped }, shape), "stranded")
  })
})
