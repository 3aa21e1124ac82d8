import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { LockKeeperError } from "@lockkeeper/api"
import { childEnvironment, nodeArguments } from "../child-process.ts"
import { passphraseFile, serverDirectory } from "./cluster-files.ts"

const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 5_000

/** One key server of a local cluster, as an operating system process of its own. */
export class ServerProcess {
  readonly identifier: number
  readonly url: string
  readonly directory: string
  readonly #cluster: string
  #child: ChildProcess | null = null

  constructor(cluster: string, identifier: number, port: number) {
    this.#cluster = cluster
    this.identifier = identifier
    this.url = `https://localhost:${port}`
    this.directory = serverDirectory(cluster, identifier)
  }

  /** The process id, or null while it is not running. */
  get pid(): number | null {
    const running = this.#child !== null && this.#child.exitCode === null
    return running && this.#child?.signalCode === null ? (this.#child.pid ?? null) : null
  }

  /** Starts the process and resolves when it serves. @throws LockKeeperError with what it said */
  async start(signal: AbortSignal): Promise<void> {
    const phrase = passphraseFile(this.#cluster, this.identifier)
    const command = ["server", "run", this.directory, "--passphrase-file", phrase]
    const args = [...nodeArguments("./main"), ...command, "--until-input-ends"]
    // The open input is a leash: the server ends when this process does, however it ends.
    const log = `${this.directory}.log`
    const descriptor = openSync(log, "a", 0o600)
    const before = fstatSync(descriptor).size
    const child = spawn(process.execPath, args, {
      stdio: ["pipe", "pipe", descriptor],
      env: childEnvironment(),
    })
    closeSync(descriptor)
    this.#child = child
    child.stdin?.on("error", () => undefined)
    const output = createInterface({ input: child.stdout as Readable })
    const ready = once(output, "line", { signal: AbortSignal.any([signal, timeout()]) })
    const ended = once(child, "exit").then(() => null)
    const first = await Promise.race([ready, ended]).catch(() => null)
    output.on("line", () => undefined)
    if (first !== null) return
    await this.stop("SIGKILL")
    const why = plainLines(readFileSync(log, "utf8").slice(before))
    throw new LockKeeperError(
      "unavailable",
      `Key server ${this.identifier} did not start${why === "" ? "." : `:\n${why}`}`,
      { server: this.identifier, remedy: `Run: lockkeeper server run ${this.directory}` },
    )
  }

  /** Ends the process: politely, or with SIGKILL as a crash would. */
  async stop(how: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child
    if (child === null || this.pid === null) return
    const ended = once(child, "exit")
    child.kill(how)
    const force = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(force)
  }

  /** Calls back when the process ends. */
  onExit(action: () => void): void {
    this.#child?.once("exit", action)
  }
}

/** What a person can read of a log: its JSON lines left out. */
function plainLines(log: string): string {
  const lines = log.split("\n").filter((line) => line !== "" && !line.startsWith("{"))
  return lines.slice(0, 20).join("\n")
}

function timeout(): AbortSignal {
  return AbortSignal.timeout(START_TIMEOUT_MS)
}
