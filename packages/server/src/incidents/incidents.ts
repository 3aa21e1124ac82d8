import { type IncidentListing, quarantinedError } from "@lockkeeper/api"
import { type Identifier, sha256 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, equalBytes } from "@lockkeeper/encoding"
import type { Counters, IncidentKind } from "../counters.ts"
import { TokenBuckets } from "../limits/token-buckets.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import type { Change } from "../ports/store.ts"
import type { ServerSelf } from "../self.ts"
import type { Proof } from "./judge.ts"
import { type IncidentRow, incidentId, incidentRow, MAX_KNOWN, rosterPrefix } from "./row.ts"

/** Most reasons for which one culprit has open records: what it is quarantined for is one. */
export const MAX_REASONS = 8

const TABLE = "incidents"

/** Evidence that one account may have verified: at once, and each second after that. */
const REPORT_BURST = 16
const REPORTS_PER_SECOND = 0.25
const MAX_REPORTERS = 4096

/** What this process remembers of a row: everything but the evidence. */
export interface Incident extends Omit<IncidentRow, "evidence"> {
  readonly id: string
  /** Of its row. */
  readonly version: number
  /** SHA-256 of the evidence in the row. */
  readonly digest: Bytes
}

/** Records that are about to be committed. */
export interface Recording {
  readonly changes: readonly Change[]
  readonly incidents: readonly Incident[]
  /** Makes them count in this process; after their commit. */
  committed(): void
  /** Lets others record the same; however the commit ended. */
  release(): void
}

/**
 * What is proven against servers of the roster, and with whom this server works no more. Kept in the
 * store, and whole in memory, so that no operation waits for it. Bounded: one record for each pair and
 * a few for each culprit; the first evidence wins, and what comes later changes nothing.
 */
export class Incidents {
  readonly #self: ServerSelf
  readonly #deps: Dependencies
  readonly #counters: Counters
  /** How often accounts may have unknown evidence verified. */
  readonly reports = new TokenBuckets(REPORTS_PER_SECOND, REPORT_BURST, MAX_REPORTERS)
  readonly #known = new Map<string, Incident>()
  /** Being committed by somebody, who will say how it ended. */
  readonly #pending = new Map<string, Promise<void>>()
  #quarantined: ReadonlySet<Identifier> = new Set()
  #last = 0

  constructor(self: ServerSelf, deps: Dependencies, counters: Counters) {
    this.#self = self
    this.#deps = deps
    this.#counters = counters
  }

  /** Reads what earlier processes recorded; before the first request. */
  async start(): Promise<void> {
    const prefix = rosterPrefix(this.#self.roster.rosterEpoch)
    for (let after = prefix; ; ) {
      const rows = await this.#deps.store.scan(TABLE, prefix, after, 64)
      for (const { id, version, value } of rows)
        this.#remember(id, version, decode(incidentRow, value))
      if (rows.length < 64) break
      after = rows.at(-1)?.id ?? after
    }
    this.#settle()
  }

  /** Of the roster in force, by number. */
  all(): readonly Incident[] {
    return [...this.#known.values()].sort((a, b) => a.number - b.number)
  }

  /** Servers that this one works with no more, ascending. */
  get quarantined(): readonly Identifier[] {
    return [...this.#quarantined].sort((a, b) => a - b)
  }

  /**
   * Refuses to take part with a quarantined server, before anything is taken for it.
   *
   * @throws LockKeeperError `quarantined` naming the first of them.
   */
  checkNone(participants: Iterable<Identifier>): void {
    for (const server of participants) {
      if (this.#quarantined.has(server)) throw quarantinedError(this.#self.roster, server)
    }
  }

  /** The incident for which this very evidence is known, which then need not be verified again. */
  byDigest(digest: Bytes): Incident | null {
    const isKnown = ({ known }: Incident) => known.some((one) => equalBytes(one, digest))
    return this.all().find((one) => equalBytes(one.digest, digest) || isKnown(one)) ?? null
  }

  byNumber(number: number): Incident | null {
    return this.all().find((one) => one.number === number) ?? null
  }

  async evidenceOf({ id }: Incident): Promise<Bytes> {
    const row = await this.#deps.store.read(TABLE, id)
    if (row === null) throw new Error("an incident has no row")
    return decode(incidentRow, row.value).evidence
  }

  /** Resolves when the commit of a record of the same has ended, well or not; null without one. */
  pendingOf(proof: Proof): Promise<void> | null {
    return this.#pending.get(this.#idOf(proof)) ?? null
  }

  /** The record of what a proof is about, cleared or not. */
  recordOf(proof: Proof): Incident | null {
    return this.#known.get(this.#idOf(proof)) ?? null
  }

  /** The first open record of the same servers: where a culprit has as many reasons as are kept. */
  closestTo({ servers }: Proof): Incident {
    const found = this.#openOf(servers)[0]
    if (found === undefined) throw new Error("nothing is recorded of what was refused as known")
    return found
  }

  /**
   * The changes that record what is new in these proofs. Nothing is new of what is recorded already,
   * or being recorded, or of which a culprit has more reasons than are kept.
   */
  record(proofs: readonly Proof[], source: IncidentRow["source"]): Recording {
    const fresh = new Map<string, Incident & { readonly evidence: Bytes }>()
    for (const proof of proofs) {
      const made = this.#newRecord(proof, source, fresh)
      if (made === null) continue
      fresh.set(made.id, made)
      const culprit = this.#byPairs(made, proof, fresh)
      if (culprit !== null) fresh.set(culprit.id, culprit)
    }
    return this.#recording([...fresh.values()])
  }

  /** The change that ends an incident, and with it the quarantine that rests on it alone. */
  async clear(number: number, note: string): Promise<Recording | null> {
    const found = this.byNumber(number)
    if (found === null) return null
    // A culprit of pairs would be one again with the next pair if these still counted.
    const ended = [found, ...this.all().filter((one) => found.pairs.includes(one.number))]
    const cleared = { at: this.#deps.clock.now(), note }
    const read = await Promise.all(
      ended.map(async (one) => ({ ...one, cleared, evidence: await this.evidenceOf(one) })),
    )
    // Somebody else may have cleared or recorded meanwhile.
    const isOpen = ({ id }: Incident) =>
      this.#known.get(id)?.cleared === null && !this.#pending.has(id)
    const open = read.filter(isOpen)
    return open.some(({ id }) => id === found.id) ? this.#recording(open) : null
  }

  listing({ number, servers, reason, recordedAt, source, digest, ...rest }: Incident) {
    const state = this.stateOf({ servers, cleared: rest.cleared })
    return {
      number,
      servers,
      reason,
      recordedAt,
      source,
      state,
      evidence: digest,
    } as IncidentListing
  }

  stateOf({ servers, cleared }: Pick<Incident, "servers" | "cleared">): IncidentListing["state"] {
    if (cleared !== null) return "cleared"
    const [culprit] = servers
    return servers.length === 1 && culprit !== this.#self.identifier ? "quarantined" : "noted"
  }

  #newRecord(
    { evidence, digest, servers, reason }: Proof,
    source: IncidentRow["source"],
    fresh: ReadonlyMap<string, Incident>,
  ): (Incident & { readonly evidence: Bytes }) | null {
    const id = incidentId(this.#self.roster.rosterEpoch, { servers, reason })
    if (this.#pending.has(id) || fresh.has(id) || this.byDigest(digest) !== null) return null
    const before = this.#known.get(id) ?? null
    if (before !== null && before.cleared === null) {
      this.#alsoKnown(before, digest)
      return null
    }
    // What was cleared quarantines nobody: as many of those must not hide the next fault.
    if (before === null && this.#openOf(servers).length >= MAX_REASONS) return null
    const known = before === null ? [digest] : [...before.known, digest].slice(-MAX_KNOWN)
    const recordedAt = this.#deps.clock.now()
    const version = before?.version ?? 0
    const number = before?.number ?? ++this.#last
    const common = { number, servers, reason, recordedAt, source, evidence, known }
    return { ...common, id, version, digest, pairs: [], cleared: null }
  }

  #openOf(servers: readonly Identifier[]): readonly Incident[] {
    return this.all().filter((one) => one.cleared === null && sameServers(one.servers, servers))
  }

  /** Who has made pairs with as many others as it takes to sign: at least one of them is honest. */
  #byPairs(
    pair: Incident & { readonly evidence: Bytes },
    { digest, reason }: Proof,
    fresh: ReadonlyMap<string, Incident>,
  ): (Incident & { readonly evidence: Bytes }) | null {
    if (pair.servers.length !== 2) return null
    const { roster } = this.#self
    const edges = [...this.#known.values(), ...fresh.values(), pair].filter(
      ({ servers, cleared }) => servers.length === 2 && cleared === null,
    )
    for (const culprit of pair.servers) {
      const own = edges.filter(({ servers }) => servers.includes(culprit))
      const others = new Set(own.flatMap(({ servers }) => servers.filter((id) => id !== culprit)))
      if (others.size < roster.minSigners) continue
      const servers = [culprit]
      const id = incidentId(roster.rosterEpoch, { servers, reason })
      const before = this.#known.get(id) ?? null
      if (this.#pending.has(id) || (before !== null && before.cleared === null)) continue
      const pairs = [...new Set(own.map(({ number }) => number))].slice(-64)
      const number = before?.number ?? ++this.#last
      return {
        ...pair,
        id,
        version: before?.version ?? 0,
        number,
        servers,
        digest,
        pairs,
        known: before?.known ?? [],
      }
    }
    return null
  }

  #recording(records: readonly (Incident & { readonly evidence: Bytes })[]): Recording {
    const { promise, resolve } = Promise.withResolvers<void>()
    for (const { id } of records) this.#pending.set(id, promise)
    const changes = records.map(({ id, version, digest: _, ...row }): Change => {
      const ifVersion = version === 0 ? "absent" : version
      return { kind: "put", table: TABLE, id, ifVersion, value: encode(incidentRow, row) }
    })
    return {
      changes,
      incidents: records,
      committed: () => {
        for (const { id, version, digest: _, ...row } of records)
          this.#remember(id, version + 1, row)
        this.#settle()
        for (const record of records) this.#tell(record)
      },
      release: () => {
        for (const { id } of records) this.#pending.delete(id)
        resolve()
      },
    }
  }

  #tell(incident: Incident): void {
    const { number, servers, reason, cleared } = incident
    const fields = { number, servers: servers.join(","), reason }
    const kind = this.#kindOf(servers)
    if (cleared === null) this.#counters.incident(kind)
    this.#deps.events.event(cleared === null ? EVENT_OF[kind] : "incident-cleared", fields)
  }

  #kindOf(servers: readonly Identifier[]): IncidentKind {
    if (servers.length === 2) return "disputed"
    return servers[0] === this.#self.identifier ? "against-self" : "proven"
  }

  #remember(id: string, version: number, { evidence, ...row }: IncidentRow): void {
    this.#known.set(id, { ...row, id, version, digest: sha256(evidence) })
    this.#last = Math.max(this.#last, row.number)
  }

  /** Another piece of what is recorded: not to be verified again, nor to open it again once cleared. */
  #alsoKnown(incident: Incident, digest: Bytes): void {
    const known = [...incident.known, digest].slice(-MAX_KNOWN)
    this.#known.set(incident.id, { ...incident, known })
  }

  #settle(): void {
    const culprits = this.all().filter((one) => this.stateOf(one) === "quarantined")
    this.#quarantined = new Set(culprits.flatMap(({ servers }) => servers))
    this.#counters.quarantined = this.#quarantined.size
  }

  #idOf({ servers, reason }: Proof): string {
    return incidentId(this.#self.roster.rosterEpoch, { servers, reason })
  }
}

const EVENT_OF: Readonly<Record<IncidentKind, string>> = {
  proven: "server-quarantined",
  disputed: "pair-disputed",
  "against-self": "evidence-against-this-server",
}

function sameServers(a: readonly Identifier[], b: readonly Identifier[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id))
}
