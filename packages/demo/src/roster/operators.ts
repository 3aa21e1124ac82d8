import { type ChildProcess, execFile, spawn } from "node:child_process"
import { copyFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { addServer, type Cluster, passphraseOf } from "@lockkeeper/cli"

const MAIN = fileURLToPath(new URL("../../../cli/src/main.ts", import.meta.url))

type Server = Cluster["servers"][number]

/** What became of the sharings of one kind, as a command tells it. */
export interface Moved {
  readonly kind: string
  readonly done: number
  readonly leftOut: readonly unknown[]
}

interface Change {
  /** Arguments of `lockkeeper roster propose`. */
  readonly propose: readonly string[]
  /** Servers that are in no roster yet. */
  readonly joining?: readonly Server[]
  /** Members that are out at once: lost, or not to be trusted. */
  readonly dropped?: readonly number[]
  /** The command that brings shares to where they are to be, and what it calls what it has done. */
  readonly move?: Move
}

interface Move {
  readonly command: readonly string[]
  readonly told: string
}

const RESHARE: Move = { command: ["reshare"], told: "moved" }

/** The operators of a cluster: they have `lockkeeper`, each its own server, and nothing else. */
export class Operators {
  readonly #cluster: Cluster
  readonly #servers: Map<number, Server>
  #changes = 0

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#servers = new Map(cluster.servers.map((server) => [server.identifier, server]))
  }

  server(identifier: number): Server {
    const server = this.#servers.get(identifier)
    if (server === undefined) throw new Error(`there is no server ${identifier}`)
    return server
  }

  get running(): readonly Server[] {
    return [...this.#servers.values()].filter(({ pid }) => pid !== null)
  }

  /** Ends every server. */
  async stop(): Promise<void> {
    await Promise.all(this.running.map((server) => server.stop("SIGTERM")))
  }

  start(identifier: number): Promise<void> {
    return this.server(identifier).start(new AbortController().signal)
  }

  /** A new server of that number, in no roster yet; one that was there is lost. */
  async make(identifier: number): Promise<Server> {
    const server = await addServer(this.#cluster, identifier)
    this.#servers.set(identifier, server)
    return server
  }

  /** Everything of one kind gets new shares where it is. */
  async refresh(kind: "keys" | "accounts"): Promise<Moved> {
    const [moved] = await this.move({ command: ["refresh", `--${kind}`], told: "refreshed" })
    if (moved === undefined) throw new Error("lockkeeper refresh told of nothing")
    return moved
  }

  /** The next roster, until every share is as it wants it. Clients follow by themselves. */
  async change({ move = RESHARE, ...change }: Change) {
    const changes = await this.take(change)
    const moved = await this.move(move)
    await this.settle()
    return { changes, [move.told]: moved }
  }

  /** Proposed, signed by all and joined; then every server goes on under it. Says what changes. */
  async take({ propose, joining = [], dropped = [] }: Omit<Change, "move">) {
    const at = (name: string) => join(this.#cluster.directory, `${name}-${this.#changes}`)
    this.#changes++
    const [unsigned, next, bundle] = [at("roster.unsigned"), at("roster.lk"), at("roster.bundle")]
    const { roster } = this.#cluster
    const { changes } = await this.run("roster", "propose", ...propose, "--out", unsigned)
    const signers = [...this.running, ...joining].filter((s) => !dropped.includes(s.identifier))
    const signatures: string[] = []
    for (const server of signers) {
      const file = at(`signature-${server.identifier}`)
      const sign = ["roster", "sign", server.directory, unsigned, "--out", file]
      await this.run(...sign, ...this.#unsealing(server))
      signatures.push(file)
    }
    const out = ["--out", next, "--bundle", bundle]
    await this.run("roster", "join", "--after", roster, ...out, ...signatures)
    // Those that join first: then there is always a roster under which enough servers answer.
    for (const server of [...joining, ...signers.filter((one) => !joining.includes(one))]) {
      await this.run("roster", "activate", server.directory, bundle, ...this.#unsealing(server))
      if (joining.includes(server)) await this.start(server.identifier)
    }
    copyFileSync(next, roster)
    for (const identifier of dropped) await this.lose(identifier)
    return changes
  }

  /** Every share is where the roster wants it, at every server. */
  async settle(): Promise<void> {
    for (const { directory } of this.running) await this.run("roster", "settle", directory)
  }

  /** Everything is where it is to be, or has new shares there. */
  async move({ command, told }: Move = RESHARE): Promise<readonly Moved[]> {
    const moved = await this.run(...command, "--directory", this.#any())
    return moved[told] as readonly Moved[]
  }

  /** Begins a command that anything may happen to. */
  spawn(...line: readonly string[]): ChildProcess {
    return spawn(process.execPath, this.#arguments(line), {
      ...{ env: this.#environment(), stdio: "ignore" },
    })
  }

  /** The same with a module loaded before it, with which this process can talk. */
  spawnWith(module: URL, ...line: readonly string[]): ChildProcess {
    const args = ["--import", module.href, ...this.#arguments(line)]
    return spawn(process.execPath, args, {
      ...{ env: this.#environment(), stdio: ["ignore", "ignore", "ignore", "ipc"] },
    })
  }

  #arguments(line: readonly string[]): readonly string[] {
    return ["-C", "lockkeeper-source", MAIN, ...line, "--directory", this.#any(), "--json"]
  }

  /** Its process ends at once, and its files are gone. */
  async lose(identifier: number): Promise<void> {
    const server = this.server(identifier)
    await server.stop("SIGKILL")
    rmSync(server.directory, { recursive: true })
    this.#servers.delete(identifier)
  }

  /** One command, as an operator types it. @throws with what it printed */
  async run(...line: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const args = ["-C", "lockkeeper-source", MAIN, ...line, "--json"]
    const env = this.#environment()
    const { stdout } = await promisify(execFile)(process.execPath, args, { env }).catch((error) => {
      throw new Error(`lockkeeper ${line.join(" ")}: ${error.stdout}${error.stderr}`)
    })
    return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")
  }

  #environment(): NodeJS.ProcessEnv {
    return { ...process.env, LK_HOME: this.#cluster.profile }
  }

  /** What a command needs beside the directory of a server that does not run. */
  #unsealing({ pid, identifier }: Server): readonly string[] {
    return pid === null ? ["--passphrase-file", passphraseOf(this.#cluster, identifier)] : []
  }

  #any(): string {
    const [server] = this.running
    if (server === undefined) throw new Error("no server runs")
    return server.directory
  }
}
