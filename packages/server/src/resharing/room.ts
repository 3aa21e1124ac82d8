import { LockKeeperError, type SharingKind } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, decode, encode, struct, toHex, u32 } from "@lockkeeper/encoding"
import { settles } from "../directory/roster-bundle.ts"
import type { StoreCondition } from "../key-server.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import { StoreConflict } from "../ports/store.ts"
import { commitChanges } from "../request/commit.ts"
import { sessionEvent } from "../request/events.ts"
import { rosterAt, type ServerSelf } from "../self.ts"
import { type Entry, isOver, readEntries, type ShareSource, wipeEntries } from "./held.ts"
import { OperatorRoom } from "./operator-room.ts"
import { RepairRuns } from "./repair-runs.ts"
import type { ReshareRunRow } from "./rows.ts"
import { readRunAt, scanRuns, takeRun, wipeStage } from "./runs.ts"

/** Most runs that the operators of one server may have begun and not brought to an end. */
export const MAX_RUNS_OF_OPERATOR = 128

/** Most runs that are kept for who asks again, of those whose shares are in force. */
const MAX_ACTIVE = 256

/** Longest a run is kept that others cannot count on, milliseconds. */
export const RUN_LIFETIME_MS = 3_600_000

const REMEDY = "Bring the certificates of those that were confirmed, or wait an hour."

/** How many runs with shares are looked at in one round of housekeeping. */
const LOOKED_AT = 4

const PAGE = 8

/** The roster in which the store was put back. */
const restoredCodec: Codec<{ readonly rosterEpoch: number }> = struct<{
  readonly rosterEpoch: number
}>({ rosterEpoch: u32 })

const RESTORED = { table: "meta", id: "resharing-restored" } as const

/** What this process remembers of a run. */
interface Known {
  readonly operator: Identifier
  readonly startedAt: number
  readonly isActive: boolean
  /** It gave shares that others may count on: kept until later ones are in force. */
  readonly isPending: boolean
}

/** How many runs there are: `pending` ones gave shares here that have not come into force here. */
export type ReshareRuns = Readonly<Record<"open" | "pending" | "active", number>>

/** What one process knows of generations of shares beside the store. */
export class ResharingRoom {
  readonly #self: ServerSelf
  readonly #deps: Dependencies
  readonly #sources: ReadonlyMap<SharingKind, ShareSource>
  readonly #runs = new Map<string, Known>()
  readonly #room = new OperatorRoom(MAX_RUNS_OF_OPERATOR, "runs", REMEDY)
  #isRestored = false
  readonly repairs: RepairRuns

  constructor(self: ServerSelf, deps: Dependencies, sources: readonly ShareSource[]) {
    this.#self = self
    this.#deps = deps
    this.repairs = new RepairRuns(deps.store)
    this.#sources = new Map(sources.map((source) => [source.kind, source]))
  }

  /** To be called once, before the first request. */
  async start(condition: StoreCondition): Promise<void> {
    await this.repairs.start()
    if (condition === "restored") await this.#markRestored()
    const marked = await this.#deps.store.read(RESTORED.table, RESTORED.id)
    this.#isRestored =
      marked !== null && this.#isStillOf(decode(restoredCodec, marked.value).rosterEpoch)
    for (let after = ""; ; ) {
      const page = await scanRuns(this.#deps.store, after, PAGE)
      for (const { id, run } of page) {
        this.note(id, run)
        wipeStage(run.stage)
      }
      if (page.length < PAGE) break
      after = page.at(-1)?.id ?? after
    }
    if (!this.#isRestored) return
    this.#deps.events.event("resharing-refused", { reason: "store-restored" })
    for (const [id, { isPending }] of this.#runs) if (!isPending) await this.#drop(id)
  }

  /**
   * Whether nobody has given this server a place since that roster: the one that settles it was agreed
   * with it, and says nothing new of anybody.
   */
  #isStillOf(rosterEpoch: number): boolean {
    const { roster, signedRoster } = this.#self
    if (rosterEpoch >= roster.rosterEpoch) return true
    const then = rosterAt(this.#self, rosterEpoch)
    return then !== null && settles(then, signedRoster.roster)
  }

  sourceOf(kind: SharingKind): ShareSource | null {
    return this.#sources.get(kind) ?? null
  }

  /**
   * Refuses where the store was put back in this roster, or in the one that it settles: what was confirmed since the copy was made is
   * forgotten, and nobody may confirm a generation twice. Such a server counts among those that may be
   * corrupt until it has a place in a later roster.
   *
   * @throws LockKeeperError `permission-denied`
   */
  checkVouches(): void {
    if (!this.#isRestored) return
    throw new LockKeeperError(
      "permission-denied",
      "This server's store was put back to an earlier state: it cannot tell what it has confirmed.",
      { remedy: "Go on without it, and have the next roster replace it." },
    )
  }

  /** Room for one more run, to be released however its commit ended. */
  reserve(operator: Identifier): { release(): void } {
    const isTheirs = (known: Known) => known.operator === operator && !known.isActive
    return this.#room.reserve(operator, [...this.#runs.values()].filter(isTheirs).length)
  }

  /** Remembers a run as it is now stored; after its commit. */
  note(runId: Bytes | string, { operator, startedAt, stage }: ReshareRunRow): void {
    const id = typeof runId === "string" ? runId : toHex(runId)
    const isPending = stage.kind === "judged" && stage.state.pending !== null
    this.#runs.delete(id)
    this.#runs.set(id, { operator, startedAt, isPending, isActive: stage.kind === "active" })
  }

  counts(): ReshareRuns {
    const counts = { open: 0, pending: 0, active: 0 }
    for (const { isActive, isPending } of this.#runs.values()) {
      counts[isActive ? "active" : isPending ? "pending" : "open"]++
    }
    return counts
  }

  /** Runs that gave shares here that are not in force here, after one in the order of their names. */
  pendingAfter(id: string, limit: number): readonly string[] {
    const pending = [...this.#runs].filter(([, { isPending }]) => isPending).map(([name]) => name)
    return pending
      .filter((name) => name > id)
      .sort()
      .slice(0, limit)
  }

  /**
   * Housekeeping: ends runs that are over. Shares that were confirmed are kept until shares of that
   * generation or a later one are in force, whatever became of the run: others may have erased theirs
   * on the strength of the confirmation.
   */
  async tidy(now: number): Promise<void> {
    await this.repairs.tidy(now)
    const old = [...this.#runs].filter(([, { startedAt }]) => now - startedAt > RUN_LIFETIME_MS)
    for (const [id, { isPending }] of old) if (!isPending) await this.#drop(id)
    const active = [...this.#runs].filter(([, { isActive }]) => isActive)
    for (const [id] of active.slice(0, Math.max(0, active.length - MAX_ACTIVE))) {
      await this.#drop(id)
    }
    const pending = old.filter(([, { isPending }]) => isPending).slice(0, LOOKED_AT)
    for (const [id, known] of pending) {
      // Behind the others, so that each has its turn.
      this.#runs.delete(id)
      this.#runs.set(id, known)
      if (await this.#isSuperseded(id)) await this.#drop(id)
    }
  }

  async #isSuperseded(id: string): Promise<boolean> {
    const row = await readRunAt(this.#deps.store, id)
    if (row === null) return true
    const { kind, stage } = row.value
    wipeStage(stage)
    const source = this.sourceOf(kind)
    if (source === null || stage.kind !== "judged") return false
    const sharings = stage.state.pending?.reshared.map(({ sharing }) => sharing) ?? []
    const ids = sharings.map((sharing) => sharing.id)
    const entries = await readEntries(this.#deps.store, source, ids)
    wipeEntries(entries)
    return sharings.every((one, i) => isOver(one, entries[i] as Entry))
  }

  /** Takes the row, unless a step has changed it meanwhile. */
  async #drop(id: string): Promise<void> {
    const { store } = this.#deps
    const row = await readRunAt(store, id)
    if (row !== null) wipeStage(row.value.stage)
    try {
      if (row !== null) await store.commit([takeRun(id, row.version)])
      this.#runs.delete(id)
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error
    }
  }

  async #markRestored(): Promise<void> {
    const { store } = this.#deps
    const row = await store.read(RESTORED.table, RESTORED.id)
    const { rosterEpoch } = this.#self.roster
    const value = encode(restoredCodec, { rosterEpoch })
    const put = { kind: "put", ...RESTORED, ifVersion: row?.version ?? "absent", value } as const
    const event = sessionEvent("reshare.refuse", null, { reason: "store-restored" })
    await commitChanges(this.#deps, [put], event)
  }
}
