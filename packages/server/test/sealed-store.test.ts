import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { test } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, equalBytes, toHex, utf8 } from "@lockkeeper/encoding"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import type { RowChange, RowStore } from "../src/ports/row-store.ts"
import { type Change, TABLES, type Table } from "../src/ports/store.ts"
import { SealBroken, SealedStore } from "../src/sealing/sealed-store.ts"

const randomness = { bytes: (length: number): Bytes => new Uint8Array(randomBytes(length)) }
const key = (n = 1): Secret => new Secret(new Uint8Array(32).fill(n))

function put(id: string, content: string, ifVersion: number | "absent" = "absent"): Change {
  return { kind: "put", table: "keys", id, ifVersion, value: utf8(content) }
}

function open(rows: RowStore = new MemoryRowStore(), kek = key()) {
  return { rows, store: new SealedStore(rows, kek, randomness) }
}

async function raw(rows: RowStore, table: Table, id: string): Promise<Bytes> {
  const row = await rows.read(table, id)
  assert.ok(row !== null)
  return row.value
}

/** What somebody with write access to the database does. */
async function overwrite(rows: RowStore, table: Table, id: string, value: Bytes): Promise<void> {
  const row = await rows.read(table, id)
  const changes: RowChange[] = []
  if (row !== null) changes.push({ kind: "take", table, id, version: row.version })
  if (changes.length > 0) await rows.commit(changes)
  await rows.commit([{ kind: "put", table, id, ifVersion: "absent", value }])
}

function broken(reason: string, table: string) {
  return (error: unknown) => {
    assert.ok(error instanceof SealBroken, String(error))
    assert.deepEqual([error.reason, error.table], [reason, table])
    return true
  }
}

test("rows read back under the same key, also by another process", async () => {
  const { rows, store } = open()
  for (const length of [0, 1, 59, 60, 61, 5000]) {
    await store.commit([put(`k${length}`, "x".repeat(length))])
  }
  for (const reader of [store, open(rows).store]) {
    for (const length of [0, 1, 59, 60, 61, 5000]) {
      assert.equal((await reader.read("keys", `k${length}`))?.value.length, length)
    }
    assert.equal((await reader.scan("keys", "k", "", 10)).length, 6)
  }
})

test("nothing of a row or an event is in the database, and lengths are coarse", async () => {
  const { rows, store } = open()
  await store.commit([
    put("short", "canary-1"),
    put("longer", "canary-1 and more"),
    { kind: "append", entry: { time: 5, event: utf8("canary-event") } },
  ])
  const short = await raw(rows, "keys", "short")
  const longer = await raw(rows, "keys", "longer")
  const [entry] = await rows.entries(0, 1)
  assert.equal(short.length, longer.length)
  for (const bytes of [short, longer, entry?.body, entry?.commitment] as Bytes[]) {
    assert.ok(!Buffer.from(bytes).includes("canary"))
  }
  const again = open()
  await again.store.commit([put("short", "canary-1")])
  assert.ok(!equalBytes(short, await raw(again.rows, "keys", "short")), "sealing is randomised")
})

test("another key opens nothing", async () => {
  const { rows, store } = open()
  await store.commit([put("a", "1"), { kind: "append", entry: { time: 5, event: utf8("e") } }])
  const other = open(rows, key(2)).store
  await assert.rejects(other.read("keys", "a"), broken("not-authentic", "keys"))
  await assert.rejects(other.scan("keys", "", "", 1), broken("not-authentic", "keys"))
  await assert.rejects(other.entries(0, 1), broken("not-authentic", "log"))
})

test("a row moved to another id, table or version is refused", async () => {
  const { rows, store } = open()
  await store.commit([put("a", "1"), put("b", "2")])
  const a = await raw(rows, "keys", "a")
  await overwrite(rows, "keys", "b", a)
  await assert.rejects(store.read("keys", "b"), broken("not-authentic", "keys"))
  for (const table of TABLES) {
    if (table === "keys") continue
    await overwrite(rows, table, "a", a)
    await assert.rejects(store.read(table, "a"), broken("not-authentic", table))
  }
  await rows.commit([{ kind: "put", table: "keys", id: "a", ifVersion: 1, value: a }])
  await assert.rejects(store.read("keys", "a"), broken("not-authentic", "keys"))
})

test("every flipped byte, every cut and every extension of a row is refused", async () => {
  const { rows, store } = open()
  await store.commit([put("a", "secret")])
  const honest = await raw(rows, "keys", "a")
  const forged: Bytes[] = []
  for (let i = 0; i < honest.length; i++) {
    const flipped = honest.slice()
    flipped[i] = (flipped[i] as number) ^ 1
    forged.push(flipped, honest.slice(0, i))
  }
  forged.push(new Uint8Array([...honest, 0]))
  for (const bytes of forged) {
    await overwrite(rows, "keys", "a", bytes)
    await assert.rejects(store.read("keys", "a"), broken("not-authentic", "keys"))
  }
  await overwrite(rows, "keys", "a", honest)
  assert.ok((await store.read("keys", "a")) !== null)
})

test("a row given back at an older version is found by a process that saw the newer", async () => {
  const { rows, store } = open()
  for (const table of TABLES) {
    const change = (content: string, ifVersion: number | "absent"): Change => ({
      kind: "put",
      table,
      id: "a",
      ifVersion,
      value: utf8(content),
    })
    await store.commit([change("old", "absent")])
    const old = await raw(rows, table, "a")
    await store.commit([change("new", 1)])
    await overwrite(rows, table, "a", old)
    await assert.rejects(store.read(table, "a"), broken("rolled-back", table))
    await assert.rejects(store.scan(table, "", "", 5), broken("rolled-back", table))
  }
})

for (const table of ["nonces", "ot-checks", "presignatures"] as const) {
  test(`a row of ${table} that was taken and the database gives back is found`, async () => {
    const { rows, store } = open()
    const value = utf8("state")
    await store.commit([{ kind: "put", table, id: "n", ifVersion: "absent", value }])
    const copy = await raw(rows, table, "n")
    await store.commit([{ kind: "take", table, id: "n", version: 1 }])
    await overwrite(rows, table, "n", copy)
    await assert.rejects(store.read(table, "n"), broken("rolled-back", table))
  })
}

test("a refused batch teaches the store nothing", async () => {
  const { store } = open()
  await store.commit([put("a", "1")])
  await assert.rejects(store.commit([put("a", "9", 7), put("b", "1")]))
  assert.equal((await store.read("keys", "a"))?.version, 1)
})

test("log bodies open where they were put, and moving one is refused", async () => {
  const { rows, store } = open()
  for (let i = 0; i < 3; i++) {
    await store.commit([{ kind: "append", entry: { time: i, event: utf8(`event ${i}`) } }])
  }
  const entries = await store.entries(0, 10)
  assert.deepEqual(
    entries.map(({ index, time, event }) => [index, time, toHex(event)]),
    [0, 1, 2].map((i) => [i, i, toHex(utf8(`event ${i}`))]),
  )
  const [first, second] = await rows.entries(0, 2)
  assert.ok(first !== undefined && second !== undefined)
  const moved = new MemoryRowStore()
  const { commitment } = first
  await moved.commit([{ kind: "append", entry: { commitment, body: second.body } }])
  await assert.rejects(open(moved).store.entries(0, 1), broken("not-authentic", "log"))
})

test("a log that has lost entries is found by a process that saw them, for good", async () => {
  const entry = (time: number): Change => ({ kind: "append", entry: { time, event: utf8("done") } })
  let current: RowStore = new MemoryRowStore()
  const rows: RowStore = {
    read: (table, id) => current.read(table, id),
    scan: (table, prefix, after, limit) => current.scan(table, prefix, after, limit),
    commit: (batch) => current.commit(batch),
    logPosition: () => current.logPosition(),
    entries: (from, limit) => current.entries(from, limit),
    close: () => current.close(),
  }
  const { store } = open(rows)
  // Entries that others append meanwhile, and commits that end in another order, are no loss.
  await Promise.all([store.commit([entry(1)]), store.commit([entry(2)]), store.logPosition()])
  await open(rows).store.commit([entry(3)])
  await store.commit([entry(4)])
  assert.equal((await store.logPosition())?.index, 3)
  current = new MemoryRowStore()
  await open(rows).store.commit([entry(1)])
  await assert.rejects(store.logPosition(), broken("rolled-back", "log"))
  for (let n = 0; n < 5; n++) await open(rows).store.commit([entry(n)])
  await assert.rejects(store.logPosition(), broken("rolled-back", "log"))
  const { index } = (await current.logPosition()) ?? { index: -1 }
  await assert.rejects(store.commit([entry(5)]), broken("rolled-back", "log"))
  assert.equal((await current.logPosition())?.index, index, "nothing is written any more")
})

test("closing wipes the key-encryption key", async () => {
  const kek = key()
  const { store } = open(new MemoryRowStore(), kek)
  await store.close()
  assert.throws(() => kek.expose(), /wiped/)
})
