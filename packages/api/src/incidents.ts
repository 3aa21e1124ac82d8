import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bool,
  bytes,
  type Codec,
  fixedBytes,
  list,
  oneOf,
  safeInteger,
  struct,
  text,
  u8,
  u32,
} from "@lockkeeper/encoding"
import { LockKeeperError } from "./errors.ts"
import { memberOf, type Roster } from "./roster.ts"

/** Longest evidence, bytes. */
export const MAX_EVIDENCE = 65_536

/**
 * Body of `incidents.report`, addressed to the servers that are to know of it: encoded evidence, which
 * each of them verifies for itself. What verifies is recorded, whoever reports it; what does not
 * changes nothing.
 */
export interface ReportIncidentBody {
  readonly evidence: Bytes
}

export const reportIncidentBody: Codec<ReportIncidentBody> = struct<ReportIncidentBody>({
  evidence: bytes(MAX_EVIDENCE),
})

/** What became of a report. */
export interface IncidentReceipt {
  /** How this server's records number the incident. */
  readonly number: number
  /** Whether this report made the record; otherwise it was there. */
  readonly isNew: boolean
  /** Servers that this one refuses to work with because of it. */
  readonly quarantined: readonly Identifier[]
}

export const incidentReceipt: Codec<IncidentReceipt> = struct<IncidentReceipt>({
  number: u32,
  isNew: bool,
  quarantined: list(identifierCodec, 2),
})

/**
 * What a server makes of an incident: it works with the culprit no more; it took note, of a pair or of
 * evidence against itself; or an operator has decided that it is over.
 */
export const INCIDENT_STATES = ["quarantined", "noted", "cleared"] as const
export type IncidentState = (typeof INCIDENT_STATES)[number]

/** Who brought the evidence: the server found it in a run of its own, or a coordinator reported it. */
export const INCIDENT_SOURCES = ["own", "reported"] as const
export type IncidentSource = (typeof INCIDENT_SOURCES)[number]

/** One incident as owners may see it: the evidence itself may be about others' requests. */
export interface IncidentListing {
  readonly number: number
  /** The culprit, or the two of which one is. */
  readonly servers: readonly Identifier[]
  /** An abort reason. */
  readonly reason: string
  /** Milliseconds since the Unix epoch. */
  readonly recordedAt: number
  readonly source: IncidentSource
  readonly state: IncidentState
  /** SHA-256 of the encoded evidence. */
  readonly evidence: Bytes
}

export const incidentListing: Codec<IncidentListing> = struct<IncidentListing>({
  number: u32,
  servers: list(identifierCodec, 2),
  reason: text(128),
  recordedAt: safeInteger,
  source: oneOf(...INCIDENT_SOURCES),
  state: oneOf(...INCIDENT_STATES),
  evidence: fixedBytes(32),
})

/** Most incidents on one page of a listing. */
export const MAX_INCIDENTS_PAGE = 64

export interface ListIncidentsBody {
  /** Only incidents with greater numbers; 0 from the start. */
  readonly after: number
  /** 1 to `MAX_INCIDENTS_PAGE`. */
  readonly limit: number
}

export const listIncidentsBody: Codec<ListIncidentsBody> = struct<ListIncidentsBody>({
  after: u32,
  limit: u8,
})

/** Answer to `incidents.list`, by number. */
export const incidentListings: Codec<readonly IncidentListing[]> = list(
  incidentListing,
  MAX_INCIDENTS_PAGE,
)

const FIELD = /^quarantined\.([1-9]\d{0,4})$/

/** A refusal to work with a server against which there is evidence; not the refuser's own fault. */
export function quarantinedError(roster: Roster, server: Identifier): LockKeeperError {
  const { name } = memberOf(roster, server)
  return new LockKeeperError("quarantined", `Server ${server} "${name}" is quarantined.`, {
    field: `quarantined.${server}`,
    remedy: "Use other servers; `lockkeeper incidents list` shows what is recorded against it.",
  })
}

/** The server that a refusal says is quarantined, or null for other refusals. */
export function quarantinedIn({ code, field }: LockKeeperError): Identifier | null {
  const number = code === "quarantined" ? FIELD.exec(field)?.[1] : undefined
  return number === undefined || Number(number) > 0xffff ? null : Number(number)
}
