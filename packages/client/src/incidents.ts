import type { LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { type Abort, type Evidence, encodeEvidence, verifyEvidence } from "@lockkeeper/protocols"
import { evidenceFile } from "./evidence.ts"
import type { Servers } from "./servers.ts"

/**
 * A server that did not do its part in an operation, although the operation may have succeeded.
 *
 * - `proven`: it broke the protocol; `evidence` proves it to anyone.
 * - `suspected`: its answer could not be used; it, or whoever relays to it, is at fault.
 * - `unresponsive`: it gave no answer. Silence is not guilt.
 * - `refused`: it said no, and why.
 */
export interface Incident {
  readonly kind: "proven" | "suspected" | "unresponsive" | "refused"
  readonly server: Identifier
  /** The server's name in the roster. */
  readonly name: string
  /** An abort reason or an error code. */
  readonly reason: string
  /** What happened, for people. */
  readonly message: string
  /** An evidence file for `verifyEvidenceFile`, when `kind` is `proven`. */
  readonly evidence: Bytes | null
}

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

  #add(incident: Omit<Incident, "name">): void {
    const { server, kind, reason } = incident
    const same = this.#incidents.some(
      (known) => known.server === server && known.kind === kind && known.reason === reason,
    )
    if (same) return
    const named = { ...incident, name: this.#servers.member(server).name }
    this.#incidents.push(named)
    this.#servers.onIncident(named)
  }

  /** Names a culprit if the evidence holds; a name without proof is dropped. */
  proven(evidence: Evidence): Identifier | null {
    const encoded = encodeEvidence(evidence)
    const verdict = verifyEvidence(encoded, this.#servers.trust.verifyKeys)
    if (!verdict.valid) return null
    const { culprit: server, reason } = verdict
    const message = `It broke the protocol (${reason}); its own signed messages prove it.`
    const file = evidenceFile(this.#servers.trust.signedRoster, encoded)
    this.#add({ kind: "proven", server, reason, message, evidence: file })
    return server
  }

  suspected(server: Identifier, reason: string): void {
    const message = `Its answer could not be used (${reason}).`
    this.#add({ kind: "suspected", server, reason, message, evidence: null })
  }

  failed(server: Identifier, error: LockKeeperError): void {
    const kind = error.code === "unavailable" ? "unresponsive" : "refused"
    this.#add({ kind, server, reason: error.code, message: error.message, evidence: null })
  }

  silent(server: Identifier): void {
    const message = "It gave no answer in time."
    this.#add({ kind: "unresponsive", server, reason: "unavailable", message, evidence: null })
  }

  /** Everything an aborted run says about servers. */
  aborted({ reason, evidence, silent, culprits }: Abort): void {
    for (const piece of evidence) this.proven(piece)
    const named = this.culprits
    for (const server of [...culprits, ...silent]) {
      if (!named.includes(server)) this.suspected(server, reason)
    }
  }
}
