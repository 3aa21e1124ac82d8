import { INCIDENT_SOURCES, type IncidentSource, MAX_EVIDENCE, MAX_NOTE } from "@lockkeeper/api"
import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  oneOf,
  safeInteger,
  struct,
  text,
  u32,
} from "@lockkeeper/encoding"

/** Most digests of evidence that one record remembers. */
export const MAX_KNOWN = 64

/** An operator's decision that an incident is over. */
export interface Cleared {
  readonly at: number
  readonly note: string
}

/** What a server keeps of one incident: of one culprit and reason, or of one pair. */
export interface IncidentRow {
  readonly number: number
  /** The culprit, or the two of which one is. */
  readonly servers: readonly Identifier[]
  /** An abort reason. */
  readonly reason: string
  readonly recordedAt: number
  readonly source: IncidentSource
  /** Encoded evidence: the first that came. */
  readonly evidence: Bytes
  /**
   * Numbers of the pairs that prove a culprit together, `evidence` being the last of them: with as
   * many others as it takes to sign, of whom one is honest. Empty where the evidence proves it alone.
   */
  readonly pairs: readonly number[]
  /** SHA-256 of evidence that came before the incident was cleared: none of it opens it again. */
  readonly known: readonly Bytes[]
  readonly cleared: Cleared | null
}

export const incidentRow: Codec<IncidentRow> = struct<IncidentRow>({
  number: u32,
  servers: list(identifierCodec, 2),
  reason: text(128),
  recordedAt: safeInteger,
  source: oneOf(...INCIDENT_SOURCES),
  evidence: bytes(MAX_EVIDENCE),
  pairs: list(u32, 64),
  known: list(fixedBytes(32), MAX_KNOWN),
  cleared: nullable(struct<Cleared>({ at: safeInteger, note: text(MAX_NOTE) })),
})

const padded = (value: number, digits: number): string => String(value).padStart(digits, "0")

/** Rows of one roster: a server that stays in the next one starts there without a record. */
export function rosterPrefix(rosterEpoch: number): string {
  return `${padded(rosterEpoch, 10)}-`
}

/** One row for each culprit and reason, and for each pair. */
export function incidentId(
  rosterEpoch: number,
  { servers, reason }: Pick<IncidentRow, "servers" | "reason">,
): string {
  const who = [...servers].sort((a, b) => a - b).map((server) => padded(server, 5))
  const what = servers.length === 1 ? `-${reason}` : ""
  return `${rosterPrefix(rosterEpoch)}${who.join("+")}${what}`
}
