import type { Identifier } from "@lockkeeper/crypto"
import type { KeyType } from "@lockkeeper/protocols"

/** What is counted one by one since this process started. */
export const COUNTED = [
  "presignatures-made",
  "presignatures-used",
  "presignatures-burnt",
  "presign-aborts",
  "pairs-set-up",
  "pairs-dead",
  "operator-steps",
] as const

export type Counted = (typeof COUNTED)[number]

/** What evidence is about: one server, one of two, or this server itself. */
export const INCIDENT_KINDS = ["proven", "disputed", "against-self"] as const

export type IncidentKind = (typeof INCIDENT_KINDS)[number]

/** Most signer sets that are counted apart; what is beyond is counted as `other`. */
const MAX_SIGNER_SETS = 64

/**
 * What this process has done, in numbers, for its operator: never an id of a key, an account, a
 * session or a request. Operations add to it after their commit; nothing decides by it.
 */
export class Counters {
  readonly #counts = new Map<Counted, number>(COUNTED.map((counted) => [counted, 0]))
  readonly #signatures = new Map<KeyType, number>()
  readonly #refusals = new Map<string, number>()
  readonly #pools = new Map<string, number>()
  readonly #incidents = new Map<IncidentKind, number>()
  /** Servers that this one works with no more. */
  quarantined = 0

  add(counted: Counted, by = 1): void {
    this.#counts.set(counted, (this.#counts.get(counted) ?? 0) + by)
  }

  /** A share of a signature left for a key of this type. */
  signed(keyType: KeyType): void {
    this.#signatures.set(keyType, (this.#signatures.get(keyType) ?? 0) + 1)
  }

  /** A request was refused with this code of LockKeeperError. */
  refused(code: string): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1)
  }

  /** Presignatures came to the pools of a signer set, of whatever key, or left them. */
  pooled(signers: readonly Identifier[], change: number): void {
    const set = signers.join("-")
    const counted = this.#pools.has(set) || this.#pools.size < MAX_SIGNER_SETS ? set : "other"
    this.#pools.set(counted, (this.#pools.get(counted) ?? 0) + change)
  }

  /** Evidence was recorded. */
  incident(kind: IncidentKind): void {
    this.#incidents.set(kind, (this.#incidents.get(kind) ?? 0) + 1)
  }

  incidents(): ReadonlyMap<IncidentKind, number> {
    return this.#incidents
  }

  counts(): ReadonlyMap<Counted, number> {
    return this.#counts
  }

  signatures(): ReadonlyMap<KeyType, number> {
    return this.#signatures
  }

  refusals(): ReadonlyMap<string, number> {
    return this.#refusals
  }

  /** What a server of this process counts on from the one before: all but what that one had left. */
  succeed(): this {
    for (const set of this.#pools.keys()) this.#pools.set(set, 0)
    this.quarantined = 0
    return this
  }

  /** By signer set, written as its identifiers joined by `-`. */
  pools(): ReadonlyMap<string, number> {
    return this.#pools
  }
}
