import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import type { Change, Store, Versioned } from "../ports/store.ts"
import { type ReshareRunRow, type ReshareStage, reshareRunRow } from "./rows.ts"

const TABLE = "reshare-runs"

export async function readRun(
  store: Store,
  runId: Bytes,
): Promise<Versioned<ReshareRunRow> | null> {
  return readRunAt(store, toHex(runId))
}

export async function readRunAt(
  store: Store,
  id: string,
): Promise<Versioned<ReshareRunRow> | null> {
  const row = await store.read(TABLE, id)
  if (row === null) return null
  const value = decode(reshareRunRow, row.value)
  row.value.fill(0)
  return { version: row.version, value }
}

/** All of them, to be wiped by who asked: a page of `limit` after `after`. */
export async function scanRuns(store: Store, after: string, limit: number) {
  const rows = await store.scan(TABLE, "", after, limit)
  return rows.map(({ id, version, value }) => {
    const run = decode(reshareRunRow, value)
    value.fill(0)
    return { id, version, run }
  })
}

export function putRun(runId: Bytes, run: ReshareRunRow, ifVersion: number | "absent"): Change {
  return {
    kind: "put",
    table: TABLE,
    id: toHex(runId),
    ifVersion,
    value: encode(reshareRunRow, run),
  }
}

export function takeRun(id: string, version: number): Change {
  return { kind: "take", table: TABLE, id, version }
}

/** Overwrites what is secret in a state, when its change is made or nobody needs it any more. */
export function wipeStage(stage: ReshareStage): void {
  if (stage.kind === "active") return
  const { state } = stage
  if (stage.kind === "judged") for (const record of stage.records) record.fill(0)
  if ("sealingSeed" in state) state.sealingSeed?.wipe()
  if ("dealing" in state) state.dealing?.seed.wipe()
  if ("ownShares" in state) state.ownShares?.wipe()
  if ("randomness" in state) for (const secret of state.randomness.values()) secret.wipe()
  if ("pending" in state) state.pending?.shares.wipe()
}
