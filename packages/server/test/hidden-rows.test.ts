import assert from "node:assert/strict"
import { test } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import type { RowChange } from "../src/ports/row-store.ts"
import { type Change, StoreConflict, TABLES, type Table } from "../src/ports/store.ts"
import { SealBroken, SealedStore } from "../src/sealing/sealed-store.ts"
import { seededRandomness } from "./memory-cluster.ts"

/** Rows that lie, and that take as long as a test wants them to. */
class HostileRows extends MemoryRowStore {
  hides = false
  ignoresGuards = false
  /** Runs after the database did what it was asked and before it says so. */
  beforeAnswer: (() => Promise<unknown>) | null = null

  override async read(table: Table, id: string) {
    const row = this.hides ? null : await super.read(table, id)
    await this.#pause()
    return row
  }

  override async scan(...asked: Parameters<MemoryRowStore["scan"]>) {
    const rows = await super.scan(...asked)
    await this.#pause()
    return rows
  }

  override async commit(batch: Parameters<MemoryRowStore["commit"]>[0]) {
    for (const change of this.ignoresGuards ? batch : []) {
      if (change.kind === "put") await this.#pretend(change)
    }
    const positions = await super.commit(batch)
    await this.#pause()
    return positions
  }

  /** Brings a row to the version that a put demands. */
  async #pretend({ table, id, ifVersion, value }: Extract<RowChange, { kind: "put" }>) {
    const row = await super.read(table, id)
    if (row !== null) await super.commit([{ kind: "take", table, id, version: row.version }])
    if (ifVersion === "absent") return
    await super.commit([{ kind: "put", table, id, ifVersion: "absent", value }])
    for (let version = 1; version < ifVersion; version++) {
      await super.commit([{ kind: "put", table, id, ifVersion: version, value }])
    }
  }

  async #pause(): Promise<void> {
    const pause = this.beforeAnswer
    this.beforeAnswer = null
    await pause?.()
  }
}

function open() {
  const rows = new HostileRows()
  const key = new Secret(new Uint8Array(32).fill(1))
  return { rows, store: new SealedStore(rows, key, seededRandomness("hidden rows")) }
}

function put(table: Table, ifVersion: number | "absent" = "absent"): Change {
  return { kind: "put", table, id: "a", ifVersion, value: utf8("content") }
}

function take(table: Table, version = 1): Change {
  return { kind: "take", table, id: "a", version }
}

const rolledBack = (table: Table) => (error: unknown) => {
  assert.ok(error instanceof SealBroken, String(error))
  assert.deepEqual([error.reason, error.table], ["rolled-back", table])
  return true
}

/** Tables whose rows are taken once and never come again: one that is absent is used by nobody. */
const ONE_TIME: ReadonlySet<Table> = new Set(["nonces", "ot-checks", "presignatures"])

for (const table of TABLES) {
  if (ONE_TIME.has(table)) continue
  test(`a row of ${table} that the database hides is missed`, async () => {
    const { rows, store } = open()
    assert.equal(await store.read(table, "a"), null)
    await store.commit([put(table)])
    rows.hides = true
    await assert.rejects(store.read(table, "a"), rolledBack(table))
    rows.hides = false
    await store.commit([take(table)])
    assert.equal(await store.read(table, "a"), null)
    await store.commit([put(table)])
    assert.equal((await store.read(table, "a"))?.version, 1)
  })
}

test("a row that is hidden after it was read, not written, is missed too", async () => {
  const { rows, store } = open()
  await store.commit([put("keys")])
  const key = new Secret(new Uint8Array(32).fill(1))
  const restarted = new SealedStore(rows, key, seededRandomness("restarted"))
  await restarted.read("keys", "a")
  rows.hides = true
  await assert.rejects(restarted.read("keys", "a"), rolledBack("keys"))
})

test("what is committed while a read is under way is not held against its answer", async () => {
  const { rows, store } = open()
  await store.commit([put("accounts")])
  rows.beforeAnswer = () => store.commit([put("accounts", 1)])
  assert.equal((await store.read("accounts", "a"))?.version, 1)
  rows.beforeAnswer = () => store.commit([put("accounts", 2)])
  assert.equal((await store.scan("accounts", "", "", 5))[0]?.version, 2)
  rows.beforeAnswer = async () => {
    await store.commit([take("accounts", 3)])
    await store.commit([put("accounts")])
  }
  assert.equal((await store.read("accounts", "a"))?.version, 3)
  assert.equal((await store.read("accounts", "a"))?.version, 1)
})

test("a row that is read for the first time while it is taken is not missed afterwards", async () => {
  const { rows, store } = open()
  await store.commit([put("accounts")])
  const key = new Secret(new Uint8Array(32).fill(1))
  const restarted = new SealedStore(rows, key, seededRandomness("restarted"))
  rows.beforeAnswer = () => restarted.commit([take("accounts")])
  assert.equal((await restarted.read("accounts", "a"))?.version, 1)
  assert.equal(await restarted.read("accounts", "a"), null)
})

test("a row may be absent from when its taking began", async () => {
  const { rows, store } = open()
  await store.commit([put("answers")])
  let seen: unknown = "nothing"
  rows.beforeAnswer = async () => {
    seen = await store.read("answers", "a")
  }
  await store.commit([take("answers")])
  assert.equal(seen, null)
})

test("a change that demands a version known to be gone is refused, whatever the database says", async () => {
  const { rows, store } = open()
  await store.commit([put("protocol-sessions")])
  rows.ignoresGuards = true
  await assert.rejects(store.commit([put("protocol-sessions")]), StoreConflict)
  await store.commit([put("protocol-sessions", 1)])
  await assert.rejects(store.commit([put("protocol-sessions", 1)]), StoreConflict)
})

test("of two changes of the same version at once, one that a lying database also accepts is refused", async () => {
  const { rows, store } = open()
  rows.ignoresGuards = true
  let inner: Promise<unknown> | null = null
  rows.beforeAnswer = () => {
    inner = store.commit([put("protocol-sessions")])
    return inner
  }
  await assert.rejects(store.commit([put("protocol-sessions")]), rolledBack("protocol-sessions"))
  await (inner as unknown as Promise<unknown>)
})
