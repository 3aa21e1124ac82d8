import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { type Change, type Store, StoreConflict, type Versioned } from "../ports/store.ts"
import { OperatorRoom } from "./operator-room.ts"
import { type RepairRunRow, type RepairStage, repairRunRow } from "./rows.ts"

const TABLE = "repair-runs"

/** Most runs that the operators of one server may have begun and not brought to an end. */
export const MAX_REPAIRS_OF_OPERATOR = 64

const REMEDY = "Bring those to an end that were begun, or wait an hour."

/** Most runs that are kept for who asks again, of those that are over. */
const MAX_OVER = 256

/** Longest a run is kept, milliseconds. */
export const REPAIR_LIFETIME_MS = 3_600_000

const PAGE = 8

export async function readRepair(
  store: Store,
  id: string,
): Promise<Versioned<RepairRunRow> | null> {
  const row = await store.read(TABLE, id)
  if (row === null) return null
  const value = decode(repairRunRow, row.value)
  row.value.fill(0)
  return { version: row.version, value }
}

export function putRepair(runId: Bytes, run: RepairRunRow, ifVersion: number | "absent"): Change {
  const value = encode(repairRunRow, run)
  return { kind: "put", table: TABLE, id: toHex(runId), ifVersion, value }
}

/** Overwrites what is secret in a state, when its change is made or nobody needs it any more. */
export function wipeRepair(stage: RepairStage): void {
  if (stage.kind === "over") return
  const { state } = stage
  if ("sealingSeed" in state) state.sealingSeed.wipe()
  if ("ownSummands" in state) state.ownSummands.wipe()
  if ("randomness" in state) for (const secret of state.randomness.values()) secret.wipe()
}

interface Known {
  readonly operator: Identifier
  readonly startedAt: number
  readonly isOver: boolean
}

/** The repairs that this server takes part in: nothing hangs on a run that is given up. */
export class RepairRuns {
  readonly #store: Store
  readonly #runs = new Map<string, Known>()
  readonly #room = new OperatorRoom(MAX_REPAIRS_OF_OPERATOR, "repairs", REMEDY)

  constructor(store: Store) {
    this.#store = store
  }

  /** To be called once, before the first request. */
  async start(): Promise<void> {
    for (let after = ""; ; ) {
      const page = await this.#store.scan(TABLE, "", after, PAGE)
      for (const { id, value } of page) {
        const run = decode(repairRunRow, value)
        value.fill(0)
        this.note(id, run)
        wipeRepair(run.stage)
      }
      if (page.length < PAGE) return
      after = page.at(-1)?.id ?? after
    }
  }

  /** Room for one more run, to be released however its commit ended. */
  reserve(operator: Identifier): { release(): void } {
    const isTheirs = (known: Known) => known.operator === operator && !known.isOver
    return this.#room.reserve(operator, [...this.#runs.values()].filter(isTheirs).length)
  }

  /** Remembers a run as it is now stored; after its commit. */
  note(runId: Bytes | string, { operator, startedAt, stage }: RepairRunRow): void {
    const id = typeof runId === "string" ? runId : toHex(runId)
    this.#runs.delete(id)
    this.#runs.set(id, { operator, startedAt, isOver: stage.kind === "over" })
  }

  /** Housekeeping: erases what is too old, and answers that nobody asks for any more. */
  async tidy(now: number): Promise<void> {
    const all = [...this.#runs]
    const old = all.filter(([, { startedAt }]) => now - startedAt > REPAIR_LIFETIME_MS)
    const over = all.filter(([, { isOver }]) => isOver)
    const spare = over.slice(0, Math.max(0, over.length - MAX_OVER))
    for (const id of new Set([...old, ...spare].map(([name]) => name))) await this.#drop(id)
  }

  /** Takes the row, unless a step has changed it meanwhile. */
  async #drop(id: string): Promise<void> {
    const row = await readRepair(this.#store, id)
    if (row !== null) wipeRepair(row.value.stage)
    try {
      if (row !== null) {
        const { version } = row
        await this.#store.commit([{ kind: "take", table: TABLE, id, version }])
      }
      this.#runs.delete(id)
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error
    }
  }
}
