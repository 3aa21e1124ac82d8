import assert from "node:assert/strict"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { EMPTY_FRONTIER, EMPTY_ROOT, verifyLeaves } from "@lockkeeper/transparency"
import Database from "better-sqlite3"
import { SqliteRowStore } from "../src/adapters/sqlite/row-store.ts"
import { type LogRow, type RowChange, StoreUnavailable } from "../src/ports/row-store.ts"
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

/** Makes a closed database what a program of an earlier schema would have left. */
function putBack(path: string, version: number): void {
  const database = new Database(path)
  assert.equal(database.pragma("user_version", { simple: true }), 6)
  if (version < 6) {
    database.exec("DROP TABLE log_tiles")
    database.prepare("UPDATE log SET head = ?").run(new Uint8Array(32))
  }
  database.pragma(`user_version = ${version}`)
  database.close()
}

test("a database of an earlier schema keeps its rows, and is closed to programs of that time", async () => {
  for (const earlier of [1, 2, 3, 4, 5]) {
    const before = open()
    const path = paths.get(before) as string
    await before.commit([put("a", 1), append(1)])
    await before.close()
    putBack(path, earlier)
    const after = open(path)
    assert.deepEqual((await after.read("keys", "a"))?.value, value(1))
    const row = { kind: "put", table: "generations", id: "keys-a", ifVersion: "absent" } as const
    await after.commit([{ ...row, value: value(2) }])
    await after.close()
    const migrated = new Database(path)
    assert.equal(migrated.pragma("user_version", { simple: true }), 6)
    migrated.close()
  }
})

const appended = (n: number): RowChange[] => Array.from({ length: n }, (_, i) => append(i % 251))

async function rowsOf(store: SqliteRowStore): Promise<readonly LogRow[]> {
  const rows: LogRow[] = []
  for (;;) {
    const page = await store.entries(rows.length, 256)
    rows.push(...page)
    if (page.length < 256) return rows
  }
}

async function checkTree(store: SqliteRowStore): Promise<number> {
  const rows = await rowsOf(store)
  const roots = new Map(rows.map(({ index, head }) => [index + 1, head]))
  const to = { treeSize: rows.length, rootHash: rows.at(-1)?.head ?? EMPTY_ROOT }
  assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, rows, to, roots), { valid: true })
  return rows.length
}

test("a log with a hash chain gets the tree of its entries, and grows on", async () => {
  const before = open()
  const path = paths.get(before) as string
  await before.commit(appended(1000))
  await before.commit(appended(100))
  const heads = (await rowsOf(before)).map(({ head }) => head)
  await before.close()
  putBack(path, 5)
  const after = open(path)
  assert.deepEqual(
    (await rowsOf(after)).map(({ head }) => head),
    heads,
  )
  await after.commit(appended(300))
  assert.equal(await checkTree(after), 1400)
  await after.close()
})

test("the tree goes on over a restart, and beside another handle on the file", async () => {
  const first = open()
  const path = paths.get(first) as string
  await first.commit(appended(255))
  const second = open(path)
  for (const [store, count] of [
    [second, 1],
    [first, 1],
    [second, 255],
    [first, 600],
    [second, 3],
  ] as const) {
    await store.commit(appended(count))
  }
  assert.equal(await checkTree(first), 1115)
  const database = new Database(path)
  assert.deepEqual(
    database.prepare('SELECT level, "index" FROM log_tiles').raw().all(),
    [0, 1, 2, 3].map((index) => [1, index]),
  )
  database.close()
  await Promise.all([first.close(), second.close()])
})

test("a log whose entries do not make its head is not appended to", async () => {
  const changes = [
    'UPDATE log SET commitment = zeroblob(32) WHERE "index" = 513',
    'UPDATE log SET head = zeroblob(32) WHERE "index" = 599',
    'UPDATE log_tiles SET hash = zeroblob(32) WHERE "index" = 1',
    'DELETE FROM log_tiles WHERE "index" = 0',
    'DELETE FROM log WHERE "index" = 599',
  ]
  for (const change of changes) {
    const before = open()
    const path = paths.get(before) as string
    await before.commit(appended(600))
    await before.close()
    const database = new Database(path)
    database.exec(change)
    database.close()
    const after = open(path)
    if (change.startsWith("DELETE FROM log WHERE")) {
      // Gone whole it is a shorter log, and for who remembers its size to find out.
      assert.equal((await after.commit([append(1)]))[0]?.index, 599)
    } else {
      const refused = { name: "StoreUnavailable", message: "the database could not commit" }
      await assert.rejects(after.commit([append(1)]), refused, change)
      await assert.rejects(after.commit([put("a", 1)]), refused, change)
      assert.equal(await after.read("keys", "a"), null)
    }
    await after.close()
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
