import assert from "node:assert/strict"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import Database from "better-sqlite3"
import { SqliteRowStore } from "../src/adapters/sqlite/row-store.ts"
import { StoreUnavailable } from "../src/ports/row-store.ts"
import { append, put, testRowStore, value } from "./row-store-conformance.ts"

const directory = mkdtempSync(join(tmpdir(), "lockkeeper-sqlite-"))
after(() => rmSync(directory, { recursive: true, force: true }))

let count = 0
const paths = new WeakMap<object, string>()

function open(path = join(directory, `${++count}.sqlite`)): SqliteRowStore {
  const store = new SqliteRowStore(path)
  paths.set(store, path)
  return store
}

testRowStore("sqlite", {
  open: async () => open(),
  reopen: async (store) => open(paths.get(store)),
})

test("the database file is readable by its owner only, whatever the umask", async () => {
  const umask = process.umask(0)
  const store = open()
  process.umask(umask)
  await store.commit([put("a", 1)])
  const path = paths.get(store) as string
  for (const suffix of ["", "-wal", "-shm"]) {
    assert.equal(statSync(path + suffix).mode & 0o077, 0, suffix)
  }
  await store.close()
})

test("another program's file, a newer schema and no database are refused by name", async () => {
  const foreign = join(directory, "foreign.sqlite")
  const other = new Database(foreign)
  other.exec("CREATE TABLE t (x)")
  other.close()
  assert.throws(() => open(foreign), /another program's database/)

  const newer = open()
  await newer.close()
  const database = new Database(paths.get(newer) as string)
  database.pragma("user_version = 99")
  database.close()
  assert.throws(() => open(paths.get(newer)), /newer version/)

  const text = join(directory, "text.sqlite")
  writeFileSync(text, "this is not a database, it is a text file ".repeat(40))
  assert.throws(() => open(text), StoreUnavailable)
  assert.throws(() => open(join(directory, "missing", "x.sqlite")), StoreUnavailable)
})

test("a database of an earlier schema keeps its rows, and is closed to programs of that time", async () => {
  for (const earlier of [1, 2, 3, 4]) {
    const before = open()
    const path = paths.get(before) as string
    await before.commit([put("a", 1), append(1)])
    await before.close()
    const database = new Database(path)
    const current = database.pragma("user_version", { simple: true })
    assert.equal(current, 5)
    database.pragma(`user_version = ${earlier}`)
    database.close()
    const after = open(path)
    assert.deepEqual((await after.read("keys", "a"))?.value, value(1))
    const row = { kind: "put", table: "generations", id: "keys-a", ifVersion: "absent" } as const
    await after.commit([{ ...row, value: value(2) }])
    await after.close()
    const migrated = new Database(path)
    assert.equal(migrated.pragma("user_version", { simple: true }), 5)
    migrated.close()
  }
})

test("a database that stops accepting writes refuses, and says nothing was applied", async () => {
  const store = open()
  await store.commit([put("a", 1), append(1)])
  const path = paths.get(store) as string
  const blocker = new Database(path)
  // A trigger stands for a full disk: the statement fails in the middle of the transaction.
  blocker.exec(
    `CREATE TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'disk full'); END`,
  )
  const outcomes = await Promise.allSettled([
    store.commit([put("b", 1)]),
    store.commit([put("c", 1), append(2)]),
  ])
  for (const outcome of outcomes) {
    assert.ok(outcome.status === "rejected" && outcome.reason instanceof StoreUnavailable)
  }
  assert.equal(await store.read("keys", "b"), null)
  blocker.exec("DROP TRIGGER full")
  blocker.close()
  await store.commit([put("b", 1), append(2)])
  assert.equal((await store.logPosition())?.index, 1)
  await store.close()
})

test("commits that wait when the store closes are applied before it is closed", async () => {
  const store = open()
  const waiting = store.commit([put("a", 1)])
  await store.close()
  await waiting
  const again = open(paths.get(store))
  assert.ok((await again.read("keys", "a")) !== null)
  await again.close()
})
