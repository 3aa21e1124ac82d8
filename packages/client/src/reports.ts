import {
  type IncidentListing,
  incidentListings,
  LockKeeperError,
  listIncidentsBody,
  MAX_INCIDENTS_PAGE,
  reportIncidentBody,
  type SignedRequest,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { readAnswer } from "./answers.ts"
import type { Piece } from "./evidence-outbox.ts"
import { askAll } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import { MAX_PAGES } from "./limits.ts"
import type { Principal } from "./principal.ts"
import type { Servers } from "./servers.ts"

const NONE = new Uint8Array(0)

/** Whoever may bring evidence: an owner, or an operator. */
export interface Reporting {
  readonly servers: Servers
  request(operation: "incidents.report", among: readonly Identifier[], body: Bytes): SignedRequest
  act(
    server: Identifier,
    request: SignedRequest,
    step: number,
    input: Bytes,
    signal: AbortSignal,
  ): Promise<unknown>
}

/**
 * Hands evidence to every server but the culprit, each of which verifies it for itself. What cannot be
 * handed over now is found again when the culprit goes on: a report is no operation's condition.
 */
export async function reportEvidence(
  principal: Reporting,
  { evidence, servers: about }: Piece,
): Promise<void> {
  const { servers } = principal
  const others = servers.all.filter((id) => about.length > 1 || !about.includes(id))
  try {
    const request = principal.request(
      "incidents.report",
      others,
      encode(reportIncidentBody, { evidence }),
    )
    const { signal } = new AbortController()
    await askAll(servers, others, (server) => principal.act(server, request, 1, NONE, signal))
  } catch (error) {
    if (!(error instanceof LockKeeperError)) throw error
  }
}

/** An incident as one server has it in its records. */
export interface RecordedIncident extends IncidentListing {
  /** Whose records these are. */
  readonly recordedBy: Identifier
  /** Names of `servers` in the roster. */
  readonly names: readonly string[]
}

/** What the servers that answer have recorded, by server and number. Each speaks for itself alone. */
export async function recordedIncidents(
  principal: Principal,
  { signal, incidents }: { readonly signal: AbortSignal; readonly incidents: IncidentLog },
): Promise<readonly RecordedIncident[]> {
  const { servers } = principal
  const { answers, failures } = await askAll(servers, servers.all, (server) =>
    listAt(principal, server, signal),
  )
  for (const [server, error] of failures) incidents.failed(server, error)
  return [...answers]
    .sort(([a], [b]) => a - b)
    .flatMap(([recordedBy, listed]) =>
      listed.map((one) => {
        const names = one.servers.map((id) => servers.nameOf(id))
        return { ...one, recordedBy, names }
      }),
    )
}

async function listAt(principal: Principal, server: Identifier, signal: AbortSignal) {
  const listed: IncidentListing[] = []
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const body = encode(listIncidentsBody, {
      after: listed.at(-1)?.number ?? 0,
      limit: MAX_INCIDENTS_PAGE,
    })
    const request = principal.request("incidents.list", [server], body)
    const { output } = await principal.act(server, request, 1, NONE, signal)
    const page = readAnswer(server, incidentListings, output)
    listed.push(...page)
    if (page.length < MAX_INCIDENTS_PAGE) break
  }
  return listed
}
