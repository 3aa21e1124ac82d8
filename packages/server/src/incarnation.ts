import { EVENT_VERSION, type Event } from "@lockkeeper/api"
import {
  type Bytes,
  bool,
  type Codec,
  decode,
  encode,
  fixedBytes,
  safeInteger,
  struct,
} from "@lockkeeper/encoding"
import type { StoreCondition } from "./key-server.ts"
import type { Dependencies } from "./ports/dependencies.ts"
import type { Store } from "./ports/store.ts"
import { commitChanges } from "./request/commit.ts"

/** One run of the server's process. */
interface Incarnation {
  /** 16 random bytes. */
  readonly id: Bytes
  readonly startedAt: number
  /** Set by an orderly shutdown. */
  readonly stopped: boolean
}

const incarnationCodec: Codec<Incarnation> = struct<Incarnation>({
  id: fixedBytes(16),
  startedAt: safeInteger,
  stopped: bool,
})

const PLACE = { table: "meta", id: "incarnation" } as const

function about(operation: string, reason: string): Event {
  return {
    version: EVENT_VERSION,
    operation,
    step: 1,
    outcome: "done",
    reason,
    culprits: [],
    pair: null,
    accountId: null,
    requestDigest: null,
    keyId: null,
    incidents: [],
    note: "",
    signers: [],
    decision: null,
  }
}

export async function readIncarnation(store: Store): Promise<Incarnation | null> {
  const row = await store.read(PLACE.table, PLACE.id)
  return row === null ? null : decode(incarnationCodec, row.value)
}

/**
 * Records in the log that a new process runs the server, over a store in this condition, and whether
 * the one before ended in order.
 */
export async function markStart(deps: Dependencies, condition: StoreCondition): Promise<void> {
  const row = await deps.store.read(PLACE.table, PLACE.id)
  const unclean = row !== null && !decode(incarnationCodec, row.value).stopped
  const found = condition === "restored" ? "store-restored" : unclean ? "unclean-stop" : ""
  const incarnation: Incarnation = {
    id: deps.randomness.bytes(16),
    startedAt: deps.clock.now(),
    stopped: false,
  }
  const value = encode(incarnationCodec, incarnation)
  const ifVersion = row?.version ?? "absent"
  await commitChanges(
    deps,
    [{ kind: "put", ...PLACE, ifVersion, value }],
    about("server.start", found),
  )
  if (found !== "") deps.events.event(found, {})
}

/** Records an orderly shutdown. Returns the id of the process that ends, or null without a start. */
export async function markStop(deps: Dependencies): Promise<Bytes | null> {
  const row = await deps.store.read(PLACE.table, PLACE.id)
  if (row === null) return null
  const incarnation = { ...decode(incarnationCodec, row.value), stopped: true }
  const value = encode(incarnationCodec, incarnation)
  await commitChanges(
    deps,
    [{ kind: "put", ...PLACE, ifVersion: row.version, value }],
    about("server.stop", ""),
  )
  return incarnation.id
}
