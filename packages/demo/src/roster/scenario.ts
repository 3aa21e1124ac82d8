/**
 * Keys of every type at real servers that come and go: shares are refreshed, a member is lost and repaired,
 * all are refreshed with the one that came, one is caught and removed, 2-of-3 become 3-of-5; and whoever
 * kept old files has nothing.
 *
 *   npm run scenario -- roster --json
 */
import { cpSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type Cluster, spoilShare, startCluster } from "@lockkeeper/cli"
import type { KeyInfo } from "@lockkeeper/client"
import { Operators } from "./operators.ts"
import { Owner, TYPES } from "./owner.ts"

interface Step {
  readonly step: string
  readonly ms: number
  readonly [detail: string]: unknown
}

class Scenario {
  readonly #cluster: Cluster
  readonly #json: boolean
  readonly #owner: Owner
  readonly operators: Operators
  readonly steps: Step[] = []

  constructor(cluster: Cluster, json: boolean) {
    this.#cluster = cluster
    this.#json = json
    this.#owner = new Owner(cluster)
    this.operators = new Operators(cluster)
  }

  async run(): Promise<void> {
    await this.#step("keys-of-every-type", () => this.#begin())
    await this.#step("files-copied", () => this.#copyFiles(3))
    await this.#step("refreshed", () => this.#refresh())
    await this.#step("old-files-tried", () => this.#tryOldFiles())
    await this.#step("lost-and-repaired", () => this.#loseAndRepair())
    await this.#step("refreshed-where-it-came", () => this.#refresh())
    await this.#step("caught-and-removed", () => this.#catchAndRemove())
    await this.#step("files-copied-again", () => this.#copyFiles(1))
    await this.#step("three-of-five", () => this.#grow())
    await this.#step("old-files-tried-again", () => this.#tryFilesOfBefore())
  }

  async #step(step: string, work: () => Promise<Readonly<Record<string, unknown>>>): Promise<void> {
    const started = performance.now()
    const done = { step, ...(await work()), ms: Math.round(performance.now() - started) }
    this.steps.push(done)
    if (!this.#json) console.log(done)
  }

  async #begin() {
    await this.#owner.begin()
    return { types: TYPES, ...(await this.#owner.use("before")) }
  }

  #copyOf(server: number): string {
    return join(this.#cluster.directory, `copy-of-server-${server}`)
  }

  async #copyFiles(server: number) {
    const { directory } = this.operators.server(server)
    await this.operators.server(server).stop("SIGTERM")
    cpSync(directory, this.#copyOf(server), { recursive: true, preserveTimestamps: true })
    await this.operators.start(server)
    return { server }
  }

  async #putBack(server: number): Promise<void> {
    const { directory } = this.operators.server(server)
    await this.operators.server(server).stop("SIGTERM")
    for (const file of readdirSync(directory)) rmSync(join(directory, file))
    cpSync(this.#copyOf(server), directory, { recursive: true, preserveTimestamps: true })
    await this.operators.start(server)
  }

  async #refresh() {
    const refreshed = []
    for (const kind of ["keys", "accounts"] as const) {
      const { done, leftOut } = await this.operators.refresh(kind)
      if (leftOut.length > 0) throw new Error(`${leftOut.length} ${kind} were left out`)
      refreshed.push({ kind, done })
    }
    return { refreshed, ...(await this.#owner.use("after the refresh")) }
  }

  /** One server with its new shares and one with the old ones are t: and sign nothing together. */
  async #tryOldFiles() {
    await this.#putBack(3)
    const refusals = await this.#owner.refusals(() => this.operators.server(1).stop("SIGTERM"))
    const login = await this.#owner.loginRefused()
    await this.operators.start(1)
    return { server: 3, refusals, login }
  }

  /** What was put back is thrown away: a server made anew takes its place, and gets its shares. */
  async #loseAndRepair() {
    await this.operators.lose(3)
    const joining = [await this.operators.make(3)]
    const descriptor = join(joining[0]?.directory ?? "", "descriptor.json")
    const propose = ["--replace", `local-3=${descriptor}`]
    const move = { command: ["repair", "--server", "local-3"], told: "repaired" }
    const change = await this.operators.change({ propose, joining, move })
    return { ...change, ...(await this.#useWithout(1)) }
  }

  /** Its share of one key is spoilt, as its operator could: whoever signs with it proves it. */
  async #catchAndRemove() {
    const [key] = this.#owner.keys as [KeyInfo]
    const cheat = this.operators.server(2)
    await cheat.stop("SIGTERM")
    await spoilShare(this.#cluster, 2, key.keyId)
    await this.operators.start(2)
    const caught = await this.#owner.catch(2, key)
    const joining = [await this.operators.make(4)]
    const descriptor = join(joining[0]?.directory ?? "", "descriptor.json")
    const propose = ["--drop", "local-2", "--add", descriptor]
    const change = await this.operators.change({ propose, joining, dropped: [2] })
    return { server: 2, caught, ...change, ...(await this.#useWithout(3)) }
  }

  async #grow() {
    const joining = [await this.operators.make(5), await this.operators.make(6)]
    const added = joining.flatMap(({ directory }) => ["--add", join(directory, "descriptor.json")])
    const propose = ["--threshold", "3", ...added]
    const change = await this.operators.change({ propose, joining })
    return { ...change, ...(await this.#useWithout(3, 4)) }
  }

  /** A server as it was among three, beside two of the five that take three. */
  async #tryFilesOfBefore() {
    await this.#putBack(1)
    const refusals = await this.#owner.refusals(async () => {
      for (const one of [3, 4]) await this.operators.server(one).stop("SIGTERM")
    })
    const login = await this.#owner.loginRefused()
    return { server: 1, refusals, login }
  }

  /** While some servers are down the others do it, so that those that are new take part. */
  async #useWithout(...down: readonly number[]) {
    for (const one of down) await this.operators.server(one).stop("SIGTERM")
    const used = await this.#owner.use(`without ${down.join(" and ")}`)
    for (const one of down) await this.operators.start(one)
    return used
  }
}

const { json } = parseArgs({ options: { json: { type: "boolean", default: false } } }).values
const cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
const scenario = new Scenario(cluster, json)
try {
  await scenario.run()
  console.log(JSON.stringify({ ok: true, steps: scenario.steps }))
} catch (error) {
  const what = error instanceof Error ? error.message : String(error)
  console.log(JSON.stringify({ ok: false, error: what, steps: scenario.steps }))
  process.exitCode = 1
} finally {
  await scenario.operators.stop()
  await cluster.stop()
}
