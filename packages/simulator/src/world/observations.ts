import { type Event, eventCodec } from "@lockkeeper/api"
import type { Incident } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import type { Change, LogPosition, Table } from "@lockkeeper/server"

/** One change of a batch as the server meant it, before it was sealed. */
export type ObservedChange =
  | { readonly kind: "take"; readonly table: Table; readonly id: string; readonly version: number }
  | { readonly kind: "put"; readonly table: Table; readonly id: string; readonly value: Bytes }

/** One batch that became durable, whether or not the process lived to hear of it. */
export interface ObservedCommit {
  readonly server: Identifier
  readonly time: number
  /** Which of this server's processes, counted over all servers. */
  readonly process: number
  /** How often an older copy had been put back before. */
  readonly history: number
  readonly changes: readonly ObservedChange[]
  /** What it appended to the log, and where. */
  readonly entries: readonly (LogPosition & { readonly time: number; readonly event: Event })[]
}

/** An answer or a refusal that left a server's process. */
export interface ObservedAnswer {
  readonly server: Identifier
  readonly process: number
  readonly time: number
  readonly actor: string
  readonly what: "open" | "call"
  readonly refused: string | null
  /** How many batches of this server were durable when it left. */
  readonly commits: number
}

export interface ObservedEvent {
  readonly server: Identifier
  readonly process: number
  readonly time: number
  readonly name: string
  readonly fields: Readonly<Record<string, string | number | boolean>>
}

/** Something that may be used once only, and was. */
export interface ObservedUse {
  readonly kind: "nonce" | "presignature"
  readonly server: Identifier
  /** The row's id: the key and the commitment or presignature. */
  readonly id: string
  readonly commit: ObservedCommit
  readonly event: Event
}

/** A guess counter as it became durable. */
export interface ObservedGuesses {
  readonly server: Identifier
  readonly id: string
  readonly value: Bytes
  readonly commit: ObservedCommit
  readonly event: Event | null
}

export interface ObservedIncident {
  readonly actor: string
  readonly time: number
  readonly incident: Incident
}

/** An error in a server that is none of its refusals: a defect, whatever caused it. */
export interface ObservedBug {
  readonly server: Identifier
  readonly time: number
  readonly error: unknown
}

/** Which tables hold what is used once, and the operations that use it; all else burns it. */
const ONE_TIME: ReadonlyMap<Table, { readonly kind: ObservedUse["kind"]; readonly by: string }> =
  new Map([
    ["nonces", { kind: "nonce", by: "sign" }],
    ["presignatures", { kind: "presignature", by: "ecdsa.sign" }],
  ])

/** A batch as it was meant, kept beside the sealed one until that is durable. */
export interface MeantBatch {
  readonly changes: readonly ObservedChange[]
  readonly events: readonly { readonly time: number; readonly event: Event }[]
}

/** Copies what a batch means: its makers wipe their own copy. */
export function meantBy(batch: readonly Change[]): MeantBatch {
  const changes: ObservedChange[] = []
  const events: { time: number; event: Event }[] = []
  for (const change of batch) {
    if (change.kind === "take") changes.push(change)
    else if (change.kind === "put") {
      const { table, id, value } = change
      changes.push({ kind: "put", table, id, value: value.slice() })
    } else if (change.kind === "append") {
      const { time, event } = change.entry
      events.push({ time, event: decode(eventCodec, event) })
    }
  }
  return { changes, events }
}

/** What the world saw with its own eyes, out of every server's and client's reach. In order. */
export class Observations {
  readonly commits: ObservedCommit[] = []
  readonly answers: ObservedAnswer[] = []
  readonly events: ObservedEvent[] = []
  readonly incidents: ObservedIncident[] = []
  readonly bugs: ObservedBug[] = []

  /** Every use of a nonce or presignature that became durable, with what it was used for. */
  get uses(): readonly ObservedUse[] {
    return this.commits.flatMap((commit) =>
      commit.changes.flatMap((change) => {
        const once = ONE_TIME.get(change.table)
        const found = commit.entries.find(({ event }) => event.operation === once?.by)
        if (once === undefined || found === undefined || change.kind !== "take") return []
        const { server } = commit
        return [{ kind: once.kind, server, id: change.id, commit, event: found.event }]
      }),
    )
  }

  /** Every guess counter that became durable. */
  get guesses(): readonly ObservedGuesses[] {
    return this.commits.flatMap((commit) =>
      commit.changes.flatMap((change) => {
        if (change.kind !== "put" || change.table !== "guesses") return []
        const { id, value } = change
        const event = commit.entries[0]?.event ?? null
        return [{ server: commit.server, id, value, commit, event }]
      }),
    )
  }
}
