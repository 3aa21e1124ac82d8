import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { goOnTo, logIn, type Shape, startMoving } from "./moving-cluster.ts"
import { operate, signs } from "./operated-cluster.ts"

const CHANGES: readonly (readonly [string, Shape, Shape])[] = [
  [
    "2 of 3 to three others",
    { holders: [1, 2, 3], minSigners: 2 },
    { holders: [4, 5, 6], minSigners: 2 },
  ],
  [
    "2 of 3 to 3 of 5",
    { holders: [1, 2, 3], minSigners: 2 },
    { holders: [1, 2, 3, 4, 5], minSigners: 3 },
  ],
  [
    "3 of 5 to 2 of 3",
    { holders: [1, 2, 3, 4, 5], minSigners: 3 },
    { holders: [1, 2, 6], minSigners: 2 },
  ],
]

describe("keys that move to other holders", () => {
  for (const [name, from, to] of CHANGES) {
    it(`from ${name} sign before, during and after, as the caller has known them`, async () => {
      const { cluster, keys } = await startMoving(from)
      await goOnTo(cluster, to)
      const session = await logIn(cluster)
      for (const key of keys) {
        for (const one of await signs(session, key, "before")) assert.ok(from.holders.includes(one))
      }
      const operator = await operate(cluster)
      const plan = await operator.planReshare({ kind: "keys" })
      assert.deepEqual([plan.total, plan.due, plan.skipped], [3, 3, []])
      const report = await operator.reshare({ kind: "keys" })
      assert.deepEqual(
        [report.done, report.skipped, report.missing.size, report.lingering.size],
        [3, [], 0, 0],
        JSON.stringify(report.incidents),
      )
      assert.equal(report.keeping.size, 0)
      for (const key of keys) {
        for (const one of await signs(session, key, "after")) assert.ok(to.holders.includes(one))
      }
      const { answers } = await operator.sharings("keys")
      const held = [...answers].filter(([, all]) => all.length > 0).map(([id]) => id)
      assert.deepEqual(
        held.sort((a, b) => a - b),
        to.holders,
      )
      const again = await operator.reshare({ kind: "keys" })
      assert.deepEqual([again.done, again.fresh, again.skipped], [0, 3, []])
      const listed = await session.keys.list()
      assert.deepEqual([listed.keys.length, listed.unconfirmed.length], [3, 0])
      await operator.close()
    })
  }
})
