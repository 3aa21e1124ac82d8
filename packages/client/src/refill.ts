import { LockKeeperError, MAX_PRESIGNATURES } from "@lockkeeper/api"
import { dkls } from "@lockkeeper/protocols"
import type { IncidentLog } from "./incidents.ts"
import type { KeyInfo } from "./key-info.ts"
import { MAX_YIELD_MS, REST_FACTOR, YIELD_STEP_MS } from "./limits.ts"
import { throwIfCancelled } from "./patience.ts"
import { askPool, type PoolNews } from "./pool-news.ts"
import type { PoolEvent, PoolOwner } from "./pools.ts"
import { presign, presignFailure } from "./presign.ts"
import { nameOfSet, type SignerSet } from "./signer-sets.ts"

export interface PoolPlan {
  readonly key: KeyInfo
  /** The preferred one first. */
  readonly sets: readonly SignerSet[]
  readonly floor: number
  readonly cap: number
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
  readonly onEvent: (event: PoolEvent) => void
}

/** What a refill came to. */
export interface Filled {
  /** Presignatures made. */
  readonly made: number
  readonly sets: readonly { readonly signers: SignerSet; readonly ready: number }[]
}

/** How many presignatures a set is to have. */
interface Target {
  readonly set: SignerSet
  readonly floor: number
  readonly cap: number
}

/**
 * One refill of one key's pool: whatever was below its floor when it began is brought to its cap,
 * batch by batch, the emptiest set first. Signatures go before: it waits, for a bounded time, while
 * this session signs or a server is busy, and rests between batches so that the servers keep up with
 * everyone else.
 */
export class Refill {
  readonly #owner: PoolOwner
  readonly #plan: PoolPlan
  readonly #targets: readonly Target[]
  /** Sets that are being filled, by name. */
  readonly #filling = new Set<string>()
  readonly #failed = new Set<string>()
  #made = 0
  /** How long the last batch took, milliseconds. */
  #batchMs = 0

  constructor(owner: PoolOwner, plan: PoolPlan) {
    this.#owner = owner
    this.#plan = plan
    this.#targets = targetsOf(plan)
  }

  /** @throws LockKeeperError when no set could be filled that needed it. */
  async run(): Promise<Filled> {
    let failure: LockKeeperError | null = null
    let news = await this.#look()
    for (const { set, floor } of this.#targets) {
      if (readyOf(news, set) < floor) this.#filling.add(nameOfSet(set))
    }
    for (;;) {
      throwIfCancelled(this.#plan.signal)
      const target = this.#next(news)
      if (target === null) break
      await this.#rest(news, target)
      await this.#giveWay(news, target)
      const error = await this.#batch(target, news)
      if (error !== null) {
        failure ??= error
        this.#failed.add(nameOfSet(target.set))
      }
      news = await this.#look()
    }
    if (this.#made === 0) this.#throwIfStuck(failure, news)
    const sets = this.#targets.map(({ set }) => ({ signers: set, ready: readyOf(news, set) }))
    const ready = sets.reduce((sum, set) => sum + set.ready, 0)
    this.#plan.onEvent({ kind: "full", keyId: this.#plan.key.keyId, ready })
    return { made: this.#made, sets }
  }

  /** Nothing could be made although something is missing. */
  #throwIfStuck(failure: LockKeeperError | null, news: PoolNews): void {
    if (failure !== null) throw failure
    const wanting = this.#targets.filter(
      ({ set, floor }) => this.#filling.has(nameOfSet(set)) && readyOf(news, set) < floor,
    )
    if (wanting.length === 0 || wanting.some(({ set }) => set.every((id) => news.rooms.has(id))))
      return
    throw new LockKeeperError("not-enough-servers", "No signer set that needs it answers.", {
      remedy: "Check with `lockkeeper health` which servers are down.",
    })
  }

  /** A server that hangs does not hold up the sets without it. */
  #look(): Promise<PoolNews> {
    const { key, signal, incidents } = this.#plan
    const { principal, supply } = this.#owner
    const callMs = 2 * principal.servers.patience.hedgeMs
    const context = { dead: supply.dead, signal, incidents, callMs }
    return askPool(principal, key.keyId, key.holders, context)
  }

  /** The set that lacks most in proportion, if there is room for any. */
  #next(news: PoolNews): Target | null {
    const lacking = this.#targets
      .filter(({ set }) => this.#filling.has(nameOfSet(set)) && !this.#failed.has(nameOfSet(set)))
      .filter(({ set }) => roomOf(news, set) > 0)
      .map((target) => ({ target, full: readyOf(news, target.set) / target.cap }))
      .filter(({ full }) => full < 1)
      .sort((a, b) => a.full - b.full)
    return lacking[0]?.target ?? null
  }

  async #batch({ set, cap }: Target, news: PoolNews): Promise<LockKeeperError | null> {
    const { key, signal, incidents, onEvent } = this.#plan
    const { principal, supply } = this.#owner
    const { clock } = principal.servers.deps
    const { keyId } = key
    const before = readyOf(news, set)
    const count = Math.min(dkls.maxBatch(set.length), cap - before, roomOf(news, set))
    const start = clock.now()
    const { dead } = supply
    const common = { key, set, count, dead, signal, incidents }
    const found = news.sets.find((one) => nameOfSet(one.signers) === nameOfSet(set))
    // Where one did not answer, what it has is not known.
    const ready = found?.complete === false ? null : before
    const result = await presign(principal, { ...common, urgency: "background", ready })
    const elapsedMs = clock.now() - start
    this.#batchMs = elapsedMs
    if (result.kind === "stopped") return presignFailure(result)
    this.#made += count
    onEvent({ kind: "batch", keyId, signers: set, made: count, ready: before + count, elapsedMs })
    return null
  }

  /**
   * Leaves the servers to others for a while between batches: `REST_FACTOR` times as long as the last
   * one took when the set is full, the shorter the less it has. With nothing left, whoever signs next
   * waits for it.
   */
  async #rest(news: PoolNews, { set, cap }: Target): Promise<void> {
    const { clock } = this.#owner.principal.servers.deps
    const ms = Math.min(MAX_YIELD_MS, (REST_FACTOR * this.#batchMs * readyOf(news, set)) / cap)
    // Where somebody signs now, giving way to it is rest enough.
    if (ms > 0 && news.busy === 0 && this.#owner.signing() === 0) {
      await clock.wait(ms, this.#plan.signal)
    }
    throwIfCancelled(this.#plan.signal)
  }

  /**
   * Waits while signatures are being made, the shorter the less the set has left: with nothing left,
   * whoever signs next has to wait for a presignature anyway.
   */
  async #giveWay(news: PoolNews, { set, cap }: Target): Promise<void> {
    const { key, signal, onEvent } = this.#plan
    const { clock } = this.#owner.principal.servers.deps
    const patience = MAX_YIELD_MS * Math.min(1, readyOf(news, set) / cap)
    let { busy } = news
    let told = false
    const isBusy = (): boolean => busy > 0 || this.#owner.signing() > 0
    for (let waited = 0; waited < patience && isBusy(); waited += YIELD_STEP_MS) {
      if (!told) onEvent({ kind: "yielding", keyId: key.keyId, busy })
      told = true
      await clock.wait(Math.min(YIELD_STEP_MS, patience), signal)
      throwIfCancelled(signal)
      if (this.#owner.signing() === 0) busy = (await this.#look()).busy
    }
  }
}

/**
 * How much of the key's room each set gets: the preferred one as much as it asks for, the others
 * equal parts, so that all together never ask for more than a server keeps.
 */
function targetsOf({ sets, floor, cap }: PoolPlan): readonly Target[] {
  const part = Math.max(1, Math.min(cap, Math.floor(MAX_PRESIGNATURES / Math.max(1, sets.length))))
  return sets.map((set, i) => {
    const most = i === 0 ? Math.min(cap, MAX_PRESIGNATURES - (sets.length - 1) * part) : part
    return { set, floor: Math.min(floor, most), cap: most }
  })
}

/** For how many more every signer has room: none where one did not answer. */
function roomOf({ rooms, unmatched }: PoolNews, set: SignerSet): number {
  const lost = unmatched.get(nameOfSet(set))
  return Math.min(...set.map((id) => (rooms.get(id) ?? 0) + (lost?.get(id) ?? 0)))
}

/** What is ready of a set that can sign: counts that some signer did not confirm are no use. */
function readyOf({ sets }: PoolNews, set: SignerSet): number {
  const listed = sets.find(({ signers }) => nameOfSet(signers) === nameOfSet(set))
  return listed?.ready ?? 0
}
