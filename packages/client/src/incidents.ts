import { earlierKeys, isOnItsWay, type LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import {
  type Abort,
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  rosterEpochOf,
  verifyEvidence,
} from "@lockkeeper/protocols"
import { evidenceFile } from "./evidence.ts"
import { isOtherGeneration } from "./generations.ts"
import type { Servers } from "./servers.ts"

/**
 * A server that did not do its part in an operation, although the operation may have succeeded.
 *
 * - `proven`: it broke the protocol; `evidence` proves it to anyone.
 * - `disputed`: it accuses another server, and one of the two is at fault; `evidence` proves that much.
 * - `suspected`: its answer could not be used; it, or whoever relays to it, is at fault.
 * - `unresponsive`: it gave no answer. Silence is not guilt.
 * - `refused`: it said no, and why.
 * - `quarantined`: another server refuses to work with it, and says that it has evidence against it.
 */
export interface Incident {
  readonly kind: "proven" | "disputed" | "suspected" | "unresponsive" | "refused" | "quarantined"
  readonly server: Identifier
  /** The server's name in the roster; both names when `kind` is `disputed`. */
  readonly name: string
  /** The two servers of which one is at fault, when `kind` is `disputed`. */
  readonly pair: readonly [Identifier, Identifier] | null
  /** An abort reason or an error code. */
  readonly reason: string
  /** What happened, for people. */
  readonly message: string
  /** An evidence file for `verifyEvidenceFile`, when `kind` is `proven` or `disputed`. */
  readonly evidence: Bytes | null
}

/** What evidence proves: one server at fault, or one of two. */
export type Proven =
  | { readonly kind: "culprit"; readonly culprit: Identifier }
  | { readonly kind: "pair"; readonly pair: readonly [Identifier, Identifier] }

/** Collects what went wrong in one operation, at most one incident a server and reason. */
export class IncidentLog {
  readonly #servers: Servers
  readonly #incidents: Incident[] = []

  constructor(servers: Servers) {
    this.#servers = servers
  }

  get all(): readonly Incident[] {
    return [...this.#incidents]
  }

  /** Servers that were proven to be at fault. */
  get culprits(): readonly Identifier[] {
    return this.#incidents.filter(({ kind }) => kind === "proven").map(({ server }) => server)
  }

  #keep(incident: Incident): boolean {
    const isSame = (known: Incident): boolean =>
      known.kind === incident.kind &&
      known.reason === incident.reason &&
      known.name === incident.name
    if (this.#incidents.some(isSame)) return false
    this.#incidents.push(incident)
    return true
  }

  #add(incident: Omit<Incident, "name" | "pair">): void {
    const named = { ...incident, name: this.#servers.member(incident.server).name, pair: null }
    if (this.#keep(named)) this.#servers.onIncident(named)
  }

  /** Takes over what another log has told already, from work that several operations wait for. */
  adopt(incidents: readonly Incident[]): void {
    for (const incident of incidents) this.#keep(incident)
  }

  /** Names a culprit if the evidence holds; a name without proof is dropped. */
  proven(evidence: Evidence): Identifier | null {
    const found = this.provenBy(encodeEvidence(evidence))
    return found?.kind === "culprit" ? found.culprit : null
  }

  /** What encoded evidence proves, if it holds; everything else that a server says is dropped. */
  provenBy(encoded: Bytes): Proven | null {
    const { chain, roster, verifyKeys, signedRoster } = this.#servers.trust
    const rosters = chain.before.map((before) => before.roster)
    const verdict = verifyEvidence(encoded, verifyKeys, earlierKeys(rosters, roster))
    if (!verdict.valid) return null
    // Identity keys may outlive a roster, whose operators knew of the evidence when they made the next.
    if (rosterEpochOf(decodeEvidence(encoded)) !== roster.rosterEpoch) return null
    const { reason } = verdict
    const about = "pair" in verdict ? verdict.pair : [verdict.culprit]
    this.#servers.outbox.add({ evidence: encoded, servers: about })
    const file = evidenceFile(signedRoster, encoded)
    if ("pair" in verdict) {
      const { pair } = verdict
      const name = pair.map((id) => this.#servers.member(id).name).join(" or ")
      const message = `One of the two broke the protocol (${reason}); they work together no more.`
      const common = { kind: "disputed", server: pair[0], name, pair, reason, message } as const
      const incident = { ...common, evidence: file }
      if (this.#keep(incident)) this.#servers.onIncident(incident)
      return { kind: "pair", pair }
    }
    const { culprit: server } = verdict
    this.#servers.exclusions.prove(server)
    const message = `It broke the protocol (${reason}); its own signed messages prove it.`
    this.#add({ kind: "proven", server, reason, message, evidence: file })
    return { kind: "culprit", culprit: server }
  }

  suspected(server: Identifier, reason: string): void {
    const message = `Its answer could not be used (${reason}).`
    this.#add({ kind: "suspected", server, reason, message, evidence: null })
  }

  /**
   * Notes a failed call; where it says that its server works with another participant no more, that one.
   *
   * @param among - who was to take part.
   */
  failed(server: Identifier, error: LockKeeperError, among: readonly Identifier[] = []): void {
    // It has gone on to another generation, or not yet: nothing is wrong with it.
    if (isOtherGeneration(error) || isOnItsWay(error)) return
    const about = this.#servers.exclusions.heard(server, error, among)
    if (about !== null) {
      this.#quarantined(about, server)
      return
    }
    const kind = error.code === "unavailable" ? "unresponsive" : "refused"
    this.#add({ kind, server, reason: error.code, message: error.message, evidence: null })
  }

  #quarantined(server: Identifier, by: Identifier): void {
    const message = `Server "${this.#servers.nameOf(by)}" works with it no more.`
    this.#add({ kind: "quarantined", server, reason: "quarantined", message, evidence: null })
  }

  silent(server: Identifier): void {
    const message = "It gave no answer in time."
    this.#add({ kind: "unresponsive", server, reason: "unavailable", message, evidence: null })
  }

  /** Everything an aborted run says about servers. */
  aborted({ reason, evidence, ...who }: Abort): void {
    for (const piece of evidence) this.proven(piece)
    // The owner's own device is in the protocol too, and no server.
    const { all } = this.#servers
    const culprits = who.culprits.filter((one) => all.includes(one))
    const silent = who.silent.filter((one) => all.includes(one))
    const named = this.culprits
    // Who said nothing is called that; who said what could not be read is not merely silent.
    const isQuiet = reason === "missing-messages"
    for (const server of culprits) if (!named.includes(server)) this.suspected(server, reason)
    for (const server of silent) {
      if (named.includes(server)) continue
      if (isQuiet) this.silent(server)
      else this.suspected(server, reason)
    }
  }
}
