import assert from "node:assert/strict"
import { type ChildProcess, fork, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { EMPTY_FRONTIER, EMPTY_HEAD, verifyLeaves } from "@lockkeeper/transparency"
import { SqliteRowStore } from "../src/adapters/sqlite/row-store.ts"
import type { LogRow, RowChange } from "../src/ports/row-store.ts"
import { value } from "./row-store-conformance.ts"

const KILLS = Number(process.env["LOCKKEEPER_KILLS"] ?? 5)
const RACES = Number(process.env["LOCKKEEPER_RACES"] ?? 1000)

const directory = mkdtempSync(join(tmpdir(), "lockkeeper-processes-"))
after(() => rmSync(directory, { recursive: true, force: true }))

const program = (name: string): string =>
  fileURLToPath(new URL(`processes/${name}.ts`, import.meta.url))

async function allEntries(store: SqliteRowStore): Promise<LogRow[]> {
  const entries: LogRow[] = []
  for (;;) {
    const page = await store.entries(entries.length, 256)
    entries.push(...page)
    if (page.length < 256) return entries
  }
}

async function checkLog(store: SqliteRowStore): Promise<number> {
  const entries = await allEntries(store)
  const last = entries.at(-1)
  const head = last === undefined ? EMPTY_HEAD : { treeSize: last.index + 1, rootHash: last.head }
  const roots = new Map(entries.map((entry) => [entry.index + 1, entry.head]))
  assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, entries, head, roots), { valid: true })
  return entries.length
}

test(`kill -9, ${KILLS} times: no acknowledged commit is lost and the log verifies`, async () => {
  const path = join(directory, "killed.sqlite")
  let acknowledged = 0
  for (let round = 0; round < KILLS; round++) {
    const first = round * 1_000_000
    const child = spawn(
      process.execPath,
      ["-C", "lockkeeper-source", program("commit-loop"), path, String(first)],
      { stdio: ["ignore", "pipe", "inherit"] },
    )
    let printed = ""
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString()
    })
    const ended = new AbortController()
    child.once("close", () => ended.abort())
    await once(child.stdout, "data", { signal: ended.signal })
    await new Promise((resolve) => setTimeout(resolve, 50 + ((round * 37) % 200)))
    child.kill("SIGKILL")
    await once(child, "close")
    const numbers = printed.split("\n").slice(0, -1).map(Number)
    assert.ok(numbers.length > 0)
    acknowledged += numbers.length
    const store = new SqliteRowStore(path)
    for (const n of numbers) {
      const row = await store.read("keys", `row-${n}`)
      assert.deepEqual(row?.value, value(n), `acknowledged row ${n} of round ${round}`)
    }
    assert.ok((await checkLog(store)) >= acknowledged)
    await store.close()
  }
})

/** What the child says next. @throws Error when it ends instead: nothing would ever come. */
async function ask(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController()
  const end = (): void => ended.abort()
  child.once("disconnect", end)
  const [message] = await once(child, "message", { signal: ended.signal })
  child.off("disconnect", end)
  return message
}

test(`two processes race to take each of ${RACES} rows: exactly one wins each`, async (t) => {
  const path = join(directory, "raced.sqlite")
  const store = new SqliteRowStore(path)
  for (let n = 0; n < RACES; n += 500) {
    const batch = Array.from(
      { length: Math.min(500, RACES - n) },
      (_, i): RowChange => ({
        kind: "put",
        table: "nonces",
        id: `row-${n + i}`,
        ifVersion: "absent",
        value: value(n),
      }),
    )
    await store.commit(batch)
  }
  const racers = [0, 1].map(() =>
    fork(program("take-race"), [path, String(RACES)], {
      execArgv: ["-C", "lockkeeper-source"],
    }),
  )
  t.after(() => {
    for (const racer of racers) racer.kill("SIGKILL")
  })
  await Promise.all(racers.map(ask))
  const answers = racers.map(ask)
  for (const racer of racers) racer.send("go")
  const wins = (await Promise.all(answers)) as number[][]
  const taken = wins.flat().sort((a, b) => a - b)
  assert.deepEqual(
    taken,
    Array.from({ length: RACES }, (_, n) => n),
  )
  assert.equal((await store.scan("nonces", "", "", 1)).length, 0)
  assert.equal(await checkLog(store), RACES)
  await store.close()
})
