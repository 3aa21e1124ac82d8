import { LockKeeperError, type SharingKind, type SharingListing } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { reshare, type sharing } from "@lockkeeper/protocols"
import { notEnough } from "../gather.ts"
import { type Incident, IncidentLog } from "../incidents.ts"
import { REPAIR_BATCH, RESHARE_BATCH } from "../limits.ts"
import type { Cancellable } from "../options.ts"
import { throwIfCancelled } from "../patience.ts"
import { type Compared, type Lacking, lackingAt } from "./lacking.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import type { FromServers } from "./operator-session.ts"
import { repairAccounts } from "./repair-accounts.ts"
import { type NotRepaired, RepairBatch } from "./repair-batch.ts"
import { type InForce, inForce } from "./sharings-in-force.ts"
import { mostTold } from "./told-records.ts"

export interface RepairProgress {
  readonly kind: SharingKind
  readonly done: number
  readonly total: number
  readonly keysPerSecond: number
  /** How long the rest will take at this pace, milliseconds; null before anything is done. */
  readonly leftMs: number | null
}

export interface RepairOptions extends Cancellable {
  /** Who lacks its shares. */
  readonly server: Identifier
  readonly kind: SharingKind
  /** Only says what would be repaired, and from whom. */
  readonly dryRun?: boolean
  /** Most sharings of one batch. */
  readonly batch?: number
  readonly onProgress?: (progress: RepairProgress) => void
}

export interface RepairReport {
  readonly server: Identifier
  /** What it lacked when it was looked at. */
  readonly lacking: readonly Lacking[]
  /** Ids of which too few of the others list the same: nothing is done about those. */
  readonly unclear: readonly Bytes[]
  readonly done: number
  readonly skipped: readonly NotRepaired[]
  readonly incidents: readonly Incident[]
}

/** What every server lists. */
type List = (signal: AbortSignal) => Promise<FromServers<readonly SharingListing[]>>

/**
 * Restores what one server lacks of what it is to hold shares of, batch by batch, with the help of the
 * others. All that is needed to know is at the servers: begun again after whatever stop, it goes on with
 * what is still lacking.
 */
export class ServerRepair {
  readonly #principal: OperatorPrincipal
  readonly #list: List
  readonly #options: RepairOptions
  readonly #signal: AbortSignal
  readonly #incidents: IncidentLog
  readonly #skipped: NotRepaired[] = []
  #done = 0

  constructor(principal: OperatorPrincipal, list: List, options: RepairOptions) {
    this.#principal = principal
    this.#list = list
    this.#options = options
    this.#signal = options.signal ?? new AbortController().signal
    this.#incidents = new IncidentLog(principal.servers)
  }

  /** @throws LockKeeperError what the server refuses with that is to be repaired, or `cancelled`. */
  async run(): Promise<RepairReport> {
    const { server, dryRun = false } = this.#options
    const { lacking, unclear, all } = await this.#look()
    if (!dryRun) await this.#repairAll(lacking, all)
    const incidents = this.#incidents.all
    return { server, lacking, unclear, done: this.#done, skipped: this.#skipped, incidents }
  }

  async #look(): Promise<Compared & { readonly all: readonly InForce[] }> {
    const { server } = this.#options
    const { servers } = this.#principal
    if (!servers.all.includes(server)) {
      throw new LockKeeperError("invalid-request", `The roster has no server ${server}.`, {
        field: "server",
      })
    }
    const { answers, failures } = await this.#list(this.#signal)
    for (const [id, error] of failures) {
      if (id === server) throw error
      this.#incidents.failed(id, error)
    }
    const others = [...answers.keys()].filter((id) => id !== server).length
    const { minSigners } = servers
    if (others < minSigners) throw notEnough(minSigners, others, failures)
    const now = servers.deps.clock.now()
    const all = inForce(answers, servers.trust, now)
    return { ...lackingAt(server, answers, servers.trust, now), all }
  }

  async #repairAll(lacking: readonly Lacking[], all: readonly InForce[]): Promise<void> {
    const started = this.#principal.servers.deps.clock.now()
    this.#tell(started, lacking.length)
    if (this.#options.kind === "accounts") return this.#dealAnew(lacking, all, started)
    let stopped: LockKeeperError | null = null
    for (const batch of this.#batchesOf(lacking)) {
      throwIfCancelled(this.#signal)
      if (stopped === null) stopped = await this.#repair(batch)
      else for (const { id } of batch.sharings) this.#skipped.push({ id, reason: stopped.code })
      this.#tell(started, lacking.length)
    }
  }

  #dealAnew(lacking: readonly Lacking[], all: readonly InForce[], started: number): Promise<void> {
    const { server: member, batch: size = RESHARE_BATCH } = this.#options
    const context = { signal: this.#signal, incidents: this.#incidents }
    const ended = (done: number, skipped: readonly NotRepaired[]): void => {
      this.#done += done
      this.#skipped.push(...skipped)
      this.#tell(started, lacking.length)
    }
    return repairAccounts(this.#principal, { member, lacking, all, size, ...context, ended })
  }

  async #repair({ sharings, from }: Batch): Promise<LockKeeperError | null> {
    const { kind, server: member } = this.#options
    const context = { signal: this.#signal, incidents: this.#incidents }
    const order = { kind, member, sharings, from, ...context }
    const result = await new RepairBatch(this.#principal, order).run()
    this.#done += result.done.length
    this.#skipped.push(...result.skipped)
    return result.memberFailure
  }

  /** Of one threshold, held by the same servers. */
  #batchesOf(lacking: readonly Lacking[]): readonly Batch[] {
    const groups = new Map<string, Lacking[]>()
    for (const one of lacking) {
      const name = `${one.sharing.minSigners} ${one.from}`
      const group = groups.get(name) ?? []
      groups.set(name, group)
      group.push(one)
    }
    return [...groups.values()].flatMap((group) => {
      const { sharing: first, from } = group[0] as Lacking
      const size = Math.min(this.#options.batch ?? REPAIR_BATCH, mostOf(first, from.length))
      const count = Math.ceil(group.length / size)
      return Array.from({ length: count }, (_, i) => {
        const some = group.slice(i * size, (i + 1) * size)
        return { sharings: some.map((one) => one.sharing), from }
      })
    })
  }

  #tell(started: number, total: number): void {
    const { kind, onProgress } = this.#options
    const done = this.#done + this.#skipped.length
    const seconds = (this.#principal.servers.deps.clock.now() - started) / 1000
    const keysPerSecond = seconds > 0 ? this.#done / seconds : 0
    const leftMs = keysPerSecond > 0 ? Math.round(((total - done) / keysPerSecond) * 1000) : null
    onProgress?.({ kind, done, total, keysPerSecond, leftMs })
  }
}

interface Batch {
  readonly sharings: readonly sharing.Sharing[]
  readonly from: readonly Identifier[]
}

function mostOf({ minSigners, verifyingShares }: sharing.Sharing, tellers: number): number {
  const byRecords = mostTold("keys", tellers, verifyingShares.size)
  return Math.min(byRecords, reshare.maxKeys(minSigners, minSigners))
}
