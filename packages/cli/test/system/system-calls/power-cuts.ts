import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { sha512 } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { FILES } from "@lockkeeper/server"
import { passphraseFile, serverDirectory } from "../../../src/dev/cluster-files.ts"
import { steal } from "../stolen.ts"
import { type Bench, VICTIM } from "./bench.ts"
import { type Call, changesNothing, isSync, leaves } from "./calls.ts"
import { traced } from "./cases.ts"
import { checkLog } from "./examination.ts"
import { Disk } from "./power-cut.ts"
import type { Exchange } from "./witness.ts"
import type { Workload } from "./workloads.ts"

/** A workload as the disk and the owner saw it. */
export interface Recording {
  readonly calls: readonly Call[]
  /** Everything that was ever acknowledged until then. */
  readonly exchanges: readonly Exchange[]
  /** The durable files as they were before. */
  readonly before: ReadonlyMap<string, Bytes>
}

export async function record(bench: Bench, workload: Workload): Promise<Recording> {
  const client = await workload.prepare(bench)
  const there = bench.durableFiles.slice(1).filter((path) => existsSync(path))
  const before = new Map(there.map((path) => [path, new Uint8Array(readFileSync(path))]))
  const { calls, failure } = await traced(bench, workload, client, { paths: null })
  await client?.end()
  if (failure !== null) throw failure
  return { calls, exchanges: [...bench.witness.exchanges], before }
}

/**
 * Files of the directory that nothing durable is expected of: memory that processes share, which
 * SQLite builds anew, a lock that ends with its process, and a socket.
 */
const PASSING: readonly string[] = ["-shm", FILES.lock, `${FILES.lock}-journal`, FILES.control]

/** Files that a recording touched and nobody has thought of. */
export function unknownFiles(
  { directory }: Bench["victim"],
  known: readonly string[],
  calls: readonly Call[],
): readonly string[] {
  const changing = calls.filter((call) => !changesNothing(call))
  const touched = new Set(changing.flatMap(({ path, to }) => (to === null ? [path] : [path, to])))
  return [...touched].filter(
    (path) =>
      path.startsWith(`${directory}/`) &&
      !known.includes(path) &&
      !PASSING.some((end) => path.endsWith(end)),
  )
}

export interface Cuts {
  readonly images: number
  /** Acknowledged entries that were looked for in images, and found. */
  readonly found: number
  readonly violations: readonly string[]
}

/**
 * Cuts the power after each call that `chosen` picks: what was synced is kept; what was not is lost,
 * or kept in part. Each image must open, and hold what was acknowledged before the next call.
 */
export async function cutPower(
  bench: Bench,
  { calls, exchanges, before }: Recording,
  chosen: (call: Call) => boolean,
  seed: string,
): Promise<Cuts> {
  const disk = new Disk(before)
  const violations: string[] = []
  let [images, found] = [0, 0]
  for (const [i, call] of calls.entries()) {
    const { unsynced } = disk
    if (leaves(call) && unsynced.length > 0) {
      violations.push(
        `something left the server while ${unsynced.map((p) => basename(p))} was not synced`,
      )
    }
    if (!bench.durableFiles.includes(call.path)) continue
    disk.apply(call)
    if (!chosen(call)) continue
    // Until then the disk holds the same, whenever the power is cut.
    const next = calls.slice(i + 1).find(({ path }) => bench.durableFiles.includes(path))
    const until = next?.start ?? Number.POSITIVE_INFINITY
    const said = exchanges.filter(({ answeredAt }) => answeredAt !== null && answeredAt < until)
    for (const keeps of [() => false, coin(`${seed}/${i}`)]) {
      images++
      const checked = await checkImage(bench, disk, keeps, said).catch((error: unknown) => {
        violations.push(
          `after ${call.name} ${i}: ${error instanceof Error ? error.message : error}`,
        )
        return 0
      })
      found += checked
    }
  }
  return { images, found, violations }
}

/** After every sync, and after some of the other calls. */
export function atSyncs(seed: string, others: number): (call: Call) => boolean {
  const toss = coin(seed, others)
  return (call) => toss() || isSync(call)
}

/** True with the given probability, the same for the same seed. */
function coin(seed: string, probability = 0.5): () => boolean {
  let tosses = 0
  return () => {
    const digest = sha512(utf8(`${seed}/${tosses++}`))
    const drawn = new DataView(digest.buffer, digest.byteOffset).getUint32(0)
    return drawn < probability * 2 ** 32
  }
}

async function checkImage(
  bench: Bench,
  disk: Disk,
  keeps: () => boolean,
  said: readonly Exchange[],
): Promise<number> {
  const copy = mkdtempSync(join(tmpdir(), "lockkeeper-image-"))
  try {
    const [from, to] = [bench.deployment.directory, copy]
    cpSync(passphraseFile(from, VICTIM), passphraseFile(to, VICTIM))
    mkdirSync(serverDirectory(to, VICTIM), { mode: 0o700 })
    const seal = (cluster: string) => join(serverDirectory(cluster, VICTIM), FILES.seal)
    cpSync(seal(from), seal(to))
    putImage(bench, disk, keeps, serverDirectory(to, VICTIM))
    return checkLog(await steal(copy, VICTIM), said)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function putImage({ durableFiles }: Bench, disk: Disk, keeps: () => boolean, directory: string) {
  for (const path of durableFiles) {
    const content = disk.after(path, keeps)
    const place = join(directory, basename(path))
    if (content === null) rmSync(place, { force: true })
    else writeFileSync(place, content, { mode: 0o600 })
  }
}

/**
 * Has the victim go on with what a power cut after the whole recording leaves for sure. Where that
 * vouches for the database, by its very file, it goes on with the file: a copy counts as put back.
 */
export async function goOnAfterCut(bench: Bench, { calls, before }: Recording): Promise<void> {
  const disk = new Disk(before)
  for (const call of calls) if (bench.durableFiles.includes(call.path)) disk.apply(call)
  const { victim } = bench
  await victim.stop("SIGKILL")
  if (!existsSync(join(victim.directory, FILES.anchor))) {
    rmSync(join(victim.directory, `${FILES.database}-shm`), { force: true })
    putImage(bench, disk, () => false, victim.directory)
  }
  await victim.start(new AbortController().signal)
}
