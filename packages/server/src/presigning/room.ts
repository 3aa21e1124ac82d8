import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { Counters } from "../counters.ts"
import type { StoreCondition } from "../key-server.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import { commitChanges } from "../request/commit.ts"
import { sessionEvent } from "../request/events.ts"
import { RecentAnswers } from "../request/recent-answers.ts"
import type { ServerSelf } from "../self.ts"
import { DeltaNonces } from "./nonces.ts"
import { OtChecks, UNFINISHED, unfinishedChecks } from "./ot-checks.ts"
import { Pairs } from "./pairs.ts"
import { isPoolOf, Pool, type Pooled } from "./pool.ts"
import {
  burnPresignatures,
  type StoredPresignature,
  scanPresignatures,
  takePresignature,
} from "./presignatures.ts"
import { BulkRuns } from "./runs.ts"

/** Longest a presignature is kept unless the configuration says otherwise, milliseconds. */
export const DEFAULT_MAX_AGE_MS = 24 * 3_600_000

/** No commit takes longer: what was struck off before is taken, or was not and has to be. */
const SETTLED_MS = 60_000

/** What one process knows of threshold ECDSA beside the store. */
export class PresigningRoom {
  readonly pairs: Pairs
  readonly checks: OtChecks
  readonly pool = new Pool()
  readonly nonces = new DeltaNonces()
  readonly runs = new BulkRuns()
  readonly answers = new RecentAnswers()
  readonly maxAgeMs: number
  /** Signatures and presigning steps that are being worked on. */
  busy = 0
  /** Rows that were struck off, and when: gone, unless the commit that takes them failed. */
  readonly #struck = new Map<string, number>()
  readonly #self: ServerSelf
  readonly #deps: Dependencies
  readonly #counters: Counters

  constructor(self: ServerSelf, deps: Dependencies, counters: Counters, maxAgeMs: number) {
    this.pairs = new Pairs(deps.store, deps.clock, self.roster.rosterEpoch)
    this.checks = new OtChecks(deps, self.roster.rosterEpoch, this.pairs)
    this.maxAgeMs = maxAgeMs
    this.#self = self
    this.#deps = deps
    this.#counters = counters
  }

  /** The other members of the roster. */
  get peers(): readonly Identifier[] {
    const { identifier, roster } = this.#self
    return roster.members.map((m) => m.identifier).filter((peer) => peer !== identifier)
  }

  /**
   * Takes over the pool that the process before left in order, or burns what there is: after a
   * crash nobody can say which presignatures were used, and a store that was put back holds used ones.
   *
   * @param left - digest of the pool as an orderly stop left it; null when nobody vouches for one.
   */
  async start(store: StoreCondition, left: Bytes | null): Promise<void> {
    await this.pairs.dropOlder()
    if (store === "restored") {
      // The seeds are safe to use again; what failed since the copy was made is not known any more.
      const forgotten = await this.pairs.forgetLive(this.peers)
      if (forgotten > 0) this.#deps.events.event("pairs-forgotten", { count: forgotten })
    }
    await this.#buryUnfinished()
    if (store === "orderly" && left !== null && (await this.#adopt(left))) return
    const burnt = await burnPresignatures(this.#deps.store)
    this.#counters.add("presignatures-burnt", burnt)
    if (burnt > 0) this.#deps.events.event("presignatures-burnt", { count: burnt })
  }

  /** Adds what was made to the pool; after its commit. */
  keep(pooled: Pooled): void {
    this.pool.add(pooled)
    this.#counters.pooled(pooled.signers, 1)
  }

  /** Strikes one off before its row is taken. True once for each. */
  spend(pooled: Pooled): boolean {
    if (!this.pool.spend(pooled.id)) return false
    this.#struck.set(pooled.id, this.#deps.clock.now())
    this.#counters.pooled(pooled.signers, -1)
    return true
  }

  /** What the pool has struck off is not used any more: the count, for after the commit. */
  countBurnt(struck: readonly Pooled[]): void {
    for (const { id, signers } of struck) {
      this.#struck.set(id, this.#deps.clock.now())
      this.#counters.pooled(signers, -1)
    }
    this.#counters.add("presignatures-burnt", struck.length)
  }

  /** Housekeeping: ends what took too long and burns what is too old. */
  async tidy(now: number): Promise<void> {
    this.runs.expire(now)
    this.answers.expire(now)
    this.nonces.expire(now)
    await this.pairs.settle()
    for (;;) {
      const old = this.pool.expire(now - this.maxAgeMs, 256)
      if (old.length === 0) break
      this.countBurnt(old)
      await this.#burn(old.map(({ id }) => id))
    }
    const settled = [...this.#struck].filter(([, at]) => now - at > SETTLED_MS).map(([id]) => id)
    for (let i = 0; i < settled.length; i += 256) await this.#burn(settled.slice(i, i + 256))
  }

  stop(): void {
    this.runs.endAll()
    this.answers.clear()
    this.nonces.clear()
  }

  /** Takes the rows of these that are still there. */
  async #burn(ids: readonly string[]): Promise<void> {
    const there = await Promise.all(
      ids.map(async (id) => {
        const row = await this.#deps.store.read("presignatures", id)
        row?.value.fill(0)
        return row === null ? null : takePresignature(id)
      }),
    )
    const changes = there.filter((change) => change !== null)
    if (changes.length > 0) await this.#deps.store.commit(changes)
    for (const id of ids) this.#struck.delete(id)
  }

  /** Ends the pairs with which too many checks were begun that never ended. */
  async #buryUnfinished(): Promise<void> {
    const { identifier, roster } = this.#self
    const { store } = this.#deps
    const reason = UNFINISHED
    for (const peer of await unfinishedChecks(store, this.pairs, roster.rosterEpoch, this.peers)) {
      const changes = await this.pairs.bury(peer, reason)
      const pair = [identifier, peer] as const
      const event = sessionEvent("pairs.bury", null, { outcome: "aborted", reason, pair })
      await commitChanges(this.#deps, changes, event)
      this.#counters.add("pairs-dead")
      this.#deps.events.event("pair-dead", { peer, reason })
    }
  }

  async #adopt(left: Bytes): Promise<boolean> {
    const found: StoredPresignature[] = []
    for (let after = ""; ; ) {
      const rows = await scanPresignatures(this.#deps.store, after, 256)
      found.push(...rows)
      if (rows.length < 256) break
      after = rows.at(-1)?.id ?? after
    }
    const ids = found.map(({ id }) => id)
    if (!isPoolOf(left, ids)) return false
    for (const one of found.sort((a, b) => a.madeAt - b.madeAt)) this.keep(pooledOf(one))
    return true
  }
}

/** What the pool remembers of a presignature. */
export function pooledOf(stored: StoredPresignature): Pooled {
  const { id, presignatureId, record, madeAt } = stored
  const { keyId, keyEpoch, rosterEpoch } = record
  const signers = [...record.signers.keys()].sort((a, b) => a - b)
  return { id, presignatureId, keyId, signers, keyEpoch, rosterEpoch, madeAt }
}
