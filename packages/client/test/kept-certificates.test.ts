import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { SharingKind } from "@lockkeeper/api"
import { ReshareSteps } from "../src/operator/reshare-steps.ts"
import type { TestCluster } from "./cluster.ts"
import { goOnTo, keyHolders, logIn, type Shape, startMoving } from "./moving-cluster.ts"
import { OWNER, operate, PATIENCE, signs } from "./operated-cluster.ts"
import { refused } from "./refusals.ts"

const THREE: Shape = { holders: [1, 2, 3], minSigners: 2 }
const OTHERS: Shape = { holders: [4, 5, 6], minSigners: 2 }

/** A coordinator that has members erase their shares, brings nobody else the certificate, and is lost. */
async function loseCertificate(
  cluster: TestCluster,
  kind: SharingKind,
  method: (name: "activate", by: () => Promise<never>) => { mock: { restore(): void } },
): Promise<void> {
  const operator = await operate(cluster)
  const forgotten = method("activate", async () => true as never)
  const { done, skipped, keeping } = await operator.reshare({ kind })
  forgotten.mock.restore()
  assert.deepEqual([done, skipped, keeping.size], [1, [], 0])
  await operator.close()
}

describe("a certificate that only those have that erased their shares on it", () => {
  it("is brought by the next coordinator to those that keys move to", async (t) => {
    const { cluster, keys } = await startMoving(THREE, ["ed25519"])
    await goOnTo(cluster, OTHERS)
    const operator = await operate(cluster)
    assert.equal((await operator.reshare({ kind: "accounts" })).done, 1)
    const session = await logIn(cluster)
    await loseCertificate(cluster, "keys", (name, by) => {
      return t.mock.method(ReshareSteps.prototype, name, by)
    })
    assert.deepEqual(await keyHolders(operator), [])
    const report = await operator.reshare({ kind: "keys" })
    assert.deepEqual([report.finished, report.done, report.skipped], [3, 0, []])
    assert.deepEqual(report.incidents, [])
    assert.deepEqual(await keyHolders(operator), OTHERS.holders)
    for (const key of keys) await signs(session, key, "found again")
    assert.equal((await operator.reshare({ kind: "keys" })).finished, 0)
    await operator.close()
  })

  it("is brought to those that accounts move to, whoever of those that left is there", async (t) => {
    const { cluster } = await startMoving(THREE, [])
    await goOnTo(cluster, OTHERS)
    await loseCertificate(cluster, "accounts", (name, by) => {
      return t.mock.method(ReshareSteps.prototype, name, by)
    })
    const keeper = await cluster.connect(PATIENCE)
    await refused(() => keeper.login(OWNER), "not-enough-servers")
    cluster.wire(1).down = true
    cluster.wire(3).down = true
    const operator = await operate(cluster)
    const report = await operator.reshare({ kind: "accounts" })
    assert.deepEqual([report.finished, report.done, report.skipped], [3, 0, []])
    cluster.wire(1).down = false
    cluster.wire(3).down = false
    assert.ok(await keeper.login(OWNER))
    await operator.close()
  })
})
