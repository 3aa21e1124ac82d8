import {
  type ActivityListing,
  type ActivityShown,
  type ActivityState,
  type Approval,
  activityBody,
  activityListing,
  activityListings,
  activityShown,
  decideActivityBody,
  decodeApproval,
  LockKeeperError,
  listActivitiesBody,
  MAX_ACTIVITIES,
  MAX_ACTIVITY_PAGE,
  type Operation,
  type SignedApproval,
  type SignedRequest,
  type Subject,
  subjectDigest,
  type Verdict,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, DecodeError, decode, encode, toHex } from "@lockkeeper/encoding"
import { askAll, notEnough } from "./gather.ts"
import type { Acted } from "./open-sessions.ts"
import type { Servers } from "./servers.ts"

const EMPTY = new Uint8Array(0)

/** Whoever asks in an account's name: its owner, or a person of its charter. */
export interface AccountPrincipal {
  readonly servers: Servers
  request(operation: Operation, among: readonly Identifier[], body: Bytes): SignedRequest
  act(
    server: Identifier,
    request: SignedRequest,
    step: number,
    input: Bytes,
    signal: AbortSignal,
  ): Promise<Acted>
}

/** Which servers did something that all of them should do. */
export interface ToldServers {
  readonly servers: readonly Identifier[]
  /** Those that did not, with their reason. */
  readonly missing: ReadonlyMap<Identifier, LockKeeperError>
  /** How many it takes so that the rest cannot sign without them. */
  readonly needed: number
  readonly effective: boolean
}

/** What somebody said of a request, as servers keep it. */
export interface VerdictInfo {
  readonly person: string
  readonly verdict: Verdict
  readonly credential: Bytes
}

/** A request that waits for people, as the servers that agree on it have it. */
export interface AccountRequest {
  readonly activityId: Bytes
  /** Digest of what is asked; `show` gives that itself. */
  readonly subject: Bytes
  /** Digest of what those servers read in it, or null. */
  readonly intent: Bytes | null
  /** Digest of the charter that it was opened under. */
  readonly charter: Bytes
  readonly policyVersion: number
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
  /** Server by server: each decides for itself. */
  readonly states: ReadonlyMap<Identifier, ActivityState>
  /** What any of them keeps of people's words. */
  readonly verdicts: readonly VerdictInfo[]
}

export interface ShownAccountRequest extends AccountRequest {
  /** Decode this yourself before you approve it: servers are not to be believed about it. */
  readonly content: Subject
}

/** Asks all servers for one thing. @throws LockKeeperError when none does it, with their reasons. */
export async function tellAll<T>(
  principal: AccountPrincipal,
  ask: { readonly operation: Operation; readonly body: Bytes; readonly codec: Codec<T> | null },
  signal: AbortSignal,
): Promise<ToldServers & { readonly answers: ReadonlyMap<Identifier, T | null> }> {
  const { servers } = principal
  const among = servers.all
  const request = principal.request(ask.operation, among, ask.body)
  const { answers, failures } = await askAll(servers, among, async (server) => {
    const { output } = await principal.act(server, request, 1, EMPTY, signal)
    return ask.codec === null ? null : readAnswer(server, ask.codec, output)
  })
  const needed = servers.all.length - servers.minSigners + 1
  if (answers.size === 0) throw notEnough(needed, 0, failures)
  const did = [...answers.keys()].sort((a, b) => a - b)
  return { servers: did, missing: failures, needed, effective: did.length >= needed, answers }
}

function readAnswer<T>(server: Identifier, codec: Codec<T>, output: Bytes): T {
  try {
    return decode(codec, output)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new LockKeeperError("untrusted-server", "The server's answer cannot be read.", {
      server,
      remedy: "Use other servers, and tell its operator.",
    })
  }
}

/** Every server's requests, those that are told alike together, in the order of their ids. */
export async function listAccountRequests(
  principal: AccountPrincipal,
  signal: AbortSignal,
): Promise<readonly AccountRequest[]> {
  const found: [Identifier, ActivityListing][] = []
  const { servers } = principal
  const { answers, failures } = await askAll(servers, servers.all, (server) =>
    pagesAt(principal, server, signal),
  )
  if (answers.size === 0) throw notEnough(1, 0, failures)
  for (const [server, listings] of answers) for (const one of listings) found.push([server, one])
  const groups = new Map<string, [Identifier, ActivityListing][]>()
  for (const one of found) {
    const key = sameAs(one[1])
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, alike]) => together(alike))
}

async function pagesAt(
  principal: AccountPrincipal,
  server: Identifier,
  signal: AbortSignal,
): Promise<readonly ActivityListing[]> {
  const all: ActivityListing[] = []
  for (let after: Bytes | null = null; all.length < 2 * MAX_ACTIVITIES; ) {
    const body = encode(listActivitiesBody, { after, limit: MAX_ACTIVITY_PAGE })
    const request = principal.request("requests.list", [server], body)
    const { output } = await principal.act(server, request, 1, EMPTY, signal)
    const page = readAnswer(server, activityListings, output)
    all.push(...page)
    const last = page.at(-1)
    if (last === undefined || page.length < MAX_ACTIVITY_PAGE) break
    after = last.activityId
  }
  return all
}

/** What two servers have to tell alike to mean the same request. */
function sameAs(listing: ActivityListing): string {
  const fixed = { openedAt: 0, verdicts: [], state: "waiting" } as const
  return toHex(encode(activityListing, { ...listing, ...fixed }))
}

function together(alike: readonly (readonly [Identifier, ActivityListing])[]): AccountRequest {
  const [first] = alike
  if (first === undefined) throw new Error("a request that nobody tells of")
  const { activityId, subject, intent, charter, policyVersion, expiresAt } = first[1]
  const states = new Map(alike.map(([server, { state }]) => [server, state] as const))
  const said = new Map<string, VerdictInfo>()
  for (const [, { verdicts }] of alike) {
    for (const one of verdicts) {
      const { person, verdict, credential } = approvalIn(one) ?? {}
      if (person === undefined || verdict === undefined || credential === undefined) continue
      said.set(`${person} ${verdict}`, { person, verdict, credential })
    }
  }
  const verdicts = [...said.values()]
  return { activityId, subject, intent, charter, policyVersion, expiresAt, states, verdicts }
}

function approvalIn(signed: SignedApproval): Approval | null {
  try {
    return decodeApproval(signed)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/**
 * A request with its subject, as most servers have it.
 *
 * @throws LockKeeperError the servers' refusal; `untrusted-server` when a server shows another subject
 *   than the one that it names.
 */
export async function showAccountRequest(
  principal: AccountPrincipal,
  activityId: Bytes,
  signal: AbortSignal,
): Promise<ShownAccountRequest> {
  const body = encode(activityBody, { activityId })
  const ask = { operation: "requests.show", body, codec: activityShown } as const
  const { answers } = await tellAll(principal, ask, signal)
  const groups = new Map<string, [Identifier, ActivityShown][]>()
  for (const [server, shown] of answers) {
    if (shown === null || !isItself(shown, activityId)) continue
    const key = sameAs(shown.listing)
    groups.set(key, [...(groups.get(key) ?? []), [server, shown]])
  }
  const [most] = [...groups.values()].sort((a, b) => b.length - a.length)
  const content = most?.[0]?.[1].subject
  if (most === undefined || content === undefined) {
    throw new LockKeeperError("untrusted-server", "No server shows what it says is asked.", {
      field: "subject",
      remedy: "Approve nothing, and tell the operators.",
    })
  }
  return { ...together(most.map(([server, { listing }]) => [server, listing])), content }
}

function isItself({ listing, subject }: ActivityShown, activityId: Bytes): boolean {
  const isNamed = toHex(listing.activityId) === toHex(activityId)
  return isNamed && toHex(subjectDigest(subject)) === toHex(listing.subject)
}

/** Brings a person's word to every server. */
export async function bringVerdict(
  principal: AccountPrincipal,
  verdict: SignedApproval,
  signal: AbortSignal,
): Promise<ToldServers> {
  const body = encode(decideActivityBody, { verdict })
  const ask = { operation: "requests.decide", body, codec: activityListing } as const
  return withoutAnswers(await tellAll(principal, ask, signal))
}

/** Who did it, without what they answered. */
export function withoutAnswers({ servers, missing, needed, effective }: ToldServers): ToldServers {
  return { servers, missing, needed, effective }
}
