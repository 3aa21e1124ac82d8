import type { Event } from "@lockkeeper/api"
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
import type { Dependencies } from "./ports/dependencies.ts"
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
    version: 1,
    operation,
    step: 1,
    outcome: "done",
    reason,
    culprits: [],
    accountId: null,
    requestDigest: null,
    keyId: null,
  }
}

/**
 * Records in the log that a new process runs the server, and whether the one before ended in order.
 * Nothing that an earlier process issued is used again either way.
 */
export async function markStart(deps: Dependencies): Promise<void> {
  const row = await deps.store.read(PLACE.table, PLACE.id)
  const unclean = row !== null && !decode(incarnationCodec, row.value).stopped
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
    about("server.start", unclean ? "unclean-stop" : ""),
  )
  if (unclean) deps.events.event("unclean-stop", {})
}

/** Records an orderly shutdown. */
export async function markStop(deps: Dependencies): Promise<void> {
  const row = await deps.store.read(PLACE.table, PLACE.id)
  if (row === null) return
  const incarnation = { ...decode(incarnationCodec, row.value), stopped: true }
  const value = encode(incarnationCodec, incarnation)
  await commitChanges(
    deps,
    [{ kind: "put", ...PLACE, ifVersion: row.version, value }],
    about("server.stop", ""),
  )
}
