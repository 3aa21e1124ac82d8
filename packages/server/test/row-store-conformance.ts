import assert from "node:assert/strict"
import { test } from "node:test"
import { type Bytes, fromHex, toHex } from "@lockkeeper/encoding"
import { EMPTY_FRONTIER, EMPTY_HEAD, verifyLeaves } from "@lockkeeper/transparency"
import {
  MAX_SCAN,
  type RowChange,
  type RowStore,
  StoreUnavailable,
} from "../src/ports/row-store.ts"
import { StoreConflict, TABLES } from "../src/ports/store.ts"

/** How the suite makes stores of one adapter. */
export interface StoreUnderTest {
  /** An empty store. */
  open(): Promise<RowStore>
  /** A new handle on the rows of a store that was closed. */
  reopen(store: RowStore): Promise<RowStore>
}

export const value = (n: number): Bytes => new Uint8Array([n, n >> 8])

export const put = (id: string, n: number, ifVersion: number | "absent" = "absent"): RowChange => ({
  kind: "put",
  table: "keys",
  id,
  ifVersion,
  value: value(n),
})

export const append = (n: number): RowChange => ({
  kind: "append",
  entry: { commitment: new Uint8Array(32).fill(n), body: value(n) },
})

/** Everything a store holds, to compare before and after. */
export async function snapshot(store: RowStore): Promise<string> {
  const parts: string[] = []
  for (const table of TABLES) {
    for (let after = ""; ; ) {
      const rows = await store.scan(table, "", after, MAX_SCAN)
      for (const row of rows) parts.push(`${table} ${row.id} ${row.version} ${toHex(row.value)}`)
      if (rows.length < MAX_SCAN) break
      after = (rows.at(-1) as { id: string }).id
    }
  }
  const position = await store.logPosition()
  parts.push(`log ${position?.index ?? -1} ${toHex(position?.head ?? EMPTY_HEAD.rootHash)}`)
  return parts.join("\n")
}

async function refused(store: RowStore, batch: readonly RowChange[], id: string): Promise<void> {
  const before = await snapshot(store)
  await assert.rejects(store.commit(batch), (error) => {
    assert.ok(error instanceof StoreConflict)
    assert.deepEqual([error.table, error.id], ["keys", id])
    return true
  })
  assert.equal(await snapshot(store), before)
}

/** Registers the tests that every adapter of the row store passes. */
export function testRowStore(name: string, under: StoreUnderTest): void {
  const check = (what: string, body: (store: RowStore) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const store = await under.open()
      await body(store)
      await store.close()
    })
  }

  check("a row reads back with its version, an absent one as null", async (store) => {
    assert.equal(await store.read("keys", "a"), null)
    await store.commit([put("a", 1)])
    assert.deepEqual(await store.read("keys", "a"), { version: 1, value: value(1) })
    await store.commit([put("a", 2, 1)])
    assert.deepEqual(await store.read("keys", "a"), { version: 2, value: value(2) })
    assert.equal(await store.read("nonces", "a"), null)
  })

  check("what a caller does to bytes afterwards changes no row", async (store) => {
    const bytes = value(1)
    await store.commit([{ kind: "put", table: "keys", id: "a", ifVersion: "absent", value: bytes }])
    bytes.fill(9)
    const first = await store.read("keys", "a")
    first?.value.fill(8)
    assert.deepEqual((await store.read("keys", "a"))?.value, value(1))
  })

  check("every guard that does not hold refuses the whole batch", async (store) => {
    await store.commit([put("a", 1), put("b", 1)])
    await store.commit([put("b", 2, 1)])
    const bad: [RowChange, string][] = [
      [put("a", 5), "a"],
      [put("a", 5, 2), "a"],
      [put("c", 5, 1), "c"],
      [{ kind: "take", table: "keys", id: "a", version: 2 }, "a"],
      [{ kind: "take", table: "keys", id: "b", version: 1 }, "b"],
      [{ kind: "take", table: "keys", id: "c", version: 1 }, "c"],
      [{ kind: "expect", table: "keys", id: "a", version: "absent" }, "a"],
      [{ kind: "expect", table: "keys", id: "a", version: 2 }, "a"],
      [{ kind: "expect", table: "keys", id: "c", version: 1 }, "c"],
    ]
    for (const [change, id] of bad) {
      await refused(store, [put("x", 1), append(1), change], id)
      await refused(store, [change, put("x", 1), append(1)], id)
    }
  })

  check("a batch whose guards hold applies wholly", async (store) => {
    await store.commit([put("a", 1), put("b", 1)])
    const positions = await store.commit([
      { kind: "take", table: "keys", id: "a", version: 1 },
      { kind: "expect", table: "keys", id: "b", version: 1 },
      { kind: "expect", table: "keys", id: "c", version: "absent" },
      put("d", 4),
      append(7),
      append(8),
    ])
    assert.deepEqual(
      positions.map(({ index }) => index),
      [0, 1],
    )
    assert.equal(await store.read("keys", "a"), null)
    assert.deepEqual((await store.read("keys", "d"))?.value, value(4))
    assert.deepEqual(await store.logPosition(), positions[1])
  })

  check("a taken row is gone and its id can begin again at version 1", async (store) => {
    await store.commit([put("a", 1)])
    await store.commit([{ kind: "take", table: "keys", id: "a", version: 1 }])
    await refused(store, [{ kind: "take", table: "keys", id: "a", version: 1 }], "a")
    await store.commit([put("a", 2)])
    assert.equal((await store.read("keys", "a"))?.version, 1)
  })

  check("of many callers that take one row, one succeeds", async (store) => {
    for (let round = 0; round < 50; round++) {
      await store.commit([put(`r${round}`, 1)])
      const take: RowChange = { kind: "take", table: "keys", id: `r${round}`, version: 1 }
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) => store.commit([take, append(i)])),
      )
      assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1)
      assert.equal((await store.logPosition())?.index, round)
    }
  })

  check("a refused batch does not disturb those queued with it", async (store) => {
    await store.commit([put("a", 1)])
    const outcomes = await Promise.allSettled([
      store.commit([put("b", 1), append(1)]),
      store.commit([put("a", 9), append(2)]),
      store.commit([put("c", 1), append(3)]),
    ])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    )
    assert.equal((await store.logPosition())?.index, 1)
    assert.deepEqual(
      (await store.entries(0, 10)).map(({ body }) => body),
      [value(1), value(3)],
    )
  })

  check("scans are bounded, ordered, confined to their prefix and resumable", async (store) => {
    const ids = ["p", "p0", "p1", "p10", "p~", "o", "q", "P1", "p 2"]
    await store.commit(ids.map((id, i) => put(id, i)))
    await store.commit([{ ...put("p1", 1), table: "nonces" } as RowChange])
    const found = async (prefix: string, after: string, limit: number) =>
      (await store.scan("keys", prefix, after, limit)).map(({ id }) => id)
    assert.deepEqual(await found("p", "", 100), ["p", "p 2", "p0", "p1", "p10", "p~"])
    assert.deepEqual(await found("p", "p0", 2), ["p1", "p10"])
    assert.deepEqual(await found("p", "p~", 2), [])
    assert.deepEqual(await found("p1", "p1", 9), ["p10"])
    assert.deepEqual(await found("", "", 2), ["P1", "o"])
    assert.deepEqual(await found("", "p~", 9), ["q"])
    assert.deepEqual(await found("z", "", 9), [])
    const walked: string[] = []
    for (let after = ""; ; ) {
      const [next] = await found("p", after, 1)
      if (next === undefined) break
      walked.push(next)
      after = next
    }
    assert.equal(walked.length, 6)
    for (const limit of [0, -1, 257, 1.5]) {
      await assert.rejects(async () => store.scan("keys", "", "", limit), RangeError)
      await assert.rejects(async () => store.entries(0, limit), RangeError)
    }
  })

  check("the log gives index and head in commit order, and verifies", async (store) => {
    assert.equal(await store.logPosition(), null)
    assert.deepEqual(await store.entries(0, 10), [])
    await Promise.all(Array.from({ length: 40 }, (_, i) => store.commit([append(i)])))
    const entries = await store.entries(0, 100)
    const position = await store.logPosition()
    assert.ok(position !== null)
    const head = { treeSize: position.index + 1, rootHash: position.head }
    const roots = new Map(entries.map((entry) => [entry.index + 1, entry.head]))
    assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, entries, head, roots), { valid: true })
    assert.deepEqual(
      (await store.entries(37, 100)).map(({ index }) => index),
      [37, 38, 39],
    )
  })

  check("a batch that no caller may build is refused whole", async (store) => {
    const short = { kind: "append", entry: { commitment: fromHex("00"), body: value(1) } } as const
    const bad: RowChange[][] = [
      [],
      [put("a", 1), put("a", 2, 1)],
      [put("", 1)],
      [put("\u00e9", 1)],
      [put("a\n", 1)],
      [put("a".repeat(257), 1)],
      [short],
      [{ ...put("a", 1), value: new Uint8Array(1_048_577) } as RowChange],
      Array.from({ length: 1025 }, (_, i) => append(i)),
    ]
    const before = await snapshot(store)
    for (const batch of bad) await assert.rejects(store.commit(batch), RangeError)
    assert.equal(await snapshot(store), before)
  })

  test(`${name}: everything resolved is there after a reopen, nothing works on a closed store`, async () => {
    let store = await under.open()
    for (let i = 0; i < 30; i++) await store.commit([put(`k${i}`, i), append(i)])
    const before = await snapshot(store)
    await store.close()
    await assert.rejects(store.commit([put("z", 1)]), StoreUnavailable)
    await assert.rejects(store.read("keys", "k1"), StoreUnavailable)
    store = await under.reopen(store)
    assert.equal(await snapshot(store), before)
    const [position] = await store.commit([append(99)])
    assert.equal(position?.index, 30)
    await store.close()
  })
}
