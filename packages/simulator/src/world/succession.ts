import {
  decodeRoster,
  extendChain,
  type Member,
  type Roster,
  type RosterChain,
  rosterChainCodec,
  rosterDigest,
  type SignedRoster,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { decode, encode, equalBytes } from "@lockkeeper/encoding"
import {
  checkHasCome,
  checkMayGoOn,
  type GoOnOptions,
  outlookOf,
  type Store,
} from "@lockkeeper/server"

/** Where a server keeps the rosters that it follows, as one that has a directory does. */
const PLACE = { table: "meta", id: "roster" } as const

/** What a server's disk says about the rosters that it follows; null version before it went on to any. */
interface Followed {
  readonly chain: RosterChain
  readonly version: number | null
}

/** @param first - what it was set up with. */
export async function followedIn(store: Store, first: RosterChain): Promise<Followed> {
  const row = await store.read(PLACE.table, PLACE.id)
  if (row === null) return { chain: first, version: null }
  return { chain: decode(rosterChainCodec, row.value), version: row.version }
}

export function lastOf(chain: RosterChain): SignedRoster {
  return chain.at(-1) as SignedRoster
}

export function rosterIn(chain: RosterChain): Roster {
  return decodeRoster(lastOf(chain).roster)
}

/** The last of these is where a server is to go on to. */
export interface Onward extends GoOnOptions {
  readonly chain: RosterChain
}

/** A server's step to the end of a chain that goes on from its own. */
export interface NextStep {
  readonly chain: RosterChain
  /** @throws LockKeeperError `conflict` where shares that it holds would be of no use, or none has come. */
  check(): Promise<void>
  /** Durable once it resolves. @throws StoreConflict */
  commit(): Promise<void>
}

/** Null where the server is there already. @throws LockKeeperError where its chain is another one. */
export function stepTo(
  store: Store,
  identifier: Identifier,
  { chain: own, version }: Followed,
  { chain: target, isForced }: Onward,
): NextStep | null {
  const digest = rosterDigest(lastOf(own).roster)
  const at = target.findIndex(({ roster }) => equalBytes(rosterDigest(roster), digest))
  const news = target.slice(at + 1)
  if (news.length === 0) return null
  const chain = news.reduce(extendChain, own)
  const followed = own.map((one) => decodeRoster(one.roster))
  const forgets = new Set(
    followed
      .slice(0, own.length + news.length - chain.length)
      .map(({ rosterEpoch }) => rosterEpoch),
  )
  const step = { followed, before: rosterIn(own), roster: rosterIn(chain), forgets }
  const member = step.roster.members.find((one) => one.identifier === identifier) as Member
  return {
    chain,
    async check() {
      const outlook = await outlookOf({ store }, step)
      checkMayGoOn(step, outlook, { isForced })
      checkHasCome(step, member, outlook.held, { isForced })
    },
    async commit() {
      const value = encode(rosterChainCodec, chain)
      await store.commit([{ kind: "put", ...PLACE, ifVersion: version ?? "absent", value }])
    },
  }
}
