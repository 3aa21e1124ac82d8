import type { LockKeeperError, SharingKind, SharingListing } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { reshare } from "@lockkeeper/protocols"
import { type Incident, IncidentLog } from "../incidents.ts"
import { RESHARE_BATCH } from "../limits.ts"
import type { Cancellable } from "../options.ts"
import { throwIfCancelled } from "../patience.ts"
import { finishRuns } from "./finish-runs.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import type { FromServers } from "./operator-session.ts"
import { type BatchResult, type LeftOut, ReshareBatch } from "./reshare-batch.ts"
import { type InForce, inForce } from "./sharings-in-force.ts"

export interface RefreshProgress {
  readonly kind: SharingKind
  readonly done: number
  readonly total: number
  readonly keysPerSecond: number
  /** How long the rest will take at this pace, milliseconds; null before anything is done. */
  readonly leftMs: number | null
}

export interface RefreshOptions extends Cancellable {
  readonly kind: SharingKind
  /**
   * Shares that came into force before this are refreshed, milliseconds since the Unix epoch; all by
   * default. With the same time a campaign that was stopped goes on where it was.
   */
  readonly before?: number
  /** Most sharings of one batch, 50 by default; a run of 2-of-3 carries 200, of larger thresholds fewer. */
  readonly batch?: number
  readonly onProgress?: (progress: RefreshProgress) => void
}

/** A sharing that was not refreshed, and why. */
export interface Skipped {
  readonly id: Bytes
  /** `too-few-holders`, an abort reason, or the code of an error. */
  readonly reason: string
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
  readonly incidents: readonly Incident[]
}

/** What every server lists. */
type List = (signal: AbortSignal) => Promise<FromServers<readonly SharingListing[]>>

/**
 * Gives everything of one kind new shares, batch by batch. All that it needs to know is at the servers:
 * whoever begins it again, after whatever stop, goes on with the rest.
 */
export class RefreshCampaign {
  readonly #principal: OperatorPrincipal
  readonly #list: List
  readonly #options: RefreshOptions
  readonly #signal: AbortSignal
  readonly #incidents: IncidentLog
  readonly #skipped: Skipped[] = []
  readonly #missing = new Map<Identifier, number>()
  readonly #lingering = new Map<Identifier, number>()
  #done = 0

  constructor(principal: OperatorPrincipal, list: List, options: RefreshOptions) {
    this.#principal = principal
    this.#list = list
    this.#options = options
    this.#signal = options.signal ?? new AbortController().signal
    this.#incidents = new IncidentLog(principal.servers)
  }

  async run(): Promise<RefreshReport> {
    const { kind, before = Number.POSITIVE_INFINITY } = this.#options
    let listed = await this.#look()
    const context = { kind, signal: this.#signal, incidents: this.#incidents }
    const finished = await finishRuns(this.#principal, listed, context)
    if (finished > 0) listed = await this.#look()
    const due = listed.filter(({ since, sharing }) => sharing === null || since < before)
    const batches = this.#batchesOf(due)
    const started = this.#principal.servers.deps.clock.now()
    this.#tell(started, due.length)
    for (const keys of batches) {
      throwIfCancelled(this.#signal)
      await this.#refresh(keys)
      this.#tell(started, due.length)
    }
    return {
      ...{ done: this.#done, fresh: listed.length - due.length, skipped: this.#skipped, finished },
      ...{ missing: this.#missing, lingering: this.#lingering, incidents: this.#incidents.all },
    }
  }

  async #look(): Promise<readonly InForce[]> {
    const { answers, failures } = await this.#list(this.#signal)
    for (const [server, error] of failures) this.#incidents.failed(server, error)
    const { deps, minSigners } = this.#principal.servers
    return inForce(answers, minSigners, deps.clock.now())
  }

  /** Of the same holders, threshold and generation each. */
  #batchesOf(due: readonly InForce[]): readonly (readonly reshare.ReshareKey[])[] {
    const groups = new Map<string, reshare.ReshareKey[]>()
    for (const { id, sharing, toKeyEpoch } of due) {
      if (sharing === null) {
        this.#skipped.push({ id, reason: "too-few-holders" })
        continue
      }
      const holders = [...sharing.verifyingShares.keys()].sort((a, b) => a - b)
      const name = `${holders} ${sharing.minSigners} ${sharing.keyEpoch} ${sharing.rosterEpoch}`
      const group = groups.get(name) ?? []
      groups.set(name, group)
      group.push({ sharing, toKeyEpoch })
    }
    return [...groups.values()].flatMap((keys) => {
      const { minSigners } = (keys[0] as reshare.ReshareKey).sharing
      const most = reshare.maxKeys(minSigners, minSigners)
      const size = Math.max(1, Math.min(most, this.#options.batch ?? RESHARE_BATCH))
      const count = Math.ceil(keys.length / size)
      return Array.from({ length: count }, (_, i) => keys.slice(i * size, (i + 1) * size))
    })
  }

  /** One batch, and what some servers could not go on with once more, without those. */
  async #refresh(keys: readonly reshare.ReshareKey[]): Promise<void> {
    const { leftOut } = await this.#batch(keys, [])
    const { minSigners } = this.#principal.servers
    const again = new Map<string, LeftOut[]>()
    for (const one of leftOut) {
      // Of as many as the threshold one at least is honest.
      if (one.by.length >= minSigners) this.#skipped.push({ id: one.id, reason: one.reason })
      else again.set(one.by.join(), [...(again.get(one.by.join()) ?? []), one])
    }
    for (const some of again.values()) {
      const ids = new Set(some.map(({ id }) => toHex(id)))
      const rest = keys.filter(({ sharing }) => ids.has(toHex(sharing.id)))
      const { leftOut: still } = await this.#batch(rest, (some[0] as LeftOut).by)
      for (const { id, reason } of still) this.#skipped.push({ id, reason })
    }
  }

  async #batch(
    keys: readonly reshare.ReshareKey[],
    leaveOut: readonly Identifier[],
  ): Promise<BatchResult> {
    const { kind } = this.#options
    const order = { kind, keys, leaveOut, signal: this.#signal, incidents: this.#incidents }
    const result = await new ReshareBatch(this.#principal, order).run()
    this.#done += result.done.length
    for (const one of result.missing) add(this.#missing, one, result.done.length)
    for (const one of result.lingering) add(this.#lingering, one, result.done.length)
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
