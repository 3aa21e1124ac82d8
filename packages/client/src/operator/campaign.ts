import {
  type LockKeeperError,
  type SharingKind,
  type SharingListing,
  thresholdsOf,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import type { reshare } from "@lockkeeper/protocols"
import { type Incident, IncidentLog } from "../incidents.ts"
import type { Cancellable } from "../options.ts"
import { throwIfCancelled } from "../patience.ts"
import type { CampaignBatch } from "./batches.ts"
import { type PlanOptions, type Purpose, planOf, type Skipped } from "./campaign-plan.ts"
import { finishRuns } from "./finish-runs.ts"
import { finishLeaving } from "./leaving.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import type { FromServers } from "./operator-session.ts"
import { type BatchResult, type LeftOut, ReshareBatch } from "./reshare-batch.ts"
import { inForce } from "./sharings-in-force.ts"

export interface RefreshProgress {
  readonly kind: SharingKind
  readonly done: number
  readonly total: number
  readonly keysPerSecond: number
  /** How long the rest will take at this pace, milliseconds; null before anything is done. */
  readonly leftMs: number | null
}

export interface RefreshOptions extends PlanOptions, Cancellable {
  readonly onProgress?: (progress: RefreshProgress) => void
}

export interface RefreshReport {
  readonly done: number
  /** Those that needed no refresh. */
  readonly fresh: number
  readonly skipped: readonly Skipped[]
  /** How many of the refreshed sharings each holder has no new shares of. */
  readonly missing: ReadonlyMap<Identifier, number>
  /** Of how many each holder has confirmed the new shares and keeps the old ones too: for now. */
  readonly lingering: ReadonlyMap<Identifier, number>
  /** At how many servers runs were finished that an earlier coordinator had left. */
  readonly finished: number
  /** Who did not list what it holds when last asked, and why: what it has is not known. */
  readonly unanswered: ReadonlyMap<Identifier, LockKeeperError>
  readonly incidents: readonly Incident[]
}

export interface ReshareReport extends RefreshReport {
  /** Of how many each server that is no holder any more keeps its old shares: run again. */
  readonly keeping: ReadonlyMap<Identifier, number>
}

/** What every server lists. */
type List = (signal: AbortSignal) => Promise<FromServers<readonly SharingListing[]>>

/**
 * Gives everything of one kind new shares, batch by batch, where it is or where the roster wants it. All that it needs to know is at the servers:
 * whoever begins it again, after whatever stop, goes on with the rest.
 */
export class Campaign {
  readonly #purpose: Purpose
  readonly #principal: OperatorPrincipal
  readonly #list: List
  readonly #options: RefreshOptions
  readonly #signal: AbortSignal
  readonly #incidents: IncidentLog
  readonly #skipped: Skipped[] = []
  readonly #missing = new Map<Identifier, number>()
  readonly #lingering = new Map<Identifier, number>()
  readonly #keeping = new Map<Identifier, number>()
  #done = 0

  constructor(purpose: Purpose, principal: OperatorPrincipal, list: List, options: RefreshOptions) {
    this.#purpose = purpose
    this.#principal = principal
    this.#list = list
    this.#options = options
    this.#signal = options.signal ?? new AbortController().signal
    this.#incidents = new IncidentLog(principal.servers)
  }

  async run(): Promise<ReshareReport> {
    const { servers } = this.#principal
    const { deps } = servers
    const { listings, finished } = await this.#finish()
    const plan = planOf(this.#purpose, listings, servers, this.#options)
    this.#skipped.push(...plan.skipped)
    const count = plan.batches.reduce((sum, { keys }) => sum + keys.length, plan.skipped.length)
    const started = deps.clock.now()
    this.#tell(started, count)
    for (const batch of plan.batches) {
      throwIfCancelled(this.#signal)
      await this.#carryOut(batch)
      this.#tell(started, count)
    }
    return {
      ...{ done: this.#done, fresh: plan.total - plan.due, skipped: this.#skipped, finished },
      ...{ missing: this.#missing, lingering: this.#lingering, keeping: this.#keeping },
      unanswered: listings.failures,
      incidents: this.#incidents.all,
    }
  }

  /** What servers list once runs are finished that another coordinator left half way. */
  async #finish() {
    const { kind } = this.#options
    const { trust, deps } = this.#principal.servers
    const context = { signal: this.#signal, incidents: this.#incidents }
    const judge = ({ answers }: FromServers<readonly SharingListing[]>) =>
      inForce(answers, trust, deps.clock.now())
    let listings = await this.#look()
    const among = [...listings.answers.keys()]
    const about = { kind, among, ...context }
    const { finished, isChanged } = await finishRuns(this.#principal, about)
    if (isChanged) listings = await this.#look()
    const all = judge(listings)
    const listed = listings.answers
    const leaving = { kind, listed, now: deps.clock.now(), ...context }
    const done = await finishLeaving(this.#principal, all, leaving)
    for (const one of all.flatMap(({ left }) => left)) add(this.#keeping, one, 1)
    for (const [one, count] of done) add(this.#keeping, one, -count)
    for (const [one, count] of this.#keeping) if (count <= 0) this.#keeping.delete(one)
    if (done.size > 0) listings = await this.#look()
    return { listings, finished }
  }

  async #look(): Promise<FromServers<readonly SharingListing[]>> {
    const listings = await this.#list(this.#signal)
    for (const [server, error] of listings.failures) this.#incidents.failed(server, error)
    return listings
  }

  /** One batch, and what some servers could not go on with once more, without those. */
  async #carryOut(batch: CampaignBatch): Promise<void> {
    const { of, keys } = batch
    const { leftOut, missing, lingering } = await this.#batch(batch, [])
    // Who missed the others' new shares would move the names between them all the same.
    const behind = of.kind === "accounts" ? [...missing, ...lingering] : []
    // Of as few as any shares here take one at least is honest.
    const minSigners = Math.max(...thresholdsOf(this.#principal.servers.trust.roster))
    const again = new Map<string, LeftOut[]>()
    for (const one of leftOut) {
      if (one.by.length >= minSigners) this.#skipped.push({ id: one.id, reason: one.reason })
      else again.set(one.by.join(), [...(again.get(one.by.join()) ?? []), one])
    }
    for (const some of again.values()) {
      const ids = new Set(some.map(({ id }) => toHex(id)))
      const rest = keys.filter(({ sharing }) => ids.has(toHex(sharing.id)))
      const out = [...(some[0] as LeftOut).by, ...behind]
      const { leftOut: still } = await this.#batch({ ...batch, keys: rest }, out)
      for (const { id, reason } of still) this.#skipped.push({ id, reason })
    }
  }

  async #batch(batch: CampaignBatch, leaveOut: readonly Identifier[]): Promise<BatchResult> {
    const order = { ...batch, leaveOut, signal: this.#signal, incidents: this.#incidents }
    const { keys } = batch
    const result = await new ReshareBatch(this.#principal, order).run()
    this.#done += result.done.length
    for (const one of result.missing) add(this.#missing, one, result.done.length)
    for (const one of result.lingering) add(this.#lingering, one, result.done.length)
    for (const one of result.keeping) add(this.#keeping, one, result.done.length)
    if (result.failure !== null) this.#skipAll(keys, result, result.failure)
    return result
  }

  #skipAll(
    keys: readonly reshare.ReshareKey[],
    { leftOut }: BatchResult,
    { code }: LockKeeperError,
  ): void {
    const told = new Set(leftOut.map(({ id }) => toHex(id)))
    for (const { sharing } of keys) {
      if (!told.has(toHex(sharing.id))) this.#skipped.push({ id: sharing.id, reason: code })
    }
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

function add(counts: Map<Identifier, number>, server: Identifier, count: number): void {
  counts.set(server, (counts.get(server) ?? 0) + count)
}
