import assert from "node:assert/strict"
import { test } from "node:test"
import { commitmentList, LockKeeperError, prepareBody } from "@lockkeeper/api"
import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { OneTimeLedger } from "../src/one-time.ts"
import { type RowChange, StoreUnavailable } from "../src/ports/row-store.ts"
import { SeenHellos } from "../src/request/seen-hellos.ts"
import { createKey } from "./flows.ts"
import { startCluster } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

/** Rows that take a while to write, or cannot. */
class SlowRows extends MemoryRowStore {
  failing = false

  override async commit(batch: readonly RowChange[]) {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.failing) throw new StoreUnavailable("the disk is gone")
    return super.commit(batch)
  }
}

async function preparing() {
  const rows = new SlowRows()
  const owner = new TestOwner(
    await startCluster({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) }),
  )
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  const { keyId } = (await createKey(owner, sessions, "ed25519")).public
  /** How many commitments `requests` at once of 16 each get. */
  const prepare = async (requests: number): Promise<number> => {
    const counts = Array.from({ length: requests }, async () => {
      const body = encode(prepareBody, { keyId, keyEpoch: 1, count: 16 })
      const request = owner.sign(owner.request("sign.prepare", body))
      const input = new Uint8Array(0)
      const session = sessions[0] as TestSession
      const answer = await session.call({ kind: "act", request, step: 1, input })
      return answer.kind === "act" ? decode(commitmentList, answer.output).length : 0
    })
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  }
  return { rows, prepare }
}

test("requests at the same time leave no more commitments than one after the other", async () => {
  const { rows, prepare } = await preparing()
  const outstanding = async () => (await rows.scan("nonces", "", "", 256)).length
  assert.equal(await prepare(8), 64)
  assert.equal(await outstanding(), 64)
  assert.equal(await prepare(1), 16)
  assert.equal(await outstanding(), 64)
})

test("a commit that fails gives back the room it was to take", async () => {
  const { rows, prepare } = await preparing()
  rows.failing = true
  assert.equal(await prepare(8), 0)
  rows.failing = false
  assert.equal(await prepare(8), 64)
})

test("reserved room is taken from its owner alone, and given back once", () => {
  const ledger = new OneTimeLedger(4)
  const first = ledger.reserve("nonces", "a", 3)
  const second = ledger.reserve("nonces", "a", 3)
  assert.deepEqual([first.count, second.count, ledger.room("nonces", "a")], [3, 1, 0])
  assert.equal(ledger.reserve("nonces", "a", 1).count, 0)
  assert.equal(ledger.room("nonces", "b"), 4)
  assert.equal(ledger.room("key-generation", "a"), 4)
  ledger.issue("nonces", "a", "one", 0)
  first.release()
  first.release()
  assert.equal(ledger.room("nonces", "a"), 2)
})

function hello(n: number): Bytes {
  return sha256(utf8(`hello ${n}`))
}

function refusedAs(code: string) {
  return (error: unknown) => error instanceof LockKeeperError && error.code === code
}

test("a server with no room for another hello refuses it and forgets no fresh one", () => {
  const seen = new SeenHellos(3)
  for (const n of [1, 2, 3]) seen.check(hello(n), 1000)
  assert.throws(() => seen.check(hello(4), 1000), refusedAs("rate-limited"))
  for (const n of [1, 2, 3]) {
    assert.throws(() => seen.check(hello(n), 1000 + 4 * 60_000), refusedAs("replayed"))
  }
  seen.check(hello(4), 1001 + 4 * 60_000)
  assert.throws(() => seen.check(hello(4), 1001 + 4 * 60_000), refusedAs("replayed"))
})
