import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { KeyInfo, Session } from "@lockkeeper/client"
import { toHex } from "@lockkeeper/encoding"
import { loseKeys } from "./cheats.ts"
import type { TestCluster } from "./cluster.ts"
import { goOnTo, logIn, settle, startMoving } from "./moving-cluster.ts"
import { epochs, operate, signs } from "./operated-cluster.ts"

const THREE = { holders: [1, 2, 3], minSigners: 2 }
const FIVE = { holders: [2, 3, 4, 5, 6], minSigners: 3 }

async function selfKeys(session: Session): Promise<readonly KeyInfo[]> {
  const keys: KeyInfo[] = []
  for (const type of ["ed25519", "bip340"] as const) {
    keys.push((await session.keys.create({ type, custody: "self" })).key)
  }
  return keys
}

/** Signs as who has known the keys from the start, and as who has just logged in. */
async function allSign(
  cluster: TestCluster,
  session: Session,
  keys: readonly KeyInfo[],
  t: string,
) {
  for (const key of keys) await signs(session, key, t)
  const later = await logIn(cluster)
  const listed = await later.keys.list()
  assert.deepEqual(listed.unconfirmed, [])
  assert.deepEqual(
    listed.keys.map(({ publicKey, custody }) => `${custody} ${toHex(publicKey)}`).sort(),
    keys.map(({ publicKey }) => `self ${toHex(publicKey)}`).sort(),
  )
  for (const { keyId, ...key } of listed.keys) await signs(later, { keyId, ...key }, `${t}, later`)
  await later.logout()
}

describe("an owner's share", () => {
  it("stays as it is through a refresh and a repair of the servers' shares", async () => {
    const { cluster } = await startMoving(THREE, [])
    const session = await logIn(cluster)
    const keys = await selfKeys(session)
    const operator = await operate(cluster)
    const report = await operator.refresh({ kind: "keys" })
    assert.deepEqual([report.done, report.skipped, report.incidents], [2, [], []])
    assert.deepEqual((await epochs(operator)).slice(0, 3), ["1: 2,2", "2: 2,2", "3: 2,2"])
    await allSign(cluster, session, keys, "refreshed")
    await loseKeys(cluster.server(3))
    const repaired = await operator.repair({ server: 3, kind: "keys" })
    assert.deepEqual([repaired.done, repaired.skipped], [2, []])
    // Who holds anything of it again holds the owner's sealed share too.
    cluster.wire(1).down = true
    await allSign(cluster, session, keys, "repaired")
    await operator.close()
  })

  it("is kept by the servers that the key moves to", async () => {
    const { cluster } = await startMoving(THREE, [])
    const first = await logIn(cluster)
    const keys = await selfKeys(first)
    await first.logout()
    await goOnTo(cluster, FIVE)
    const operator = await operate(cluster)
    for (const [kind, count] of [
      ["accounts", 1],
      ["keys", 2],
    ] as const) {
      const { done, skipped, incidents } = await operator.reshare({ kind })
      assert.deepEqual([done, skipped, incidents], [count, [], []])
    }
    await operator.close()
    await settle(cluster)
    const later = await logIn(cluster)
    // Of those that it was dealt to, none is asked.
    for (const one of [2, 3]) cluster.wire(one).down = true
    for (const key of keys) {
      for (const one of await signs(later, key, "moved")) assert.ok([4, 5, 6].includes(one))
    }
  })
})
