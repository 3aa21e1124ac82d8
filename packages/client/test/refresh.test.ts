import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { LockKeeperError } from "@lockkeeper/client"
import type { OperatorSession, RefreshProgress } from "@lockkeeper/client/operator"
import { toHex } from "@lockkeeper/encoding"
import { claimGeneration, loseKeyWhenConfirmed, signWrongly } from "./cheats.ts"
import { epochs, operate, signs, startOperated } from "./operated-cluster.ts"

describe("a refresh of everything", () => {
  let world: Awaited<ReturnType<typeof startOperated>>
  let operator: OperatorSession

  before(async () => {
    world = await startOperated()
    operator = await operate(world.cluster)
  })
  after(() => operator.close())

  it("gives keys of every type new shares, and keys that callers hold go on signing", async () => {
    const { session, keys } = world
    const [, , ecdsa] = keys
    assert.ok(ecdsa)
    for (const key of keys) await signs(session, key, "before")
    await session.pools.fill({ keyId: ecdsa.keyId, floor: 1, cap: 2 })
    assert.ok((await session.pools.status(ecdsa.keyId)).held > 0)
    const told: RefreshProgress[] = []
    const report = await operator.refresh({
      ...{ kind: "keys", onProgress: (progress) => told.push(progress), batch: 2 },
    })
    assert.deepEqual(
      [report.done, report.fresh, report.skipped, report.finished, report.incidents],
      [3, 0, [], 0, []],
    )
    assert.deepEqual([report.missing.size, report.lingering.size], [0, 0])
    assert.deepEqual(
      told.map(({ done, total }) => [done, total]),
      [
        [0, 3],
        [2, 3],
        [3, 3],
      ],
    )
    assert.deepEqual(await epochs(operator), ["1: 2,2,2", "2: 2,2,2", "3: 2,2,2"])
    // Presignatures of before are gone, nobody's nonces of before are used.
    for (const key of keys) for (let i = 0; i < 3; i++) await signs(session, key, `after ${i}`)
    const { keys: listed, unconfirmed } = await session.keys.list()
    assert.deepEqual(unconfirmed, [])
    assert.deepEqual(
      listed.map(({ publicKey }) => toHex(publicKey)),
      keys.map(({ publicKey }) => toHex(publicKey)),
    )
    assert.ok(listed.every(({ certificate }) => certificate.public.keyEpoch === 2))
    const { held } = await session.pools.status(ecdsa.keyId)
    await session.pools.fill({ keyId: ecdsa.keyId, floor: 4, cap: 4 })
    assert.ok((await session.pools.status(ecdsa.keyId)).held > held)
  })

  it("is planned from what the servers list, and a plan changes nothing", async () => {
    const held = await epochs(operator)
    const plan = await operator.planRefresh({ kind: "keys", batch: 2 })
    assert.deepEqual([plan.total, plan.due, [...plan.generations]], [3, 3, [[2, 3]]])
    assert.deepEqual(
      plan.batches.map(({ keys }) => keys.length),
      [2, 1],
    )
    assert.deepEqual([plan.skipped, plan.behind, plan.failures.size], [[], [], 0])
    const some = await operator.planRefresh({ kind: "keys", most: 1 })
    assert.deepEqual([some.due, some.batches.flatMap(({ keys }) => keys).length], [3, 1])
    const [oldest] = some.batches.flatMap(({ keys }) => keys)
    assert.equal(oldest?.toKeyEpoch, 3)
    const since = plan.oldest ?? 0
    const none = await operator.planRefresh({ kind: "keys", before: since })
    assert.deepEqual([none.due, none.batches], [0, []])
    assert.deepEqual(await epochs(operator), held)
  })

  it("counts a key's age from its making where no run has given it shares", async () => {
    const before = Date.now()
    const { key } = await world.session.keys.create({ type: "ed25519" })
    const after = Date.now()
    const { answers } = await operator.sharings("keys")
    for (const listed of answers.values()) {
      const made = listed.find(({ sharing }) => toHex(sharing.id) === toHex(key.keyId))
      assert.ok(made)
      assert.ok(made.activatedAt >= before && made.activatedAt <= after)
    }
    const report = await operator.refresh({ kind: "keys", before })
    assert.deepEqual([report.done, report.fresh], [3, 1])
    world.keys.push(key)
  })

  it("does nothing again for what is newer than it was asked for", async () => {
    const since = Date.now() - 3_600_000
    const report = await operator.refresh({ kind: "keys", before: since })
    assert.deepEqual([report.done, report.fresh], [0, 4])
  })

  it("comes to one generation where two operators begin at once", async () => {
    const other = await operate(world.cluster)
    const since = Date.now()
    const both = await Promise.all(
      [operator, other].map((one) => one.refresh({ kind: "keys", before: since })),
    )
    const rest = await operator.refresh({ kind: "keys", before: since })
    assert.deepEqual(rest.skipped, [])
    assert.ok(both.some(({ done }) => done > 0) || rest.done > 0)
    const [first, ...others] = (await epochs(operator)).map((line) => line.split(": ")[1])
    for (const held of others) assert.equal(held, first)
    for (const key of world.keys) await signs(world.session, key, "after both")
    await other.close()
  })
})

describe("a refresh that is stopped", () => {
  it("goes on with the rest, after every frame of it, and keys sign meanwhile", async () => {
    const { cluster, session, keys } = await startOperated({}, ["ed25519", "ecdsa-secp256k1"])
    let generation = 1
    for (let frames = 1; ; frames++) {
      const stop = new AbortController()
      let sent = 0
      const stopped = await operate(cluster, {
        before: () => {
          if (++sent > frames) stop.abort()
          if (stop.signal.aborted) throw new LockKeeperError("unavailable", "The coordinator died.")
        },
      })
      const since = Date.now()
      const first = stopped.refresh({ kind: "keys", before: since, signal: stop.signal })
      const isWhole = await first.then(
        () => !stop.signal.aborted,
        (error) => {
          assert.ok(error instanceof LockKeeperError && error.code === "cancelled", String(error))
          return false
        },
      )
      for (const key of keys) await signs(session, key, `stopped after ${frames}`)
      const operator = await operate(cluster)
      const rest = await operator.refresh({ kind: "keys", before: since })
      assert.deepEqual([rest.skipped, rest.missing.size, rest.lingering.size], [[], 0, 0])
      assert.equal(rest.done + rest.fresh, 2)
      for (const key of keys) await signs(session, key, `finished after ${frames}`)
      const [now, ...others] = (await epochs(operator)).map((line) => Number(line.split(/: |,/)[1]))
      assert.ok(now !== undefined && now > generation, `${now} after ${generation}`)
      for (const one of others) assert.equal(one, now)
      generation = now
      await operator.close()
      await stopped.close()
      if (isWhole) {
        assert.ok(frames > 12, `${frames}`)
        return
      }
    }
  })
})

describe("a refresh without everyone", () => {
  it("leaves out who is down, says so, and has it catch up the next time", async () => {
    const { cluster, session, keys } = await startOperated({ servers: 5 }, [
      "ed25519",
      "ecdsa-secp256k1",
    ])
    const operator = await operate(cluster)
    cluster.wire(4).down = true
    const first = await operator.refresh({ kind: "keys" })
    assert.deepEqual([first.done, [...first.missing]], [2, [[4, 2]]])
    for (const key of keys) await signs(session, key, "without one")
    cluster.wire(4).down = false
    const second = await operator.refresh({ kind: "keys" })
    assert.deepEqual(
      [second.done, [...second.missing], second.skipped],
      [2, [], []],
      JSON.stringify(second.incidents),
    )
    assert.deepEqual(
      (await epochs(operator)).map((line) => line.split(": ")[1]),
      ["3,3", "3,3", "3,3", "3,3", "3,3"],
    )
    await operator.close()
  })

  it("counts on nobody whose new shares wait, and says so", async () => {
    const { cluster, session, keys } = await startOperated({}, ["ed25519"])
    const [key] = keys as [(typeof keys)[0]]
    const operator = await operate(cluster)
    await operator.refresh({ kind: "keys" })
    loseKeyWhenConfirmed(cluster.server(3), key.keyId)
    const report = await operator.refresh({ kind: "keys" })
    assert.deepEqual([report.done, report.missing.size, report.incidents], [1, 0, []])
    assert.deepEqual([...report.lingering], [[3, 1]])
    assert.deepEqual(await epochs(operator), ["1: 3", "2: 3", "3: "])
    await signs(session, key, "with the others")
    await operator.close()
  })

  it("names who deals wrong shares, tells the servers, and finishes with the others", async () => {
    const { cluster, keys } = await startOperated({ servers: 5 }, ["ed25519"])
    const [key] = keys
    assert.ok(key)
    const operator = await operate(cluster)
    // Whose turn it is to deal changes from run to run; who does not deal is given a right share.
    for (let tries = 1; ; tries++) {
      await signWrongly(cluster.server(2), key.keyId)
      const report = await operator.refresh({ kind: "keys" })
      assert.deepEqual([report.done, report.skipped], [1, []])
      const proven = report.incidents.filter(({ kind }) => kind === "proven")
      if (proven.length === 0 && tries < 8) continue
      assert.deepEqual(
        proven.map(({ server, reason }) => [server, reason]),
        [[2, "bad-dealing"]],
      )
      assert.deepEqual([...report.missing.keys()], [2])
      break
    }
    for (const id of [1, 3, 4, 5]) {
      assert.deepEqual(cluster.server(id).server.incidents.quarantined, [2])
    }
    await operator.close()
  })
})

describe("a server that claims another generation than it holds", () => {
  it("keeps nobody from signing with the others, and two of three stop it with that reason", async () => {
    const { cluster, session, keys } = await startOperated({}, ["ed25519", "ecdsa-secp256k1"])
    for (const key of keys) {
      await claimGeneration(cluster.server(3), key.keyId, 7)
      for (let i = 0; i < 3; i++) {
        assert.deepEqual([...(await signs(session, key, `${i}`))].sort(), [1, 2])
      }
      await claimGeneration(cluster.server(2), key.keyId, 7)
      await assert.rejects(signs(session, key, "too few"), (error) => {
        assert.ok(error instanceof LockKeeperError)
        assert.deepEqual([error.code, error.field], ["conflict", "keyEpoch"])
        return true
      })
    }
  })
})
