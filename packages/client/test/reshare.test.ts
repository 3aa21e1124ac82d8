import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { OperatorSession, ReshareReport } from "@lockkeeper/client/operator"
import { toHex } from "@lockkeeper/encoding"
import { goOnTo, keyHolders, logIn, type Shape, settle, startMoving } from "./moving-cluster.ts"
import { operate, signs } from "./operated-cluster.ts"

const THREE: Shape = { holders: [1, 2, 3], minSigners: 2 }
const OTHERS: Shape = { holders: [4, 5, 6], minSigners: 2 }
const FIVE: Shape = { holders: [1, 2, 3, 4, 5], minSigners: 3 }

const CHANGES: readonly (readonly [string, Shape, Shape])[] = [
  ["2 of 3 to three others", THREE, OTHERS],
  ["2 of 3 to 3 of 5", THREE, FIVE],
  ["3 of 5 to 2 of 3", FIVE, { holders: [1, 2, 6], minSigners: 2 }],
]

/** Accounts and then keys, all of them. */
async function moveAll(operator: OperatorSession, keys: number): Promise<void> {
  for (const [kind, count] of [
    ["accounts", 1],
    ["keys", keys],
  ] as const) {
    const plan = await operator.planReshare({ kind })
    assert.deepEqual([plan.total, plan.due, plan.skipped], [count, count, []])
    assertWhole(await operator.reshare({ kind }), count)
  }
}

function assertWhole(report: ReshareReport, count: number): void {
  const { done, skipped, missing, lingering, keeping, incidents } = report
  assert.deepEqual(
    [done, skipped, missing.size, lingering.size, keeping.size, incidents],
    [count, [], 0, 0, 0, []],
  )
}

describe("keys that move to other holders", () => {
  for (const [name, from, to] of CHANGES) {
    it(`from ${name} sign before, during and after, as the caller has known them`, async () => {
      const { cluster, keys } = await startMoving(from)
      await goOnTo(cluster, to)
      const session = await logIn(cluster)
      for (const key of keys) {
        for (const one of await signs(session, key, "before")) assert.ok(from.holders.includes(one))
      }
      assert.equal((await session.keys.list()).keys.length, 3)
      const operator = await operate(cluster)
      const accounts = await operator.reshare({ kind: "accounts" })
      assertWhole(accounts, 1)
      const { key: during } = await session.keys.create({ type: "ed25519" })
      assert.deepEqual([during.holders, during.minSigners], [to.holders, to.minSigners])
      for (const key of [...keys, during]) await signs(session, key, "between")
      const plan = await operator.planReshare({ kind: "keys" })
      assert.deepEqual([plan.total, plan.due, plan.skipped], [4, 3, []])
      assertWhole(await operator.reshare({ kind: "keys" }), 3)
      assert.deepEqual(await keyHolders(operator), to.holders)
      for (const key of [...keys, during]) {
        for (const one of await signs(session, key, "after")) assert.ok(to.holders.includes(one))
      }
      const again = await operator.reshare({ kind: "keys" })
      assert.deepEqual([again.done, again.fresh, again.skipped], [0, 4, []])
      await operator.close()
      await settle(cluster)
      const later = await logIn(cluster)
      const listed = await later.keys.list()
      assert.deepEqual(listed.unconfirmed, [])
      assert.deepEqual(
        listed.keys.map(({ publicKey }) => toHex(publicKey)).sort(),
        [...keys, during].map(({ publicKey }) => toHex(publicKey)).sort(),
      )
      for (const key of [...keys, during]) {
        await signs(later, key, "settled")
        const shown = await later.keys.show(key.keyId)
        assert.deepEqual([shown.holders, shown.minSigners], [to.holders, to.minSigners])
      }
    })
  }

  it("come back to their first holders, and sign under each roster", async () => {
    const { cluster, keys } = await startMoving(THREE, ["ed25519", "ecdsa-secp256k1"])
    for (const [to, generation] of [
      [OTHERS, 2],
      [THREE, 3],
    ] as const) {
      await goOnTo(cluster, to)
      const operator = await operate(cluster)
      await moveAll(operator, 2)
      await operator.close()
      await settle(cluster)
      const session = await logIn(cluster)
      for (const key of keys) {
        await signs(session, key, `generation ${generation}`)
        const { certificate, publicKey } = await session.keys.show(key.keyId)
        assert.equal(certificate.public.keyEpoch, generation)
        assert.deepEqual(publicKey, key.publicKey)
      }
    }
  })
})

describe("a key whose owner changes it while it moves", () => {
  it("keeps its children and its state, which the new holders are told", async () => {
    const { cluster, keys } = await startMoving(THREE, ["bip340", "ed25519"])
    const [parent, other] = keys
    assert.ok(parent && other)
    await goOnTo(cluster, OTHERS)
    const session = await logIn(cluster)
    const operator = await operate(cluster)
    assertWhole(await operator.reshare({ kind: "accounts" }), 1)
    await session.keys.derive(parent.keyId, [7])
    await session.keys.suspend(other.keyId)
    assertWhole(await operator.reshare({ kind: "keys" }), 2)
    const message = new Uint8Array(32).fill(9)
    const { signers } = await session.sign({ key: parent, path: [7], message })
    assert.ok(signers.every((one) => OTHERS.holders.includes(one)))
    await assert.rejects(session.sign({ key: other, message }), /suspended/)
    const resumed = await session.keys.resume(other.keyId)
    assert.deepEqual([resumed.servers, resumed.effective], [OTHERS.holders, true])
    await signs(session, other, "resumed")
    await session.keys.derive(parent.keyId, [8])
    await session.sign({ key: parent, path: [8], message })
    await operator.close()
  })
})
