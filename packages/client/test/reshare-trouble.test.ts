import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type KeyListing, keyListing } from "@lockkeeper/api"
import { LockKeeperError } from "@lockkeeper/client"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { signWrongly } from "./cheats.ts"
import type { TestServer } from "./cluster.ts"
import { goOnTo, keyHolders, logIn, type Shape, startMoving } from "./moving-cluster.ts"
import { OWNER, operate, signs } from "./operated-cluster.ts"

const THREE: Shape = { holders: [1, 2, 3], minSigners: 2 }
const OTHERS: Shape = { holders: [4, 5, 6], minSigners: 2 }
const FOUR: Shape = { holders: [3, 4, 5, 6], minSigners: 2 }

/** Keys of an owner whose account has moved already. */
async function moving(to: Shape, types: Parameters<typeof startMoving>[1] = ["ed25519"]) {
  const { cluster, keys } = await startMoving(THREE, types)
  await goOnTo(cluster, to)
  const operator = await operate(cluster)
  const { skipped } = await operator.reshare({ kind: "accounts" })
  assert.deepEqual(skipped, [])
  const session = await logIn(cluster)
  return { cluster, keys, operator, session }
}

describe("a reshare that is stopped", () => {
  it("goes on with the rest, and keys sign in between", async () => {
    for (let frames = 8, isWhole = false; !isWhole; frames += 3) {
      const { cluster, keys, operator, session } = await moving(OTHERS)
      const stop = new AbortController()
      let sent = 0
      const stopped = await operate(cluster, {
        before: () => {
          if (++sent > frames) stop.abort()
          if (stop.signal.aborted) throw new LockKeeperError("unavailable", "The coordinator died.")
        },
      })
      isWhole = await stopped.reshare({ kind: "keys", signal: stop.signal }).then(
        () => !stop.signal.aborted,
        (error) => {
          assert.ok(error instanceof LockKeeperError && error.code === "cancelled", String(error))
          return false
        },
      )
      for (const key of keys) await signs(session, key, `stopped after ${frames}`)
      const rest = await operator.reshare({ kind: "keys" })
      assert.deepEqual(
        [rest.skipped, rest.missing.size, rest.lingering.size, rest.keeping.size],
        [[], 0, 0, 0],
        `${frames}: ${JSON.stringify(rest.incidents)}`,
      )
      assert.deepEqual(await keyHolders(operator), OTHERS.holders, `${frames}`)
      for (const key of keys) await signs(session, key, `finished after ${frames}`)
      await operator.close()
      await stopped.close()
      assert.ok(!isWhole || frames > 20, `${frames}`)
    }
  })

  for (const type of ["ed25519", "ecdsa-secp256k1"] as const) {
    it(`leaves a key to its holders, though one that joins shows it as moved: ${type}`, async () => {
      // Two frames more than it takes until the first one that joins has its share.
      for (let frames = 24, shown = 0; shown < 2; frames++) {
        const { cluster, keys, operator, session } = await moving(OTHERS, [type])
        let sent = 0
        const stopped = await operate(cluster, {
          before: () => {
            if (++sent > frames) throw new LockKeeperError("unavailable", "The coordinator died.")
          },
        })
        await stopped.reshare({ kind: "keys" })
        const [key] = keys as [(typeof keys)[0]]
        cluster.wire(5).down = true
        const { certificate } = await session.keys.show(key.keyId)
        cluster.wire(5).down = false
        const isMoved = certificate.public.keyEpoch === 2
        if (isMoved && !(await keyHolders(operator)).includes(6)) shown++
        await signs(session, key, `stopped after ${frames}`)
        await operator.close()
        await stopped.close()
        assert.ok(frames < 60, "no key was shown as moved to a server that does not have it yet")
      }
    })
  }
})

describe("a reshare without everyone", () => {
  it("has a member that leaves and was down erase its shares when it is back", async () => {
    const { cluster, keys, operator, session } = await moving(OTHERS, ["ed25519", "bip340"])
    cluster.wire(3).down = true
    const first = await operator.reshare({ kind: "keys" })
    assert.deepEqual([first.done, first.skipped, [...first.keeping]], [2, [], [[3, 2]]])
    for (const key of keys) await signs(session, key, "without one that leaves")
    cluster.wire(3).down = false
    assert.deepEqual(await keyHolders(operator), [3, ...OTHERS.holders])
    const second = await operator.reshare({ kind: "keys" })
    assert.deepEqual([second.done, second.skipped, second.keeping.size], [0, [], 0])
    assert.deepEqual(await keyHolders(operator), OTHERS.holders)
    await operator.close()
  })

  for (const refreshes of [[], ["first"], ["first", "second"]]) {
    const and = refreshes.length === 0 ? "" : `, and its shares refreshed ${refreshes.length} times`
    it(`has it erase an account's share whose password was changed since${and}`, async () => {
      const { cluster } = await startMoving(THREE, ["ed25519"])
      await goOnTo(cluster, { holders: [2, 3, 4], minSigners: 2 })
      const operator = await operate(cluster)
      cluster.wire(1).down = true
      const moved = await operator.reshare({ kind: "accounts" })
      assert.deepEqual([moved.done, [...moved.keeping]], [1, [[1, 1]]])
      const session = await logIn(cluster)
      let current = OWNER.password
      for (const next of ["next", "last", ...refreshes]) {
        await session.changePassword({ current, next })
        current = next
        if (!refreshes.includes(next)) continue
        const { done, skipped } = await operator.refresh({ kind: "accounts" })
        assert.deepEqual([done, skipped], [1, []])
      }
      cluster.wire(1).down = false
      const { done, skipped, keeping } = await operator.reshare({ kind: "accounts" })
      assert.deepEqual([done, skipped, [...keeping]], [0, [], []])
      const { answers } = await operator.sharings("accounts")
      const holders = [...answers].filter(([, all]) => all.length > 0).map(([id]) => id)
      assert.deepEqual(holders.sort(), [2, 3, 4])
      await operator.close()
    })
  }

  it("goes on without a new holder that is down, which is repaired then", async () => {
    const { cluster, keys, operator, session } = await moving(FOUR)
    cluster.wire(6).down = true
    const report = await operator.reshare({ kind: "keys" })
    assert.deepEqual([report.done, report.skipped, [...report.missing]], [1, [], [[6, 1]]])
    assert.ok(report.incidents.every(({ server }) => server === 6))
    for (const key of keys) await signs(session, key, "without a new one")
    cluster.wire(6).down = false
    const repaired = await operator.repair({ server: 6, kind: "keys" })
    assert.deepEqual([repaired.done, repaired.skipped], [1, []])
    assert.deepEqual(await keyHolders(operator), FOUR.holders)
    await operator.close()
  })

  it("moves nothing where too many new holders are down, and says who", async () => {
    const { cluster, keys, operator, session } = await moving(OTHERS)
    cluster.wire(5).down = true
    const report = await operator.reshare({ kind: "keys" })
    assert.equal(report.done, 0)
    assert.deepEqual(
      report.skipped.map(({ reason }) => reason),
      ["not-enough-servers"],
    )
    assert.ok(report.incidents.some(({ server, kind }) => server === 5 && kind === "unresponsive"))
    assert.deepEqual(await keyHolders(operator), THREE.holders)
    cluster.wire(5).down = false
    for (const key of keys) await signs(session, key, "where it was")
    assert.deepEqual((await operator.reshare({ kind: "keys" })).done, 1)
    await operator.close()
  })

  it("does without a member that was dropped, whose share is of no use any more", async () => {
    const { cluster, keys } = await startMoving(THREE, ["ed25519", "ecdsa-secp256k1"])
    await goOnTo(cluster, { holders: [1, 2, 4], minSigners: 2 }, [3])
    const operator = await operate(cluster)
    for (const kind of ["accounts", "keys"] as const) {
      const report = await operator.reshare({ kind })
      assert.deepEqual([report.skipped, report.missing.size, report.keeping.size], [[], 0, 0])
    }
    const session = await logIn(cluster)
    for (const key of keys) await signs(session, key, "without the dropped one")
    assert.deepEqual(await keyHolders(operator), [1, 2, 4])
    await operator.close()
  })
})

async function relabel(
  { store, self }: TestServer,
  keyId: Bytes,
  changes: Partial<KeyListing> = { label: "not its own" },
): Promise<void> {
  const rows = await store.scan("account-keys", "", "", 64)
  const row = rows.find(({ id }) => id.endsWith(toHex(keyId)))
  assert.ok(row, `server ${self.identifier}`)
  const value = encode(keyListing, { ...decode(keyListing, row.value), ...changes })
  await store.commit([
    { kind: "put", table: "account-keys", id: row.id, ifVersion: row.version, value },
  ])
}

describe("who lies in a reshare", () => {
  it("is named for wrong shares, quarantined by all, and another one deals", async () => {
    for (let tries = 1; ; tries++) {
      const { cluster, keys, operator, session } = await moving(OTHERS)
      const [key] = keys
      assert.ok(key)
      await signWrongly(cluster.server(2), key.keyId)
      const report = await operator.reshare({ kind: "keys" })
      assert.deepEqual([report.done, report.skipped], [1, []])
      const proven = report.incidents.filter(({ kind }) => kind === "proven")
      await signs(session, key, "moved all the same")
      await operator.close()
      // Whose turn it is to deal changes: who does not deal is asked for nothing.
      if (proven.length === 0 && tries < 8) continue
      assert.deepEqual(
        proven.map(({ server, reason }) => [server, reason]),
        [[2, "bad-dealing"]],
      )
      for (const id of [1, 3, 4, 5, 6]) {
        assert.deepEqual(cluster.server(id).server.incidents.quarantined, [2])
      }
      return
    }
  })

  it("changes nothing of what joiners believe, and keeps nothing from moving", async () => {
    for (const liar of [1, 2, 3]) {
      const { cluster, keys, operator, session } = await moving(OTHERS)
      const [key] = keys
      assert.ok(key)
      await relabel(cluster.server(liar), key.keyId)
      const report = await operator.reshare({ kind: "keys" })
      assert.deepEqual([report.done, report.skipped, report.missing.size], [1, [], 0])
      const { keys: listed } = await session.keys.list()
      assert.deepEqual(
        listed.map(({ label }) => label),
        [""],
      )
      await operator.close()
    }
  })
  it("makes a key neither older nor younger than the others say that it is", async () => {
    for (const createdAt of [1, 4_000_000_000_000]) {
      const { cluster, keys, operator, session } = await moving(OTHERS)
      const [key] = keys
      assert.ok(key)
      const { keys: before } = await session.keys.list()
      const dealt = { 1: createdAt, 2: before[0]?.createdAt, 3: before[0]?.createdAt }
      for (const [id, time = 0] of Object.entries(dealt)) {
        await relabel(cluster.server(Number(id)), key.keyId, { createdAt: time })
      }
      const report = await operator.reshare({ kind: "keys" })
      assert.deepEqual([report.done, report.skipped], [1, []])
      const { keys: after } = await session.keys.list()
      assert.deepEqual(
        after.map((one) => one.createdAt),
        before.map((one) => one.createdAt),
        `${createdAt}`,
      )
      await operator.close()
    }
  })
})
