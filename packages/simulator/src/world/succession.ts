import {
  decodeRoster,
  extendChain,
  type Roster,
  type RosterChain,
  rosterChainCodec,
  rosterDigest,
  type SignedRoster,
} from "@lockkeeper/api"
import { decode, encode, equalBytes } from "@lockkeeper/encoding"
import { checkNoneStranded, type Store, strandedShares } from "@lockkeeper/server"

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

/** A server's step to the end of a chain that goes on from its own. */
export interface NextStep {
  readonly chain: RosterChain
  /** @throws LockKeeperError `conflict` where shares that it holds would be of no use. */
  check(): Promise<void>
  /** Durable once it resolves. @throws StoreConflict */
  commit(): Promise<void>
}

/** Null where the server is there already. @throws LockKeeperError where its chain is another one. */
export function stepTo(
  store: Store,
  { chain: own, version }: Followed,
  target: RosterChain,
): NextStep | null {
  const digest = rosterDigest(lastOf(own).roster)
  const at = target.findIndex(({ roster }) => equalBytes(rosterDigest(roster), digest))
  const news = target.slice(at + 1)
  if (news.length === 0) return null
  const chain = news.reduce(extendChain, own)
  const [before, roster] = [rosterIn(own), rosterIn(chain)]
  return {
    chain,
    async check() {
      checkNoneStranded(before, roster, await strandedShares({ store }, roster))
    },
    async commit() {
      const value = encode(rosterChainCodec, chain)
      await store.commit([{ kind: "put", ...PLACE, ifVersion: version ?? "absent", value }])
    },
  }
}
