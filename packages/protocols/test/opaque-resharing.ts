import type { Identifier, Secret } from "@lockkeeper/crypto"
import { sharing } from "../src/index.ts"
import {
  type HeldAccount,
  type LoginServer,
  type MovedRecord,
  type OprfGeneration,
  type RegisteredUnder,
  verifyMovedRecord,
} from "../src/opaque/index.ts"
import { type Account, type Cluster, cluster, get, must } from "./opaque-fixture.ts"
import { attemptFor, drive, type Shared, type Target } from "./reshare-cluster.ts"

/** One server's part of a later generation. */
export interface NewShare {
  readonly share: Secret
  readonly generation: OprfGeneration
}

/** A generation after the one in `records`, as a run of the protocol leaves it. */
export function nextGeneration(
  records: ReadonlyMap<Identifier, HeldAccount>,
  target: Target,
): ReadonlyMap<Identifier, NewShare> {
  const [any] = records.values()
  const before: Shared = {
    sharing: sharing.sharingOfHeldAccount(any!),
    shares: new Map([...records].map(([i, { share }]) => [i, share])),
  }
  const { batch, members } = drive(attemptFor([before], target), [before])
  const [shared] = batch
  return new Map(
    [...shared!.shares].map(([i, share]) => {
      const { vector } = get(members, i).judged.pending!.reshared[0]!
      return [i, { share, generation: { sharing: shared!.sharing, vector } }]
    }),
  )
}

/** The account after a refresh, at every server. */
export function refreshed(world: Cluster, { keys, records }: Account): Account {
  const holders = [...world.servers.keys()]
  const { minSigners, rosterEpoch } = world
  const dealers = holders.slice(0, minSigners)
  const target = { kind: "refresh", dealers, holders, minSigners, rosterEpoch } as const
  const next = nextGeneration(records, target)
  const after = [...records].map(([i, held]) => {
    const { share, generation } = get(next, i)
    return [i, must(sharing.accountWithSharing(held, share, generation))] as const
  })
  return { keys, records: new Map(after) }
}

/** What members of the roster before know of it. */
export function rosterOfThen(world: Cluster): RegisteredUnder {
  const { rosterEpoch, minSigners, akeKeys: servers, verifyKeys } = world
  return { rosterEpoch, minSigners, servers, verifyKeys }
}

/** The record that server `home` passes on. */
export function movedFrom(records: Account["records"], home: Identifier): MovedRecord {
  const { registration, confirmations, record } = get(records, home)
  return { registration, confirmations: confirmations!, home, record }
}

/** The next roster: some servers of the one before, and others up to `size`; all keys are new's own. */
export function nextRoster(
  seed: string,
  before: Cluster,
  holders: readonly Identifier[],
  minSigners: number,
): Cluster {
  const fresh = cluster(seed, minSigners, Math.max(...holders))
  const rosterEpoch = before.rosterEpoch + 1
  const pick = <T>(old: ReadonlyMap<Identifier, T>, added: ReadonlyMap<Identifier, T>) =>
    new Map(holders.map((i) => [i, old.get(i) ?? get(added, i)]))
  const servers = new Map<Identifier, LoginServer>()
  for (const [i, server] of pick(before.servers, fresh.servers)) {
    const fakes = get(before.servers, 1).fakes
    servers.set(i, { ...server, rosterEpoch, minSigners, fakes })
  }
  return {
    ...{ ...fresh, servers, rosterEpoch, minSigners, fakeSeed: before.fakeSeed },
    identities: pick(before.identities, fresh.identities),
    verifyKeys: pick(before.verifyKeys, fresh.verifyKeys),
    akeKeys: pick(before.akeKeys, fresh.akeKeys),
  }
}

/** The account under the next roster: who joins takes over the record of `home`. */
export function reshared(
  { before, after }: { readonly before: Cluster; readonly after: Cluster },
  { keys, records }: Account,
  home: Identifier,
): Account {
  const holders = [...after.servers.keys()]
  const dealers = [...before.servers.keys()].slice(0, before.minSigners)
  const { minSigners, rosterEpoch } = after
  const next = nextGeneration(records, { dealers, holders, minSigners, rosterEpoch })
  const moved = movedFrom(records, home)
  const { accountId } = moved.registration.keys
  const held = holders.map((i) => {
    const { share, generation } = get(next, i)
    const own = records.get(i)
    if (own) return [i, must(sharing.accountWithSharing(own, share, generation))] as const
    must(verifyMovedRecord(accountId, rosterOfThen(before), moved))
    return [i, must(sharing.accountMovedTo(i, moved, share, generation))] as const
  })
  return { keys, records: new Map(held) }
}
