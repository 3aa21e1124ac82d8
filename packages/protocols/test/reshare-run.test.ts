import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { reshare } from "../src/index.ts"
import { rosterOf } from "./messages-fixtures.ts"
import {
  assertShares,
  attemptFor,
  drive,
  mixedBatch,
  NEW_ROSTER_EPOCH,
  OLD_ROSTER_EPOCH,
  publicKeyOf,
  type Shared,
  subsets,
  type Target,
} from "./reshare-cluster.ts"

/** The batch after one run that everyone took part in and confirmed. */
function reshared(batch: readonly Shared[], target: Target): readonly Shared[] {
  const attempt = attemptFor(batch, target)
  const result = drive(attempt, batch)
  assert.equal(result.aborts.size, 0)
  assert.equal(result.task.kind, "confirmed")
  assert.deepEqual([result.task.missing, result.task.fault], [[], null])
  assert.equal(result.batch.length, batch.length)
  return result.batch
}

/** Same key, next generation, right shares; and old and new ones are of no use together. */
function assertContinues(before: Shared, after: Shared, target: Target): void {
  assert.deepEqual(after.sharing.id, before.sharing.id)
  assert.deepEqual(after.sharing.context, before.sharing.context)
  assert.deepEqual(after.sharing.verifyingKey, before.sharing.verifyingKey)
  assert.equal(after.sharing.keyEpoch, before.sharing.keyEpoch + 1)
  assert.equal(after.sharing.minSigners, target.minSigners)
  assert.deepEqual([...after.sharing.verifyingShares.keys()], target.holders)
  assertShares(after)
  assertUnmixable(before, after)
}

/** No t-1 old with t'-1 new shares, nor any part of them, are a key: all combinations. */
function assertUnmixable(before: Shared, after: Shared): void {
  const old = subsets([...before.shares], before.sharing.minSigners - 1)
  const fresh = subsets([...after.shares], after.sharing.minSigners - 1)
  for (const some of old) {
    for (const others of fresh) {
      const places = new Set([...some, ...others].map(([i]) => i))
      if (places.size < some.length + others.length) continue
      const mixed = [...some, ...others]
      for (let size = 1; size <= mixed.length; size++) {
        for (const points of subsets(mixed, size)) {
          const key = publicKeyOf(before, points)
          assert.notDeepEqual(key, before.sharing.verifyingKey)
        }
      }
    }
  }
}

const CASES: readonly (readonly [string, number, readonly Identifier[], Target])[] = [
  ["2/3 to the same 2/3", 2, [1, 2, 3], { dealers: [1, 3], holders: [1, 2, 3], minSigners: 2 }],
  ["2/3 to 2/3 others", 2, [1, 2, 3], { dealers: [2, 3], holders: [4, 5, 6], minSigners: 2 }],
  ["2/3 to 2/3 half others", 2, [1, 2, 3], { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 }],
  ["2/3 to 3/5", 2, [1, 2, 3], { dealers: [1, 2], holders: [1, 2, 3, 4, 5], minSigners: 3 }],
  ["3/5 to 2/3", 3, [1, 2, 3, 4, 5], { dealers: [1, 3, 5], holders: [1, 2, 3], minSigners: 2 }],
  [
    "2/2 to 4/7 far apart",
    2,
    [7, 300],
    {
      dealers: [7, 300],
      holders: [1, 2, 5, 9, 300, 4000, 65535],
      minSigners: 4,
    },
  ],
]

for (const [what, minSigners, holders, target] of CASES) {
  test(`${what}: the same keys, every new subset has them, nothing mixed has`, () => {
    const before = mixedBatch(minSigners, holders)
    const after = reshared(before, target)
    for (const [i, one] of after.entries()) assertContinues(before[i]!, one, target)
  })
}

test("there and back again: three generations share nothing but the key", () => {
  const first = mixedBatch(2, [1, 2, 3])
  const away = { dealers: [1, 2], holders: [4, 5, 6], minSigners: 2, rosterEpoch: 8 }
  const second = reshared(first, away)
  const back = { dealers: [4, 6], holders: [1, 2, 3], minSigners: 2, rosterEpoch: 9 }
  const third = reshared(second, back)
  for (const [i, one] of third.entries()) {
    assertContinues(first[i]!, second[i]!, away)
    assertContinues(second[i]!, one, back)
    assertUnmixable(first[i]!, one)
    for (const [holder, share] of one.shares) {
      assert.notDeepEqual(share.expose(), first[i]!.shares.get(holder)!.expose())
    }
  }
})

test("a refresh keeps holders and threshold, and changes every share", () => {
  const before = mixedBatch(2, [1, 2, 3])
  const target = {
    kind: "refresh" as const,
    ...{ dealers: [2, 3], holders: [1, 2, 3], minSigners: 2, rosterEpoch: OLD_ROSTER_EPOCH },
  }
  const after = reshared(before, target)
  for (const [i, one] of after.entries()) {
    assertContinues(before[i]!, one, target)
    assert.equal(one.sharing.rosterEpoch, OLD_ROSTER_EPOCH)
  }
})

test("every member gets certificates that prove each sharing by itself", () => {
  const before = mixedBatch(2, [1, 2, 3])
  const target = { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 }
  const { task, members } = drive(attemptFor(before, target), before)
  assert.equal(task.kind, "confirmed")
  const roster = {
    ...{ rosterEpoch: NEW_ROSTER_EPOCH, minSigners: 2 },
    verifyKeys: rosterOf([2, 3, 4]),
  }
  for (const holder of [2, 3, 4]) {
    const active = members.get(holder)!.activate(task.certificate)
    assert.ok(active.ok)
    for (const [i, { certificate, sharing }] of active.value.entries()) {
      const verified = reshare.verifyReshareCertificate(certificate, roster)
      assert.ok(verified.ok)
      assert.deepEqual(verified.value, sharing)
      assert.ok(reshare.mayErase(before[i]!.sharing, certificate, roster).ok)
    }
  }
})
