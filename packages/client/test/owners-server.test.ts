import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type PlacementMargin, placementMargin } from "@lockkeeper/api"
import { type KeyInfo, LockKeeperError, type Session } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import type { TestCluster } from "./cluster.ts"
import { goOnTo, keyHolders, logIn, type Shape, settle, startMoving } from "./moving-cluster.ts"
import { OWNER, operate, signs } from "./operated-cluster.ts"

// Servers 1 and 2 are of one operator, who may sign once; server 4 is the owner's own.
const OPERATORS = ["one", "one", "two", OWNER.name]
const OWN = 4
const BEFORE: Shape = { holders: [1, 2, 3], minSigners: 2 }
const AFTER: Shape = { holders: [2, 3, OWN], minSigners: 2 }

/** What every server says that its roster leaves. */
function margins(cluster: TestCluster): readonly PlacementMargin[] {
  return cluster.roster.members.map(({ identifier }) =>
    placementMargin(cluster.server(identifier).server.self.roster),
  )
}

/** Signs some times with each key: always with as many operators as it takes signers. */
async function signAll(
  session: Session,
  keys: readonly KeyInfo[],
  text: string,
): Promise<readonly (readonly Identifier[])[]> {
  const sets: (readonly Identifier[])[] = []
  for (const key of keys) {
    for (const time of [1, 2, 3]) {
      const signers = await signs(session, key, `${text}, time ${time}`)
      const operators = new Set(signers.map((one) => OPERATORS[one - 1]))
      assert.deepEqual([signers.length, operators.size], [2, 2], `${text}: ${key.keyType}`)
      sets.push(signers)
    }
  }
  return sets
}

/** Where only two servers of one operator are left, neither signs with the other. */
async function refusesAll(session: Session, keys: readonly KeyInfo[]): Promise<void> {
  for (const key of keys) {
    await assert.rejects(signs(session, key, "one operator alone"), (error) => {
      assert.ok(error instanceof LockKeeperError, String(error))
      const { code, message } = error
      assert.equal(code, "not-enough-servers", key.keyType)
      assert.match(message, /takes 2 key servers; 1 did their part\. 3: Connection refused/)
      return true
    })
  }
}

async function reshareAll(cluster: TestCluster, keys: number): Promise<void> {
  const operator = await operate(cluster)
  for (const [kind, count] of [
    ["accounts", 1],
    ["keys", keys],
  ] as const) {
    const { done, skipped, missing, keeping, incidents } = await operator.reshare({ kind })
    assert.deepEqual([done, skipped, incidents], [count, [], []], kind)
    assert.deepEqual([missing.size, keeping.size], [0, 0], kind)
  }
  assert.deepEqual(await keyHolders(operator), AFTER.holders)
  await operator.close()
}

describe("an owner's own server", () => {
  it("joins for one of an operator who runs two, and any one server may be lost from then on", async () => {
    const { cluster, keys } = await startMoving(BEFORE, undefined, { operators: OPERATORS })
    assert.deepEqual(margins(cluster), Array(3).fill({ possible: true, mayLose: 0 }))
    const first = await logIn(cluster)
    await signAll(first, keys, "before")
    cluster.wire(3).down = true
    await refusesAll(first, keys)
    cluster.wire(3).down = false

    await goOnTo(cluster, AFTER)
    await signAll(await logIn(cluster), keys, "under the roster in transition")
    await reshareAll(cluster, keys.length)
    await settle(cluster)
    cluster.wire(1).down = true

    assert.deepEqual(margins(cluster), Array(3).fill({ possible: true, mayLose: 1 }))
    const session = await logIn(cluster)
    const listed = await session.keys.list()
    assert.deepEqual(
      listed.keys.map(({ keyType, publicKey }) => [keyType, toHex(publicKey)]).sort(),
      keys.map(({ keyType, publicKey }) => [keyType, toHex(publicKey)]).sort(),
    )
    for (const down of AFTER.holders) {
      const left = AFTER.holders.filter((one) => one !== down)
      cluster.wire(down).down = true
      const sets = await signAll(await logIn(cluster), keys, `without server ${down}`)
      assert.deepEqual(sets, Array(9).fill(left))
      cluster.wire(down).down = false
    }
  })
})
