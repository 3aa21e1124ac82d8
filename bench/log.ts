import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hashValue } from "@lockkeeper/crypto"
import { type Bytes, concat, fixedBytes, safeInteger, struct } from "@lockkeeper/encoding"
import { type RowChange, SqliteRowStore } from "@lockkeeper/server"
import {
  checkLog,
  EMPTY_FRONTIER,
  encodeEntryBundle,
  type Frontier,
  grow,
  hashLeaf,
  type LogHead,
  nodesOf,
  placeIn,
  proveConsistency,
  proveInclusion,
  rootOf,
  TILE_WIDTH,
  type TileReader,
  tileOfEntries,
  tilePath,
} from "@lockkeeper/transparency"
import type { Bench } from "./bench.ts"
import { cpuMsPerRun, quantile, sample, sampleInFlight } from "./measure.ts"

/** Entries of the larger log; 10 000 000 takes a minute and 2 GB to write. */
const ENTRIES = Number(process.env["LOCKKEEPER_LOG_ENTRIES"] ?? 100_000)
const SMALL = 1000

/** The log's tree beside the hash chain that it replaced, its store, its proofs and its check. */
export const bench: Bench = {
  name: "log",
  async run(report) {
    const large = writeLog(ENTRIES)
    report({
      name: "log-append-cpu",
      value: 1000 * cpuMsPerRun(appendTo(large.frontier), 2000),
      unit: "us",
      baseline: { name: "hash chain", value: 1000 * cpuMsPerRun(chainOn(), 2000) },
      target: { of: "value", is: "at most", bound: 1000 },
      consistsOf: `leaf, new nodes and the root at a size of ${ENTRIES}`,
    })
    const { withEntry, without } = await commitsPerSecond()
    report({
      name: "log-entries-per-second",
      value: withEntry,
      unit: "1/s",
      baseline: { name: "the same commits without an entry", value: without },
      target: { of: "value", is: "at least", bound: 3000 },
      consistsOf: "256 commits in flight of one row and one entry each, in SQLite with its fsyncs",
    })
    const small = writeLog(SMALL)
    report({
      name: "log-inclusion-proof-p50",
      value: await proofMs(large, (log, at) => proveInclusion(nodesFor(log), at, log.size)),
      unit: "ms",
      baseline: {
        name: `in a log of ${SMALL}`,
        value: await proofMs(small, (log, at) => proveInclusion(nodesFor(log), at, log.size)),
      },
      target: { of: "value", is: "at most", bound: 5 },
      consistsOf: `any entry of ${ENTRIES}, from tiles in memory that nothing is remembered of`,
    })
    report({
      name: "log-consistency-proof-p50",
      value: await proofMs(large, (log, at) => proveConsistency(nodesFor(log), at, log.size)),
      unit: "ms",
      baseline: {
        name: `in a log of ${SMALL}`,
        value: await proofMs(small, (log, at) => proveConsistency(nodesFor(log), at, log.size)),
      },
      target: { of: "value", is: "at most", bound: 5 },
      consistsOf: "from any earlier size, likewise",
    })
    report({
      name: "log-fsck-entries-per-cpu-second",
      value: ENTRIES / checkSeconds(large),
      unit: "1/s",
      baseline: { name: `a log of ${SMALL}`, value: SMALL / checkSeconds(small) },
      target: { of: "value", is: "at least", bound: 100_000 },
      consistsOf: "every commitment against its tile, every tile against the one above, the root",
    })
  },
}

interface WrittenLog {
  readonly size: number
  readonly head: LogHead
  readonly frontier: Frontier
  readonly reader: TileReader
}

function commitmentNumber(n: number): Bytes {
  const commitment = new Uint8Array(32)
  new DataView(commitment.buffer).setUint32(0, n)
  return commitment
}

/** A log of this size with its tiles and bundles. */
function writeLog(size: number): WrittenLog {
  const files = new Map<string, Bytes>()
  const above: Bytes[][] = []
  let frontier = EMPTY_FRONTIER
  for (let start = 0; start < size; start += TILE_WIDTH) {
    const width = Math.min(TILE_WIDTH, size - start)
    const entries = Array.from({ length: width }, (_, i) => commitmentNumber(start + i))
    const index = start / TILE_WIDTH
    files.set(tilePath({ level: "entries", index, width }), encodeEntryBundle(entries))
    files.set(tilePath({ level: 0, index, width }), tileOfEntries(entries))
    for (const entry of entries) {
      const grown = grow(frontier, hashLeaf(entry))
      frontier = grown.frontier
      for (const { level, hash } of grown.tileRoots) {
        above[level] ??= []
        above[level].push(hash)
      }
    }
  }
  above.forEach((hashes, level) => {
    for (let index = 0; index * TILE_WIDTH < hashes.length; index++) {
      const place = placeIn(size, level, index)
      if (place === null) throw new Error("a tile outside the tree")
      const own = hashes.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH)
      files.set(tilePath(place), concat(...own))
    }
  })
  const head = { treeSize: size, rootHash: rootOf(frontier) }
  return { size, head, frontier, reader: (place) => files.get(tilePath(place)) ?? null }
}

const nodesFor = ({ reader, size }: WrittenLog) => nodesOf(reader, size)

async function proofMs(
  log: WrittenLog,
  prove: (log: WrittenLog, at: number) => unknown,
): Promise<number> {
  // A stride that is prime to the size goes through all parts of it.
  const at = (run: number) => 1 + ((run * 7919) % (log.size - 1))
  return quantile(await sample((run) => prove(log, at(run)), { warmup: 50, count: 300 }), 0.5)
}

function checkSeconds({ reader, head, size }: WrittenLog): number {
  const check = () => {
    if (!checkLog(reader, [head]).valid) throw new Error("the log does not verify")
  }
  return cpuMsPerRun(check, Math.ceil(300_000 / size)) / 1000
}

function appendTo(from: Frontier): () => void {
  let frontier = from
  return () => {
    frontier = grow(frontier, hashLeaf(commitmentNumber(frontier.treeSize))).frontier
    rootOf(frontier)
  }
}

const link = struct<{ previous: Bytes; index: number; commitment: Bytes }>({
  previous: fixedBytes(32),
  index: safeInteger,
  commitment: fixedBytes(32),
})

/** What a log was before: H(rootHash, index, commitment). */
function chainOn(): () => void {
  let [previous, index]: [Bytes, number] = [new Uint8Array(32), 0]
  return () => {
    previous = hashValue("log/chain", link, {
      previous,
      index,
      commitment: commitmentNumber(index),
    })
    index += 1
  }
}

/** Commits of one row, and of one row and one entry, at the rate that group commit gives them. */
async function commitsPerSecond(): Promise<{ withEntry: number; without: number }> {
  const directory = mkdtempSync(join(tmpdir(), "lockkeeper-bench-"))
  const store = new SqliteRowStore(join(directory, "log.sqlite"))
  const row = (n: number): RowChange => {
    const value = new Uint8Array(200)
    return { kind: "put", table: "answers", id: String(n), ifVersion: "absent", value }
  }
  const entry = (n: number): RowChange => {
    return { kind: "append", entry: { commitment: commitmentNumber(n), body: new Uint8Array(600) } }
  }
  const rate = async (change: (n: number) => readonly RowChange[], first: number) => {
    const runs = { warmup: 20, count: 6000, inFlight: 256 }
    const { elapsedMs } = await sampleInFlight((n) => store.commit(change(first + n)), runs)
    return runs.count / (elapsedMs / 1000)
  }
  try {
    const without = await rate((n) => [row(n)], 0)
    return { without, withEntry: await rate((n) => [row(n), entry(n)], 1_000_000) }
  } finally {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
