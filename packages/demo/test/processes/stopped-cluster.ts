import { cpSync, lstatSync, rmSync } from "node:fs"
import { join } from "node:path"
import { type Cluster, startCluster } from "@lockkeeper/cli"
import { Operators } from "../../src/roster/operators.ts"
import { Owner } from "../../src/roster/owner.ts"

/** A change of shares over real servers, from the state before it as often as is wanted. */
export interface Change {
  readonly name: string
  /** Brings the cluster to where the command is due. */
  prepare(operators: Operators): Promise<void>
  /** What has it done, and what that calls what it did. */
  readonly move: { readonly command: readonly string[]; readonly told: string }
  /** Who holds shares afterwards. */
  readonly holders: readonly number[]
  /** Holders that have none before. */
  readonly joining: readonly number[]
  readonly leaving: readonly number[]
}

export const CHANGES: readonly Change[] = [
  {
    name: "refresh",
    prepare: async () => undefined,
    move: { command: ["refresh"], told: "refreshed" },
    ...{ holders: [1, 2, 3], joining: [], leaving: [] },
  },
  {
    name: "reshare",
    async prepare(operators) {
      const joining = [await operators.make(4)]
      const descriptor = join(joining[0]?.directory ?? "", "descriptor.json")
      await operators.take({ propose: ["--add", descriptor, "--remove", "local-1"], joining })
    },
    move: { command: ["reshare"], told: "moved" },
    ...{ holders: [2, 3, 4], joining: [4], leaving: [1] },
  },
  {
    name: "repair",
    async prepare(operators) {
      await operators.lose(3)
      const joining = [await operators.make(3)]
      const descriptor = join(joining[0]?.directory ?? "", "descriptor.json")
      await operators.take({ propose: ["--replace", `local-3=${descriptor}`], joining })
    },
    move: { command: ["repair", "--server", "local-3"], told: "repaired" },
    ...{ holders: [1, 2, 3], joining: [3], leaving: [] },
  },
]

/** Files of a cluster, and of the same as it was when its servers ended. */
export class StoppedCluster {
  readonly change: Change
  readonly cluster: Cluster
  readonly operators: Operators
  readonly owner: Owner
  readonly #copy: string

  private constructor(change: Change, cluster: Cluster) {
    this.change = change
    this.cluster = cluster
    this.operators = new Operators(cluster)
    this.owner = new Owner(cluster)
    this.#copy = `${cluster.directory}-copy`
  }

  static async make(change: Change): Promise<StoppedCluster> {
    const cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    const made = new StoppedCluster(change, cluster)
    try {
      await made.owner.begin()
      await change.prepare(made.operators)
      await made.#end()
      copy(cluster.directory, made.#copy)
      return made
    } catch (error) {
      await made.stop()
      throw error
    }
  }

  /** All servers run over what they had. They ended without ceremony, so nobody takes it for put back. */
  async restore(): Promise<void> {
    await this.#end()
    rmSync(this.cluster.directory, { recursive: true })
    copy(this.#copy, this.cluster.directory)
    const { holders, leaving } = this.change
    for (const server of [...holders, ...leaving]) await this.operators.start(server)
  }

  async #end(): Promise<void> {
    await Promise.all(this.operators.running.map((server) => server.stop("SIGKILL")))
  }

  async stop(): Promise<void> {
    await this.#end()
    await this.cluster.stop()
    rmSync(this.#copy, { recursive: true, force: true })
  }
}

function copy(from: string, to: string): void {
  const isFile = (path: string) => !lstatSync(path).isSocket()
  cpSync(from, to, { recursive: true, preserveTimestamps: true, filter: isFile })
}
