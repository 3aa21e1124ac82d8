import assert from "node:assert/strict"
import { test } from "node:test"
import type { Bytes } from "@lockkeeper/encoding"
import { checkLog, type LogFault, type LogHead, type LogVerdict } from "../src/index.ts"
import { entriesTo, entryNumber, headOf, readerOf, writeLog } from "./written-log.ts"

const SIZE = 1000
/** Sizes at which somebody kept a checkpoint. */
const KEPT = [100, 256, 400, 512, 700, 900, SIZE]

const entries = entriesTo(SIZE)
const files = writeLog(entries)
const heads: readonly LogHead[] = KEPT.map((size) => headOf(entries.slice(0, size)))

type Files = Map<string, Bytes>

function flipped(bytes: Bytes, at: number): Bytes {
  return bytes.with(at, (bytes[at] as number) ^ 1)
}

/** The log's own files with one of them replaced. */
function withFile(path: string, change: (bytes: Bytes) => Bytes | null): Files {
  const changed = new Map(files)
  const next = change(files.get(path) as Bytes)
  if (next === null) changed.delete(path)
  else changed.set(path, next)
  return changed
}

/** The bundles of another log under the tiles of this one. */
function bundlesOf(others: readonly Bytes[]): Files {
  const written = writeLog(others)
  const path = (i: number) => (i === 3 ? "tile/entries/003.p/232" : `tile/entries/00${i}`)
  const changed = new Map(files)
  for (let i = 0; i < 4; i++) {
    const last = [...written.keys()].find((name) => name.startsWith(`tile/entries/00${i}`))
    changed.set(path(i), written.get(last as string) as Bytes)
  }
  return changed
}

/** What an entry's place in its tile is: of the last, the tile is partial. */
function tileOf(index: number, kind: "0" | "entries"): string {
  const tile = Math.floor(index / 256)
  return tile === 3 ? `tile/${kind}/003.p/232` : `tile/${kind}/00${tile}`
}

/** The first entry after the last checkpoint kept at or before it: as close as a new tree allows. */
function afterKept(index: number): number {
  return Math.max(0, ...KEPT.filter((size) => size <= index))
}

interface Tampered {
  readonly files: Files
  readonly heads?: readonly LogHead[]
  readonly reason: LogFault
  readonly index: number
}

/** Ways to tamper with the entry at `i`, 1 to 998. */
const WAYS: Readonly<Record<string, (i: number) => Tampered>> = {
  "an entry is changed": (i) => ({
    files: bundlesOf(entries.with(i, entryNumber(i + 5000))),
    reason: "entry-mismatch",
    index: i,
  }),
  "an entry is deleted": (i) => ({
    files: bundlesOf([...entries.toSpliced(i, 1), entryNumber(7)]),
    reason: "entry-mismatch",
    index: i,
  }),
  "an entry is inserted": (i) => ({
    files: bundlesOf(entries.toSpliced(i, 0, entryNumber(9999)).slice(0, SIZE)),
    reason: "entry-mismatch",
    index: i,
  }),
  "two entries are swapped": (i) => ({
    files: bundlesOf(entries.with(i, entryNumber(i + 1)).with(i + 1, entryNumber(i))),
    reason: "entry-mismatch",
    index: i,
  }),
  "an entry is repeated": (i) => ({
    files: bundlesOf(entries.with(i, entryNumber(i - 1))),
    reason: "entry-mismatch",
    index: i,
  }),
  "an entry is emptied": (i) => ({
    files: bundlesOf(entries.with(i, new Uint8Array())),
    reason: "entry-mismatch",
    index: i,
  }),
  "an entry is continued": (i) => ({
    files: bundlesOf(entries.with(i, new Uint8Array([...entryNumber(i), 0]))),
    reason: "entry-mismatch",
    index: i,
  }),
  "a bundle is cut behind the entry": (i) => ({
    files: bundleOf(i, entries.slice(i - (i % 256), i)),
    reason: "bundle",
    index: i,
  }),
  "a bundle ends in the middle of the entry": (i) => ({
    files: withFile(tileOf(i, "entries"), (bytes) => bytes.slice(0, offsetOf(i) + 3)),
    reason: "bundle",
    index: i,
  }),
  "a bundle is gone": (i) => ({
    files: withFile(tileOf(i, "entries"), () => null),
    reason: "missing",
    index: i - (i % 256),
  }),
  "a tile is gone": (i) => ({
    files: withFile(tileOf(i, "0"), () => null),
    reason: "missing",
    index: i - (i % 256),
  }),
  "a hash of a tile is changed": (i) => ({
    files: withFile(tileOf(i, "0"), (bytes) => flipped(bytes, (i % 256) * 32 + 31)),
    reason: "entry-mismatch",
    index: i,
  }),
  "a tile is cut": (i) => ({
    files: withFile(tileOf(i, "0"), (bytes) => bytes.slice(0, -1)),
    reason: "length",
    index: i - (i % 256),
  }),
  "a tile is continued": (i) => ({
    files: withFile(tileOf(i, "0"), (bytes) => new Uint8Array([...bytes, ...new Uint8Array(32)])),
    reason: "length",
    index: i - (i % 256),
  }),
  "a hash of the upper tile is changed": (i) => ({
    files: withFile("tile/1/000.p/3", (bytes) => flipped(bytes, (i % 3) * 32)),
    reason: "node-mismatch",
    index: (i % 3) * 256,
  }),
  "the upper tile is gone": () => ({
    files: withFile("tile/1/000.p/3", () => null),
    reason: "missing",
    index: 0,
  }),
  "an entry and all above it is made anew": (i) => ({
    files: writeLog(entries.with(i, entryNumber(i + 5000))),
    reason: "root-mismatch",
    index: afterKept(i),
  }),
  "two entries and all above them are made anew": (i) => ({
    files: writeLog(entries.with(i, entryNumber(i + 1)).with(i + 1, entryNumber(i))),
    reason: "root-mismatch",
    index: afterKept(i),
  }),
  "the log forks at the entry and grows as long": (i) => ({
    files: writeLog([...entries.slice(0, i), ...entriesTo(SIZE - i)]),
    reason: "root-mismatch",
    index: afterKept(i),
  }),
  "a checkpoint says another root": (i) => {
    const which = i % KEPT.length
    const bad = heads[which] as LogHead
    return {
      files: new Map(files),
      heads: heads.with(which, { ...bad, rootHash: flipped(bad.rootHash, i % 32) }),
      reason: "root-mismatch",
      index: which === 0 ? 0 : (KEPT[which - 1] as number),
    }
  },
  "a checkpoint is put before an earlier one": (i) => {
    const which = (i % (KEPT.length - 2)) + 1
    const [before, after] = [heads[which - 1] as LogHead, heads[which] as LogHead]
    return {
      files: new Map(files),
      heads: heads.with(which - 1, after).with(which, before),
      reason: "heads",
      index: before.treeSize,
    }
  },
}

function offsetOf(index: number): number {
  const before = entries.slice(index - (index % 256), index)
  return before.reduce((sum, { length }) => sum + 2 + length, 0)
}

function bundleOf(index: number, kept: readonly Bytes[]): Files {
  const length = kept.reduce((sum, entry) => sum + 2 + entry.length, 0)
  return withFile(tileOf(index, "entries"), (bytes) => bytes.slice(0, length))
}

function check(tampered: Tampered): LogVerdict {
  return checkLog(readerOf(tampered.files), tampered.heads ?? heads)
}

test("an honest log is never rejected, whatever checkpoints of it are kept", () => {
  assert.deepEqual(checkLog(readerOf(files), heads), { valid: true, entries: SIZE })
  for (let size = 1; size <= SIZE; size += 83) {
    const part = entries.slice(0, size)
    const of = [Math.ceil(size / 2), size].map((length) => headOf(part.slice(0, length)))
    const verdict = checkLog(readerOf(writeLog(part)), of)
    assert.deepEqual(verdict, { valid: true, entries: size })
  }
})

const EDGES = [1, 99, 100, 255, 257, 399, 511, 513, 699, 700, 800, 900, 998]

/** How many more places each way is tried at; 998 is all there are. */
const MORE = Number(process.env["LOCKKEEPER_TAMPERED"] ?? 0)
const PLACES = [...EDGES, ...Array.from({ length: MORE }, (_, k) => 1 + (k % (SIZE - 2)))]

for (const [name, tamper] of Object.entries(WAYS)) {
  test(`the first bad place is found when ${name}`, () => {
    for (const i of PLACES) {
      const tampered = tamper(i)
      const verdict = check(tampered)
      assert.ok(!verdict.valid, `entry ${i}: not noticed`)
      const { reason, index } = verdict
      assert.deepEqual(
        { reason, index },
        { reason: tampered.reason, index: tampered.index },
        `${i}`,
      )
    }
  })
}

test("there are more than twenty ways", () => {
  assert.equal(Object.keys(WAYS).length, 21)
})
