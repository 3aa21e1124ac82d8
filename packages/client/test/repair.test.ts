import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { LockKeeperError } from "@lockkeeper/client"
import type { Lacking, RepairProgress } from "@lockkeeper/client/operator"
import { sha256 } from "@lockkeeper/crypto"
import { toHex, utf8 } from "@lockkeeper/encoding"
import { claimGeneration, loseKeys, relabel, signWrongly, spoilRepairs } from "./cheats.ts"
import { epochs, operate, signs, startOperated } from "./operated-cluster.ts"
import { refused } from "./refusals.ts"

const told = (lacking: readonly Lacking[]) => lacking.map(({ reason, from }) => `${reason} ${from}`)

describe("a repair of a server", () => {
  it("says first what it would do, then restores every key, and every set signs", async () => {
    const { cluster, session, keys } = await startOperated()
    await loseKeys(cluster.server(3))
    const operator = await operate(cluster)
    const dry = await operator.repair({ server: 3, kind: "keys", dryRun: true })
    assert.deepEqual(told(dry.lacking), ["missing 1,2", "missing 1,2", "missing 1,2"])
    assert.deepEqual([dry.server, dry.done, dry.skipped], [3, 0, []])
    assert.deepEqual(await epochs(operator), ["1: 1,1,1", "2: 1,1,1", "3: "])
    const progress: RepairProgress[] = []
    const report = await operator.repair({
      ...{ server: 3, kind: "keys", batch: 2, onProgress: (one) => progress.push(one) },
    })
    assert.deepEqual([report.done, report.skipped, report.incidents], [3, [], []])
    assert.deepEqual(
      progress.map(({ done, total, leftMs }) => [done, total, leftMs === 0 || leftMs === null]),
      [
        [0, 3, true],
        [2, 3, false],
        [3, 3, true],
      ],
    )
    assert.deepEqual(await epochs(operator), ["1: 1,1,1", "2: 1,1,1", "3: 1,1,1"])
    const { keys: listed, unconfirmed } = await session.keys.list()
    assert.deepEqual([listed.length, unconfirmed], [3, []])
    for (const away of [1, 2]) {
      cluster.wire(away).down = true
      for (const key of keys) {
        const signers = await signs(session, key, `without ${away}`)
        assert.deepEqual([...signers].sort(), away === 1 ? [2, 3] : [1, 3])
      }
      cluster.wire(away).down = false
    }
    assert.deepEqual((await operator.repair({ server: 3, kind: "keys" })).lacking, [])
    await operator.close()
  })

  it("brings who missed a refresh to the generation in force", async () => {
    const { cluster, session, keys } = await startOperated({ servers: 5 }, ["ed25519", "bip340"])
    const operator = await operate(cluster)
    cluster.wire(4).down = true
    await operator.refresh({ kind: "keys" })
    cluster.wire(4).down = false
    const { lacking, done, skipped } = await operator.repair({ server: 4, kind: "keys" })
    assert.deepEqual(told(lacking), ["behind 1,2,3,5", "behind 1,2,3,5"])
    assert.deepEqual([done, skipped], [2, []])
    assert.deepEqual(
      (await epochs(operator)).map((line) => line.split(": ")[1]),
      ["2,2", "2,2", "2,2", "2,2", "2,2"],
    )
    for (const away of [1, 2, 3]) cluster.wire(away).down = true
    for (const key of keys) assert.deepEqual([...(await signs(session, key, "a"))].sort(), [4, 5])
    await operator.close()
  })

  it("goes on with what is lacking, after every frame at which it is stopped", async () => {
    const { cluster, session, keys } = await startOperated({}, ["ed25519"])
    const [key] = keys
    assert.ok(key)
    const operator = await operate(cluster)
    for (let frames = 1; ; frames++) {
      await loseKeys(cluster.server(2))
      const stop = new AbortController()
      let sent = 0
      const stopped = await operate(cluster, {
        before: () => {
          if (++sent > frames) stop.abort()
          if (stop.signal.aborted) throw new LockKeeperError("unavailable", "It died.")
        },
      })
      const run = stopped.repair({ server: 2, kind: "keys", signal: stop.signal })
      const isWhole = await run.then(
        () => !stop.signal.aborted,
        (error) => {
          assert.ok(error instanceof LockKeeperError && error.code === "cancelled", String(error))
          return false
        },
      )
      const { lacking, done, skipped } = await operator.repair({ server: 2, kind: "keys" })
      assert.deepEqual([done, skipped], [lacking.length, []], `stopped after ${frames}`)
      assert.deepEqual(await epochs(operator), ["1: 1", "2: 1", "3: 1"])
      await stopped.close()
      if (!isWhole) continue
      assert.ok(frames > 12, `${frames}`)
      cluster.wire(1).down = true
      assert.deepEqual([...(await signs(session, key, "after all stops"))].sort(), [2, 3])
      await operator.close()
      return
    }
  })
})

describe("what is lacking", () => {
  it("is not known while too few of the others answer, nor where they differ", async () => {
    const { cluster, keys } = await startOperated({}, ["ed25519", "bip340"])
    const [key] = keys
    assert.ok(key)
    await loseKeys(cluster.server(3))
    const operator = await operate(cluster)
    cluster.wire(2).down = true
    await refused(() => operator.repair({ server: 3, kind: "keys" }), "not-enough-servers")
    cluster.wire(2).down = false
    await claimGeneration(cluster.server(2), key.keyId, 7)
    const { lacking, unclear, done } = await operator.repair({ server: 3, kind: "keys" })
    assert.deepEqual([told(lacking), done], [["missing 1,2"], 1])
    assert.deepEqual(unclear.map(toHex), [toHex(key.keyId)])
    cluster.wire(3).down = true
    await refused(() => operator.repair({ server: 3, kind: "keys" }), "unavailable")
    const stranger = await refused(
      () => operator.repair({ server: 9, kind: "keys" }),
      "invalid-request",
    )
    assert.equal(stranger.field, "server")
    await operator.close()
  })
})

describe("a repair with somebody at fault", () => {
  it("names the helper that splits another share than its own, and finishes with others", async () => {
    const { cluster, session, keys } = await startOperated({ servers: 5, minSigners: 3 }, [
      "ed25519",
    ])
    const [key] = keys
    assert.ok(key)
    await signWrongly(cluster.server(2), key.keyId)
    const operator = await operate(cluster)
    // Whose turn it is to help changes from run to run.
    for (let tries = 1; ; tries++) {
      await loseKeys(cluster.server(3))
      const report = await operator.repair({ server: 3, kind: "keys" })
      assert.deepEqual([report.done, report.skipped], [1, []])
      const proven = report.incidents.filter(({ kind }) => kind === "proven")
      if (proven.length === 0 && tries < 8) continue
      assert.deepEqual(
        proven.map(({ server, reason }) => [server, reason]),
        [[2, "bad-dealing"]],
      )
      break
    }
    for (const id of [1, 3, 4, 5]) {
      assert.deepEqual(cluster.server(id).server.incidents.quarantined, [2])
    }
    cluster.wire(4).down = true
    const { signers } = await session.sign({ key, message: sha256(utf8("after")) })
    assert.deepEqual([...signers].sort(), [1, 3, 5])
    await operator.close()
  })

  it("goes on with others where a helper finds its own share wrong", async () => {
    const { cluster, keys } = await startOperated({ servers: 4 }, ["ed25519"])
    const [key] = keys
    assert.ok(key)
    await signWrongly(cluster.server(4), key.keyId)
    const operator = await operate(cluster)
    for (let tries = 1; ; tries++) {
      await loseKeys(cluster.server(3))
      const { done, skipped, incidents } = await operator.repair({ server: 3, kind: "keys" })
      assert.deepEqual([done, skipped], [1, []])
      if (incidents.length === 0 && tries < 8) continue
      const said = incidents.map(({ server, kind, reason }) => [server, kind, reason])
      assert.deepEqual(said[0], [4, "refused", "aborted"])
      assert.ok(said.every(([server]) => server === 4))
      break
    }
    await operator.close()
  })

  it("works with nobody that another participant has quarantined, until its operator clears it", async () => {
    const { cluster } = await startOperated({}, ["ed25519"])
    await loseKeys(cluster.server(3))
    const operator = await operate(cluster)
    const { server, store } = cluster.server(2)
    const evidence = Uint8Array.of(1)
    const fault = { evidence, digest: sha256(evidence), servers: [3], reason: "equivocation" }
    const recording = server.incidents.record([fault], "reported")
    await store.commit(recording.changes)
    recording.committed()
    recording.release()
    assert.deepEqual(server.incidents.quarantined, [3])
    const first = await operator.repair({ server: 3, kind: "keys" })
    assert.deepEqual([first.done, first.skipped.map(({ reason }) => reason)], [0, ["quarantined"]])
    assert.deepEqual(
      first.incidents.map(({ kind, server }) => [kind, server]),
      [["quarantined", 3]],
    )
    await operator.close()
    assert.ok(await server.clearIncident(1, "new disk, same keys"))
    const other = await operate(cluster)
    const second = await other.repair({ server: 3, kind: "keys" })
    assert.deepEqual([second.done, second.skipped, second.incidents], [1, [], []])
    await other.close()
  })

  it("names the member that complains of what was right, and stops there", async () => {
    const { cluster, keys } = await startOperated({}, ["ed25519", "bip340"])
    const member = cluster.server(3)
    await loseKeys(member)
    let isSpoiling = false
    const operator = await operate(cluster, {
      before: (server) => {
        if (server !== 3) isSpoiling = true
      },
    })
    cluster.wire(3).recall = async () => {
      if (isSpoiling) await spoilRepairs(member)
      return false
    }
    const report = await operator.repair({ server: 3, kind: "keys", batch: 1 })
    const proven = report.incidents.filter(({ kind }) => kind === "proven")
    assert.deepEqual(
      proven.map(({ server, reason }) => [server, reason]),
      [[3, "false-complaint"]],
    )
    assert.deepEqual(
      report.skipped.map(({ id, reason }) => [toHex(id), reason]),
      keys
        .map(({ keyId }) => toHex(keyId))
        .sort()
        .map((id, i) => [id, i === 0 ? "false-complaint" : "untrusted-server"]),
    )
    assert.deepEqual(cluster.server(1).server.incidents.quarantined, [3])
    assert.deepEqual(await epochs(operator), ["1: 1,1", "2: 1,1", "3: "])
    await operator.close()
  })

  it("asks all others what they keep where two helpers tell of a key in two ways", async () => {
    const { cluster, session, keys } = await startOperated({ servers: 5 }, ["ed25519"])
    const [key] = keys
    assert.ok(key)
    const operator = await operate(cluster)
    await relabel(cluster.server(2), key.keyId, "savings")
    // Whose turn it is to help changes from run to run.
    for (let tries = 0; tries < 4; tries++) {
      await loseKeys(cluster.server(3))
      const { done, skipped } = await operator.repair({ server: 3, kind: "keys" })
      assert.deepEqual([done, skipped], [1, []])
    }
    const { keys: listed } = await session.keys.list()
    assert.equal(listed[0]?.label, key.label)
    await operator.close()
  })

  it("leaves a key be of which too few tell the same", async () => {
    const { cluster, keys } = await startOperated({}, ["ed25519", "bip340"])
    const [key] = keys
    assert.ok(key)
    await relabel(cluster.server(2), key.keyId, "savings")
    await loseKeys(cluster.server(3))
    const operator = await operate(cluster)
    const { done, skipped } = await operator.repair({ server: 3, kind: "keys", batch: 1 })
    assert.equal(done, 1)
    assert.deepEqual(
      skipped.map(({ id, reason }) => [toHex(id), reason]),
      [[toHex(key.keyId), "records-differ"]],
    )
    await operator.close()
  })

  it("has another holder help where one says nothing", async () => {
    const { cluster } = await startOperated({ servers: 5 }, ["ed25519"])
    await loseKeys(cluster.server(3))
    let sent = 0
    const operator = await operate(cluster, {
      before: (server) => {
        if (server === 1 && ++sent > 3) throw new LockKeeperError("unavailable", "It is gone.")
        if (server === 2 && sent > 3) throw new LockKeeperError("unavailable", "It is gone.")
      },
    })
    const { done, skipped } = await operator.repair({ server: 3, kind: "keys" })
    assert.deepEqual([done, skipped], [1, []])
    await operator.close()
  })
})
