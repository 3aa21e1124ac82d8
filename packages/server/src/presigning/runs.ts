import { LockKeeperError, type Operation } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { dkls } from "@lockkeeper/protocols"

/** Most runs of one account, and of all accounts, that one process keeps at a time. */
export const MAX_ACCOUNT_RUNS = 16
export const MAX_RUNS = 128

/** Longest a run may take from its first step to its last, milliseconds. */
export const RUN_LIFETIME_MS = 60_000

export interface RunStart {
  /** The request's digest: its steps, and nobody else's, belong to the run. */
  readonly digest: Bytes
  readonly operation: Operation
  readonly accountId: Bytes
  readonly now: number
  /** How this server stood to the others when a run of pair setups began. */
  readonly pairs: ReadonlyMap<number, dkls.PairStatus>
  /** Called once, when the run is over, however it ended. */
  readonly release: () => void
}

/** One run of `pairs.setup` or `presign` at this server. */
export interface Run extends Omit<RunStart, "now"> {
  /** The only input that the next step accepts, a secret; null before the first. */
  readonly state: Bytes | null
  /** Goes on to the next step, once the commit of this one is done; null ends the run. */
  advance(state: Bytes | null): void
  /** Lets others step in again; ends the run unless it went on. To be called however a step ends. */
  settle(): void
}

interface Entry {
  readonly start: RunStart
  state: Bytes | null
  /** The step it waits for. */
  next: number
  busy: boolean
}

/**
 * Runs under way, in memory alone: what a crash ends it burns, and nothing of a run outlives its
 * minute. Everything a run has cost so far is lost with it, which is little.
 */
export class BulkRuns {
  readonly #runs = new Map<string, Entry>()
  readonly #perAccount = new Map<string, number>()

  get size(): number {
    return this.#runs.size
  }

  /** @throws LockKeeperError `rate-limited` when too many are under way. */
  open(start: RunStart): Run {
    this.expire(start.now)
    const id = toHex(start.digest)
    if (this.#runs.has(id)) throw beingWorkedOn()
    const account = toHex(start.accountId)
    const own = this.#perAccount.get(account) ?? 0
    if (own >= MAX_ACCOUNT_RUNS || (this.#runs.size >= MAX_RUNS && !this.#makeRoom(own))) {
      throw new LockKeeperError("rate-limited", "Too many runs of presigning are under way.", {
        remedy: "Finish them, or try again in a minute.",
      })
    }
    const entry: Entry = { start, state: null, next: 1, busy: true }
    this.#runs.set(id, entry)
    this.#perAccount.set(account, own + 1)
    return this.#handle(id, entry)
  }

  /** The run, when it waits for this step. @throws LockKeeperError `out-of-order`, `conflict`. */
  resume(digest: Bytes, step: number, now: number): Run {
    this.expire(now)
    const id = toHex(digest)
    const entry = this.#runs.get(id)
    if (entry?.busy) throw beingWorkedOn()
    if (entry === undefined || entry.next !== step) {
      throw new LockKeeperError("out-of-order", "This run is not waiting for this step here.", {
        field: "step",
        remedy: "Start again with a new request.",
      })
    }
    entry.busy = true
    return this.#handle(id, entry)
  }

  /** Ends runs that took too long; those that a step is at work on end with it. */
  expire(now: number): void {
    for (const [id, { start, busy }] of this.#runs) {
      if (now - start.now > RUN_LIFETIME_MS && !busy) this.#end(id)
    }
  }

  endAll(): void {
    for (const id of [...this.#runs.keys()]) this.#end(id)
  }

  /**
   * Ends the oldest run that nobody is at work on of whoever has most, if that is more than an account
   * with `own` would have then: a few accounts that begin runs and leave them keep nobody out.
   */
  #makeRoom(own: number): boolean {
    let most = own + 1
    let found: string | null = null
    for (const [id, { start, busy }] of this.#runs) {
      const theirs = this.#perAccount.get(toHex(start.accountId)) ?? 0
      if (busy || theirs <= most) continue
      most = theirs
      found = id
    }
    if (found !== null) this.#end(found)
    return found !== null
  }

  #handle(id: string, entry: Entry): Run {
    let advanced = false
    return {
      ...entry.start,
      state: entry.state,
      advance: (state) => {
        entry.state?.fill(0)
        entry.state = state
        entry.next += 1
        advanced = state !== null
      },
      settle: () => {
        entry.busy = false
        if (!advanced) this.#end(id)
        // A server that stopped meanwhile has ended the run already.
        if (this.#runs.get(id) !== entry) entry.state?.fill(0)
      },
    }
  }

  #end(id: string): void {
    const entry = this.#runs.get(id)
    if (entry === undefined) return
    this.#runs.delete(id)
    entry.state?.fill(0)
    const account = toHex(entry.start.accountId)
    const own = (this.#perAccount.get(account) ?? 1) - 1
    if (own === 0) this.#perAccount.delete(account)
    else this.#perAccount.set(account, own)
    entry.start.release()
  }
}

function beingWorkedOn(): LockKeeperError {
  return new LockKeeperError("conflict", "This server is at work on a step of this run.", {
    field: "step",
    remedy: "Wait for its answer.",
  })
}
