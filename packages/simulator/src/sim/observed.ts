import type { Event, Roster, SharingKind } from "@lockkeeper/api"
import type { Incident } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { KeyType } from "@lockkeeper/protocols"
import type { Table } from "@lockkeeper/server"
import type { ObservedChange } from "../world/observations.ts"

/** One event of a server's log, where it stands. */
export interface CommittedEvent extends Event {
  readonly index: number
  /** Hexadecimal: head of the chain after the entry. */
  readonly head: string
}

/** One batch that became durable, whether or not the server's process lived to hear of it. */
export interface Commit {
  /** Its number among all batches of the run: what is observed later has a higher one. */
  readonly order: number
  readonly time: number
  readonly server: Identifier
  /** The processes of all servers, counted over the run. */
  readonly process: number
  /** How often its server's database had been put back. */
  readonly history: number
  readonly changes: readonly ObservedChange[]
  readonly events: readonly CommittedEvent[]
}

/** How the store was left that a process starts over. */
export type Start = "first" | "orderly" | "unclean" | "restored"

export interface ProcessStart {
  readonly order: number
  readonly server: Identifier
  readonly process: number
  readonly how: Start
  /** Entries that the log had before. */
  readonly logSize: number
}

/** A copy of a server's database that the run made, and put back in place of the database. */
export interface PutBack {
  readonly server: Identifier
  /** Batches of all servers that were durable when it was made, in which history of this one. */
  readonly taken: number
  readonly of: number
  /** The history that begins with it: histories are numbered, and the first one is 0. */
  readonly history: number
}

/** A place in a server's log that a client was told. */
export interface ToldPosition {
  readonly server: Identifier
  readonly index: number
  /** Hexadecimal. */
  readonly head: string
}

interface Acknowledged {
  /** How many batches were durable by then. */
  readonly order: number
  readonly time: number
  readonly actor: string
  readonly log: readonly ToldPosition[]
}

export interface AcknowledgedKey extends Acknowledged {
  readonly keyId: Bytes
  readonly keyType: KeyType
  /** As other software knows it. */
  readonly publicKey: Bytes
}

export interface AcknowledgedChild extends Acknowledged {
  readonly keyId: Bytes
  readonly path: readonly number[]
}

/** A signature that a client was given as verified. */
export interface GrantedSignature extends Acknowledged {
  readonly keyId: Bytes
  readonly keyType: KeyType
  readonly publicKey: Bytes
  readonly message: Bytes
  /** ECDSA: r and s, 32 bytes each; otherwise 64 bytes as the scheme encodes them. */
  readonly signature: Bytes
  readonly signers: readonly Identifier[]
}

/** A share that a dishonest owner got out of a server. */
export interface ReleasedShare {
  readonly order: number
  readonly time: number
  readonly server: Identifier
  readonly kind: "nonces" | "presignatures"
  /** Names the one-time state that the owner had the server use. */
  readonly id: string
  /** Hexadecimal: what was signed with it. */
  readonly message: string
  readonly share: string
}

/** An evaluation that a guesser got for an account whose password it does not know. */
export interface Evaluation {
  readonly time: number
  readonly server: Identifier
  /** Hexadecimal id; nobody logs in to this account in the run. */
  readonly account: string
}

/** What an operator was told of everything of one kind that it had refreshed. */
export interface ToldRefresh {
  readonly time: number
  readonly actor: string
  readonly kind: SharingKind
  readonly done: number
  readonly skipped: number
  readonly finished: number
}

/** What became of a change of the roster, and at whom. */
export interface RosterStep {
  readonly time: number
  readonly roster: number
  readonly what: string
}

export interface ReportedIncident {
  readonly time: number
  readonly actor: string
  readonly incident: Pick<Incident, "kind" | "server" | "pair" | "reason">
}

/** An operation of an honest client that failed. */
export interface Failure {
  readonly time: number
  readonly actor: string
  readonly operation: string
  /** A code of LockKeeperError, or the name of another class of errors. */
  readonly code: string
  readonly message: string
  /** Codes that are right in this case, beside those that any fault may cause. */
  readonly expected: readonly string[]
}

/** Everything that the checkers judge a run by, seen from outside the servers. */
export interface Observed {
  /** All that there ever were. */
  readonly servers: readonly Identifier[]
  /** The least that anything takes under any roster of the run. */
  readonly minSigners: number
  /** Every roster that was signed, oldest first. */
  readonly rosters: readonly Roster[]
  /** Members that a roster does not list any more though shares had not moved: lost or caught. */
  readonly dropped: readonly Identifier[]
  readonly guessLimit: number
  /** Servers that do not follow the protocols. */
  readonly cheaters: readonly Identifier[]
  readonly commits: readonly Commit[]
  readonly starts: readonly ProcessStart[]
  readonly copies: readonly PutBack[]
  readonly keys: readonly AcknowledgedKey[]
  readonly children: readonly AcknowledgedChild[]
  readonly accounts: readonly (Acknowledged & { readonly accountId: Bytes })[]
  readonly signatures: readonly GrantedSignature[]
  readonly shares: readonly ReleasedShare[]
  readonly evaluations: readonly Evaluation[]
  readonly refreshes: readonly ToldRefresh[]
  readonly rosterSteps: readonly RosterStep[]
  /** Who left, and was destroyed. */
  readonly retired: readonly Identifier[]
  readonly incidents: readonly ReportedIncident[]
  readonly failures: readonly Failure[]
  /** Set in liveness mode: what had not finished in time after healing. */
  readonly unfinished: readonly string[]
  readonly durable: readonly DurableState[]
}

export interface DurableRow {
  readonly version: number
  readonly value: Bytes
}

/** What one server's database holds at the end, as its own keys open it. */
export interface DurableState {
  readonly server: Identifier
  readonly tables: ReadonlyMap<Table, ReadonlyMap<string, DurableRow>>
  readonly log: readonly {
    readonly index: number
    readonly head: Bytes
    readonly commitment: Bytes
    readonly salt: Bytes
    readonly time: number
    readonly event: Bytes
  }[]
  /** Rows and entries that did not open. */
  readonly unreadable: readonly string[]
}

/** Something that must never happen, and did. */
export interface Violation {
  readonly checker: string
  readonly message: string
}
