import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { setTimeout as sleep } from "node:timers/promises"
import { type Call, parseTrace } from "./calls.ts"

/** Calls after which something is in a file, or under a name, that was not there before. */
export const DURABLE = [
  ...[
    "fsync",
    "fdatasync",
    "sync_file_range",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "write",
    "writev",
  ],
  ...["ftruncate", "truncate", "fallocate", "rename", "renameat", "renameat2", "link", "linkat"],
  ...["unlink", "unlinkat", "open", "openat", "creat"],
] as const

/** By these, with `write` and `writev`, something leaves a process over a socket. */
const LEAVING = ["sendto", "sendmsg", "sendmmsg"] as const

/** What happens to the one call that is chosen. */
export type Fault = "kill" | "EIO" | "ENOSPC"

export interface Injection {
  /** The system call's name, and which of the calls of this name on the paths, from 1. */
  readonly name: string
  readonly ordinal: number
  readonly fault: Fault
}

const ATTACH_MS = 10_000
const END_MS = 10_000
/** A page of a database and its name, whole. */
const LONGEST_STRING = 8192

// The call itself is not done in either case: it is replaced before the kernel looks at it.
function injectArguments({ name, ordinal, fault }: Injection): readonly string[] {
  const how = fault === "kill" ? "error=EIO:signal=KILL" : `error=${fault}`
  return ["-e", `inject=${name}:${how}:when=${ordinal}`]
}

export interface TraceOptions {
  /** Only calls on these files count; null for all calls, those on sockets too. */
  readonly paths: readonly string[] | null
  readonly injection?: Injection
}

/** An strace that is attached to a process and its threads. */
export class Trace {
  readonly #strace: ChildProcess
  readonly #directory: string
  readonly #ended: Promise<unknown>

  private constructor(strace: ChildProcess, directory: string) {
    this.#strace = strace
    this.#directory = directory
    this.#ended = once(strace, "exit")
  }

  /** @throws Error with what strace said when it may not, or there is no such process. */
  static async attach(pid: number, { paths, injection }: TraceOptions): Promise<Trace> {
    const directory = mkdtempSync(join(tmpdir(), "lockkeeper-trace-"))
    const traced = paths === null ? [...DURABLE, ...LEAVING] : DURABLE
    const strace = spawn(
      "strace",
      [
        // A file for each thread, so that no call is torn in two by another thread's.
        ...["-ff", "-o", join(directory, "thread"), "-p", String(pid)],
        ...["-ttt", "-T", "-y", "-xx", "-s", String(LONGEST_STRING), "-e", "signal=none"],
        // Not every architecture has the old names.
        ...["-e", `trace=${traced.map((name) => `?${name}`).join()}`],
        ...(paths ?? []).flatMap((path) => ["-P", path]),
        ...(injection === undefined ? [] : injectArguments(injection)),
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    )
    const trace = new Trace(strace, directory)
    const said = await firstWords(strace)
    if (/attached/.test(said)) return trace
    strace.kill("SIGKILL")
    rmSync(directory, { recursive: true, force: true })
    throw new Error(said.trim() || "strace did not attach")
  }

  /** Lets the process go, if it still runs, and gives the calls in the order in which they began. */
  async end(): Promise<readonly Call[]> {
    this.#strace.kill("SIGINT")
    // It has been seen to wait for threads of a process that was gone.
    const force = setTimeout(() => this.#strace.kill("SIGKILL"), END_MS)
    await this.#ended
    clearTimeout(force)
    const files = readdirSync(this.#directory).map((name) => join(this.#directory, name))
    const calls = files.flatMap((file) => parseTrace(readFileSync(file, "latin1")))
    rmSync(this.#directory, { recursive: true, force: true })
    return calls.sort((a, b) => a.start - b.start)
  }
}

async function firstWords(strace: ChildProcess): Promise<string> {
  let said = ""
  const heard = new Promise<void>((resolve) => {
    const stderr = strace.stderr as Readable
    stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString()
      if (/attached|not permitted|attach:/.test(said)) resolve()
    })
    strace.once("exit", resolve)
    strace.once("error", (error) => {
      said += error.message
      resolve()
    })
  })
  await Promise.race([heard, sleep(ATTACH_MS, undefined, { ref: false })])
  return said
}

/** Why no system calls can be failed here, or null. */
export async function whyNot(): Promise<string | null> {
  if (process.platform !== "linux") return `there is no strace for ${process.platform}`
  const version = spawnSync("strace", ["-V"], { encoding: "utf8" })
  if (version.error !== undefined) return "strace is not installed (Debian: apt-get install strace)"
  const child = spawn("sleep", ["60"], { stdio: "ignore" })
  try {
    await once(child, "spawn")
    const trace = await Trace.attach(child.pid as number, { paths: null })
    await trace.end()
    return null
  } catch (error) {
    return `strace may not attach here: ${(error as Error).message}`
  } finally {
    child.kill("SIGKILL")
  }
}
