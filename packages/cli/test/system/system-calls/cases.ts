import { LockKeeperError } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import { type Bench, type Client, VICTIM } from "./bench.ts"
import { type Call, changesNothing, isSync, ordinals } from "./calls.ts"
import {
  checkBlame,
  checkGuesses,
  checkService,
  examineStore,
  forgiveGuesses,
} from "./examination.ts"
import { Disk } from "./power-cut.ts"
import { type Fault, type Injection, Trace } from "./strace.ts"
import { type Exchange, isRefusal } from "./witness.ts"
import type { Workload } from "./workloads.ts"

export const FAULTS: readonly Fault[] = ["kill", "EIO", "ENOSPC"]

/** What a server says whose disk fails, and what follows for the steps after a refused one. */
const REFUSALS: readonly string[] = ["unavailable", "out-of-order", "conflict", "aborted"]

export interface Case extends Injection {
  readonly workload: Workload
}

/** How a case ended; `absorbed` is a failed call after which everything was done all the same. */
export type Ending = "death" | "refusal" | "absorbed" | "stop" | "not reached"

export interface Result {
  readonly ending: Ending
  /** The file whose call failed. */
  readonly path: string
  readonly violations: readonly string[]
  /** How often the victim was asked for a second share under one commitment, and refused. */
  readonly replays: number
}

/** Every durable call of a recording, each with each fault. */
export function casesOf(workload: Workload, recorded: readonly Call[]): readonly Case[] {
  return ordinals(recorded)
    .filter((call) => !changesNothing(call))
    .flatMap(({ name, ordinal }) => FAULTS.map((fault) => ({ workload, name, ordinal, fault })))
}

/** What was done while the victim was traced. */
interface Run {
  readonly calls: readonly Call[]
  readonly exchanges: readonly Exchange[]
  readonly failure: unknown
}

/** Does a workload with the victim traced, and nothing else. */
export async function traced(
  bench: Bench,
  workload: Workload,
  client: Client | null,
  options: Parameters<typeof Trace.attach>[1],
): Promise<Run> {
  const from = bench.witness.exchanges.length
  const { pid } = bench.victim
  if (pid === null) throw new Error("the victim does not run")
  const trace = await Trace.attach(pid, options)
  const failure: unknown = await workload.run(bench, client).then(
    () => null,
    (error: unknown) => error,
  )
  const calls = await trace.end()
  return { calls, exchanges: bench.witness.exchanges.slice(from), failure }
}

/** One call fails, or the server dies in it; then a clean start, and everything is looked at. */
export async function runCase(
  bench: Bench,
  one: Case,
  answers: Map<string, Bytes>,
): Promise<Result> {
  const { workload, fault } = one
  const client = await workload.prepare(bench)
  const taken = await bench.guessesTaken()
  const from = bench.witness.exchanges.length
  const run = await traced(bench, workload, client, { paths: bench.durableFiles, injection: one })
  const hit = run.calls.find(({ injected, result }) => injected || result === null)
  const violations: string[] = []
  let replays = 0
  const service = async () => {
    replays += await checkService(bench)
  }
  const attempt = async (what: string, check: () => unknown): Promise<void> => {
    try {
      await check()
    } catch (error) {
      violations.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  await bench.settled()
  const died = bench.victim.pid === null
  const ending = endingOf(run, hit, died, fault)
  await attempt("how it failed", () => checkFailure(workload, run, ending))
  if (ending !== "not reached" || died) {
    if (!died) {
      await attempt("goes on after a failed call", service)
      await bench.victim.stop(fault === "EIO" ? "SIGKILL" : "SIGTERM")
    }
    await attempt("clean start", () => bench.victim.start(new AbortController().signal))
    await attempt("store", () => examineStore(bench, answers))
    await attempt("guesses", async () => {
      const since = bench.witness.exchanges.slice(from)
      checkGuesses(taken, await bench.guessesTaken(), since)
    })
    await attempt("service", service)
    await attempt("blame", () => checkBlame(bench))
  }
  await client?.end()
  await attempt("guesses forgiven", () => forgiveGuesses(bench))
  return { ending, path: hit?.path ?? "", violations, replays }
}

function endingOf(run: Run, hit: Call | undefined, died: boolean, fault: Fault): Ending {
  if (hit === undefined) return "not reached"
  if (died) return fault === "kill" ? "death" : "stop"
  const refused = run.exchanges.some((one) => one.server === VICTIM && isRefusal(one))
  return refused ? "refusal" : "absorbed"
}

/** A failure is a typed one, and a call that failed is not passed over in silence. */
function checkFailure(
  { carriesOver }: Workload,
  { calls, exchanges, failure }: Run,
  ending: Ending,
): void {
  const isHarmless = carriesOver || hadNothingToSync(calls) || carriedOver(calls)
  if (ending === "absorbed" && !isHarmless) {
    throw new Error("a failed call was passed over")
  }
  if (failure !== null && !(failure instanceof LockKeeperError)) throw failure
  if (failure !== null && ending === "not reached") throw failure
  for (const exchange of exchanges) {
    const code = exchange.error?.code
    if (exchange.server !== VICTIM || code === undefined || !isRefusal(exchange)) continue
    if (!REFUSALS.includes(code)) throw new Error(`it was refused as ${code}`)
  }
}

/**
 * Whether the call that failed was of a checkpoint, which may come along at any commit: the write-ahead
 * log keeps what could not be carried over to the database until the next one can.
 */
function carriedOver(calls: readonly Call[]): boolean {
  return calls.find(({ injected }) => injected)?.path.endsWith("database.sqlite") ?? false
}

/** Whether the call that failed was a sync of what had been synced before: SQLite makes sure twice. */
function hadNothingToSync(calls: readonly Call[]): boolean {
  const at = calls.findIndex(({ injected }) => injected)
  const failed = calls[at]
  if (failed === undefined || !isSync(failed)) return false
  const disk = new Disk(new Map())
  for (const call of calls.slice(0, at)) disk.apply(call)
  return !disk.unsynced.includes(failed.path)
}
