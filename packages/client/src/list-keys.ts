import {
  holderIds,
  type KeyListing,
  keyListing,
  keyListings,
  LockKeeperError,
  listKeysBody,
  MAX_PAGE,
  showKeyBody,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"
import { readAnswer } from "./answers.ts"
import { gather, notEnough } from "./gather.ts"
import { inOrder } from "./generations.ts"
import type { IncidentLog } from "./incidents.ts"
import { type KeyInfo, openListing } from "./key-info.ts"
import { MAX_PAGES } from "./limits.ts"
import type { Principal } from "./principal.ts"
import type { Servers } from "./servers.ts"

type Listings = readonly KeyListing[]

/** Keys that enough servers agree on, and ids of those that fewer listed. */
export interface Agreed {
  readonly keys: readonly KeyInfo[]
  readonly unconfirmed: readonly Bytes[]
}

/**
 * The account's keys. A key is shown when its certificate holds and as many of its holders as its shares
 * take list it for this account, each with its certificate of the generation that it holds, so that no
 * server alone can invent a key, put another account's in its place, or hide one.
 */
export function listKeys(
  principal: Principal,
  signal: AbortSignal,
  incidents: IncidentLog,
): Promise<Agreed> {
  return agree(principal, signal, incidents, (server, limited) =>
    pagesFrom(principal, server, limited).catch(noneWhereOnItsWay),
  )
}

/** Accounts move before their keys: where the account is not yet, there are none. */
function noneWhereOnItsWay(error: unknown): Listings {
  const isOnItsWay = error instanceof LockKeeperError && error.code === "unavailable"
  if (isOnItsWay && error.field === "accounts") return []
  throw error
}

/** One key, under the same conditions. @throws LockKeeperError `not-found`. */
export async function showKey(
  principal: Principal,
  keyId: Bytes,
  signal: AbortSignal,
  incidents: IncidentLog,
): Promise<KeyInfo> {
  const body = encode(showKeyBody, { keyId })
  const request = principal.request("keys.show", principal.servers.all, body)
  const { keys, unconfirmed } = await agree(
    principal,
    signal,
    incidents,
    async (server, limited) => {
      try {
        const { output } = await principal.act(server, request, 1, new Uint8Array(0), limited)
        return [readAnswer(server, keyListing, output)]
      } catch (error) {
        // A server that holds no share of the key does not know it: an answer like any other.
        if (error instanceof LockKeeperError && error.code === "not-found") return []
        return noneWhereOnItsWay(error)
      }
    },
    // Some of the servers may hold it together of which none was asked at first.
    1,
  )
  const key = keys.find((candidate) => toHex(candidate.keyId) === toHex(keyId))
  if (key !== undefined) return key
  if (unconfirmed.length > 0) {
    throw new LockKeeperError("not-enough-servers", "Too few servers confirm the key.", {
      field: "keyId",
      remedy: "Check with `lockkeeper health` whether its holders are up, and try again.",
    })
  }
  throw new LockKeeperError("not-found", "The account has no such key.", {
    field: "keyId",
    remedy: "List the account's keys.",
  })
}

async function pagesFrom(
  principal: Principal,
  server: Identifier,
  signal: AbortSignal,
): Promise<Listings> {
  const all: KeyListing[] = []
  let after: Bytes | null = null
  for (let page = 0; page < MAX_PAGES; page++) {
    const body: Bytes = encode(listKeysBody, { after, limit: MAX_PAGE })
    const request = principal.request("keys.list", [server], body)
    const { output } = await principal.act(server, request, 1, new Uint8Array(0), signal)
    const listings: Listings = readAnswer(server, keyListings, output)
    all.push(...listings)
    if (listings.length < MAX_PAGE) return all
    after = (listings.at(-1) as KeyListing).keyId
  }
  throw new LockKeeperError("too-large", "The account has more keys than can be listed.", {
    server,
    field: "keys",
  })
}

/** @param expected - how many keys there are to be, before not everyone has been asked. */
async function agree(
  principal: Principal,
  signal: AbortSignal,
  incidents: IncidentLog,
  ask: (server: Identifier, signal: AbortSignal) => Promise<Listings>,
  expected = 0,
): Promise<Agreed> {
  const { servers } = principal
  const reader = { trust: servers.trust, owner: principal.signer.publicKey }
  const groups = listersOf(servers)
  const opened = new Map<KeyListing, KeyInfo | null>()
  const open = (server: Identifier, listing: KeyListing): KeyInfo | null => {
    const known = opened.get(listing)
    if (known !== undefined) return known
    const result = openListing(reader, listing, listing.certificate)
    const key = "key" in result ? result.key : null
    if ("reason" in result) incidents.suspected(server, result.reason)
    opened.set(listing, key)
    return key
  }
  const count = (answers: ReadonlyMap<Identifier, Listings>) => tally(answers, open)
  const { order, need } = askingOf(servers, groups)
  const got = await gather(servers, {
    ...{ order, need },
    // Where the first servers differ, the others are heard too.
    isEnough: (answers) =>
      groups.every((group) => heardOf(group, answers) >= group.need) &&
      count(answers).size >= expected &&
      [...count(answers).values()].every(isConfirmed),
    signal,
    ask,
  })
  for (const [server, error] of got.failures) incidents.failed(server, error)
  for (const server of got.pending) incidents.silent(server)
  for (const group of groups) {
    const heard = heardOf(group, got.answers)
    if (heard < group.need) throw notEnough(group.need, heard, got.failures)
  }
  const counted = [...count(got.answers).values()]
  const keys = counted.filter(isConfirmed).map(({ key }) => key)
  return {
    keys: keys.sort((a, b) => a.createdAt - b.createdAt),
    unconfirmed: counted.filter((one) => !isConfirmed(one)).map(({ key }) => key.keyId),
  }
}

/** Servers of which so many have to be heard that none of their keys is hidden. */
interface Listers {
  readonly among: readonly Identifier[]
  readonly need: number
}

/** Those that keys are dealt to; and while shares are on their way, those that may have them still. */
function listersOf({ trust: { roster, chain }, all, holders, minSigners }: Servers): Listers[] {
  const now = { among: holders, need: minSigners }
  const { transition } = roster
  if (transition === null) return [now]
  const before = chain.before.at(-1)
  if (before === undefined) return [now, { among: all, need: all.length }]
  const among = holderIds(before.roster).filter((one) => all.includes(one))
  return [now, { among, need: Math.min(transition.minSignersBefore, among.length) }]
}

function heardOf({ among }: Listers, answers: ReadonlyMap<Identifier, Listings>): number {
  return among.filter((one) => answers.has(one)).length
}

/** Whom to ask, in which order, and how many of them at first. */
function askingOf(
  servers: Servers,
  groups: readonly Listers[],
): { readonly order: readonly Identifier[]; readonly need: number } {
  const first = new Set<Identifier>()
  for (const { among, need } of groups) {
    for (const one of servers.inOrder(among, need).slice(0, need)) first.add(one)
  }
  const rest = servers.inOrder(servers.all, servers.minSigners).filter((one) => !first.has(one))
  return { order: [...first, ...rest], need: first.size }
}

interface Listed {
  readonly key: KeyInfo
  /** By holders and threshold, as their certificates have them: who lists it among those holders. */
  readonly listedBy: ReadonlyMap<string, ReadonlySet<Identifier>>
  readonly needs: ReadonlyMap<string, number>
}

/** Whether as many as its shares take say so, of those that hold them together. */
function isConfirmed({ listedBy, needs }: Listed): boolean {
  return [...listedBy].some(([shape, by]) => by.size >= (needs.get(shape) ?? 0))
}

/** The one of the later generation: servers go from one to the next one after the other. */
function later(a: KeyInfo, b: KeyInfo): KeyInfo {
  return inOrder(a, b) < 0 ? b : a
}

/** Who lists which key: the same public key of the same kind, label, custody and state. */
function tally(
  answers: ReadonlyMap<Identifier, Listings>,
  open: (server: Identifier, listing: KeyListing) => KeyInfo | null,
): ReadonlyMap<string, Listed> {
  const listed = new Map<string, Listed>()
  for (const [server, listings] of answers) {
    for (const listing of listings) {
      const key = open(server, listing)
      if (key === null) continue
      const { id, context, verifyingKey } = sharing.sharingOfKey(key.certificate.public)
      const same = [id, context, verifyingKey].map(toHex)
      const name = JSON.stringify([...same, key.label, key.custody, key.state])
      listed.set(name, withLister(listed.get(name) ?? null, key, server))
    }
  }
  return listed
}

/** Whose share has left goes on to show where the key is, and that counts for nothing else. */
function withLister(before: Listed | null, key: KeyInfo, server: Identifier): Listed {
  const shape = `${key.holders} ${key.minSigners}`
  const by = before?.listedBy.get(shape) ?? new Set()
  const counted = key.holders.includes(server) ? new Set([...by, server]) : by
  return {
    key: later(before?.key ?? key, key),
    listedBy: new Map([...(before?.listedBy ?? []), [shape, counted]]),
    needs: new Map([...(before?.needs ?? []), [shape, key.minSigners]]),
  }
}
