import {
  combineSeed,
  contributeSeed,
  decodeRoster,
  encodeRoster,
  extendChain,
  isLeaving,
  LockKeeperError,
  type Member,
  openChain,
  passSeedOn,
  type Roster,
  type RosterChain,
  rosterChainCodec,
  rosterDigest,
  type SeedContribution,
  type SignedRoster,
  settledRoster,
  signedRosterCodec,
  signRoster,
  succeedSeed,
} from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  struct,
} from "@lockkeeper/encoding"
import type { Randomness } from "../ports/dependencies.ts"
import type { Change } from "../ports/store.ts"
import { removeAnchor } from "./anchor.ts"
import { channelSecretFor, takeUpChannel } from "./channel-key.ts"
import { checkSettles, type RosterBundle, type RosterSignature, settles } from "./roster-bundle.ts"
import type { Unsealed } from "./unseal.ts"

/** The roster a server follows, with what belongs to it. */
export interface InstalledRoster {
  readonly signed: SignedRoster
  /** Oldest first. */
  readonly before: RosterChain
  readonly enumerationSeed: Secret
}

interface RosterRow {
  readonly chain: RosterChain
  readonly seed: Bytes
}

const SETTLED = { table: "meta", id: "settled-roster" } as const

// A row from before there were chains holds one signed roster: as a chain of one is encoded.
const rosterRow: Codec<RosterRow> = struct<RosterRow>({
  chain: rosterChainCodec,
  seed: fixedBytes(32),
})

/** The server's own row. @throws LockKeeperError `misconfigured` when the roster has none of it. */
export function ownMember(unsealed: Unsealed, roster: Roster): Member {
  const { secrets } = unsealed
  const member = roster.members.find((m) => equalBytes(m.identityKey, secrets.identity.publicKey))
  const refuse = (field: string, message: string): never => {
    throw new LockKeeperError("misconfigured", message, {
      field,
      remedy: "Make the roster from this server's descriptor.json.",
    })
  }
  if (member === undefined) return refuse("members", "The roster does not list this server.")
  const field = `members.${member.name}`
  if (channelSecretFor(unsealed, member) === null) {
    return refuse(`${field}.channelKey`, "The roster lists another channel key for this server.")
  }
  if (!equalBytes(member.opaqueKey, secrets.keyExchange.publicKey)) {
    return refuse(`${field}.opaqueKey`, "The roster lists another OPAQUE key for this server.")
  }
  return member
}

/**
 * This server's signature for a roster that lists it, and for the one that settles it, with what it
 * contributes to the seed.
 *
 * @param current - what the server follows now; null for one that is in no roster yet.
 */
export function signRosterAs(
  unsealed: Unsealed,
  encodedRoster: Bytes,
  randomness: Randomness,
  current: InstalledRoster | null = null,
): RosterSignature {
  const roster = decodeRoster(encodedRoster)
  const { identifier } = ownMember(unsealed, roster)
  const { identity } = unsealed.secrets
  return {
    roster: encodedRoster,
    identifier,
    signature: signRoster(encodedRoster, identity),
    contributions: seedParts(unsealed, encodedRoster, randomness, current),
    settled:
      roster.transition === null || isLeaving(roster, identifier)
        ? null
        : signRoster(encodeRoster(settledRoster(roster)), identity),
  }
}

/**
 * A part of the first roster's seed, or the seed that a member of the roster before passes on; nothing
 * of a server that joins.
 */
export function seedParts(
  unsealed: Unsealed,
  encodedRoster: Bytes,
  randomness: Randomness,
  current: InstalledRoster | null,
): readonly SeedContribution[] {
  const roster = decodeRoster(encodedRoster)
  const { identity, enumerationShare } = unsealed.secrets
  const fresh = randomness.bytes(64 * roster.members.length)
  if (roster.rosterEpoch === 1) {
    const { identifier } = ownMember(unsealed, roster)
    return contributeSeed(roster, encodedRoster, identifier, enumerationShare, identity, fresh)
  }
  if (current === null) return []
  const { signed, enumerationSeed } = current
  if (!equalBytes(rosterDigest(signed.roster), roster.previousDigest)) return []
  const { identifier } = ownMember(unsealed, decodeRoster(signed.roster))
  return passSeedOn(roster, encodedRoster, identifier, enumerationSeed, identity, fresh)
}

/** The chain that a server has with a bundle: its own with what is new, or the bundle's for a new one. */
function chainWith(current: RosterChain | null, { chain }: RosterBundle): RosterChain {
  if (current === null) {
    openChain(chain)
    return chain
  }
  const last = rosterDigest((current.at(-1) as SignedRoster).roster)
  const at = chain.findIndex(({ roster }) => equalBytes(rosterDigest(roster), last))
  // One that lacks ours, or ends with it, is refused as what it is: not the next one.
  const news = at < 0 || at === chain.length - 1 ? chain.slice(-1) : chain.slice(at + 1)
  return news.reduce(extendChain, current)
}

/** A roster that a server may go on under: everything about it is checked, and nothing is changed. */
export interface NextRoster extends Disposable {
  readonly roster: Roster
  /** The one that it follows now; null while it is in none. */
  readonly before: Roster | null
  /** The server's own row in it. */
  readonly member: Member
  /** All that it has followed or knows of, oldest first: they end with `before`. */
  readonly followed: readonly Roster[]
  /** Numbers of those among them that are not kept with it. */
  readonly forgets: ReadonlySet<number>
  /** Makes the server follow it, once. @throws StoreConflict when it follows another by now. */
  commit(): Promise<void>
}

/**
 * Makes the server follow a roster: the first one, or the next one after its current.
 *
 * @throws LockKeeperError `untrusted-roster` or `misconfigured`; then the old one stays.
 */
export async function installRoster(unsealed: Unsealed, bundle: RosterBundle): Promise<Roster> {
  using next = await prepareRoster(unsealed, bundle)
  await next.commit()
  return next.roster
}

/** Checks all that `installRoster` does. @throws likewise */
export async function prepareRoster(unsealed: Unsealed, bundle: RosterBundle): Promise<NextRoster> {
  const { directory, store } = unsealed
  const row = await store.read("meta", "roster")
  const known = row === null ? null : decode(rosterRow, row.value)
  const chain = chainWith(known?.chain ?? null, bundle)
  const signed = chain.at(-1) as SignedRoster
  const roster = decodeRoster(signed.roster)
  if (bundle.settled !== null) checkSettles(signed, bundle.settled)
  using held = known === null ? null : new Secret(known.seed)
  const seed = seedOf(unsealed, chain, held, bundle.contributions)
  const ifVersion = row?.version ?? "absent"
  const waiting = await store.read(SETTLED.table, SETTLED.id)
  const member = ownMember(unsealed, roster)
  const followed = (known?.chain ?? []).map((one) => decodeRoster(one.roster))
  const kept = new Set(chain.map((one) => decodeRoster(one.roster).rosterEpoch))
  const epochs = followed.map(({ rosterEpoch }) => rosterEpoch)
  return {
    ...{ roster, member, followed },
    forgets: new Set(epochs.filter((epoch) => !kept.has(epoch))),
    before: followed.at(-1) ?? null,
    async commit() {
      const value = encode(rosterRow, { chain, seed: seed.expose() })
      // The database is about to change in a way that is nobody's restoring it.
      removeAnchor(directory)
      const channel = await takeUpChannel(unsealed, member)
      const changes: readonly Change[] = [
        { kind: "put", table: "meta", id: "roster", ifVersion, value },
        ...keepSettled(waiting?.version ?? null, bundle.settled),
        ...channel,
      ]
      try {
        await store.commit(changes)
      } finally {
        for (const change of changes) if (change.kind === "put") change.value.fill(0)
      }
      if (channel.length > 0) unsealed.takeUpChannel()
    },
    [Symbol.dispose]: () => seed.wipe(),
  }
}

/**
 * The roster that ends the transition of the one that the server follows, as its members signed it.
 *
 * @param bundle - that holds it, where the server has not kept it.
 * @throws LockKeeperError `conflict` where nothing is in transition, nobody has signed the roster after
 *   it, or this server is not in it.
 */
export async function prepareSettled(
  unsealed: Unsealed,
  bundle: RosterBundle | null,
): Promise<NextRoster> {
  const { signed, enumerationSeed } = await readInstalledRoster(unsealed)
  enumerationSeed.wipe()
  const roster = decodeRoster(signed.roster)
  settledRoster(roster)
  const own = ownMember(unsealed, roster)
  if (isLeaving(roster, own.identifier)) {
    throw new LockKeeperError(
      "conflict",
      `"${own.name}" leaves: it is in no roster after this one.`,
      {
        field: "transition.leaving",
        remedy: "When its shares have moved, stop it, and run `lockkeeper server retire`.",
      },
    )
  }
  const row = await unsealed.store.read(SETTLED.table, SETTLED.id)
  const settled = row === null ? (bundle?.settled ?? null) : decode(signedRosterCodec, row.value)
  if (settled === null) {
    throw new LockKeeperError(
      "conflict",
      "This server does not have the roster that settles its own.",
      {
        field: "bundle",
        remedy: "Name the bundle that the roster was activated from.",
      },
    )
  }
  checkSettles(signed, settled)
  return await prepareRoster(unsealed, { chain: [settled], contributions: [], settled: null })
}

/** Keeps what a server needs to settle its roster, for as long as it follows that one. */
function keepSettled(version: number | null, settled: SignedRoster | null): readonly Change[] {
  if (settled !== null) {
    const value = encode(signedRosterCodec, settled)
    return [{ kind: "put", ...SETTLED, ifVersion: version ?? "absent", value }]
  }
  return version === null ? [] : [{ kind: "take", ...SETTLED, version }]
}

/** The enumeration seed under the last roster of a chain. */
function seedOf(
  unsealed: Unsealed,
  chain: RosterChain,
  held: Secret | null,
  contributions: readonly SeedContribution[],
): Secret {
  const signed = chain.at(-1) as SignedRoster
  const roster = decodeRoster(signed.roster)
  const member = ownMember(unsealed, roster)
  const { identifier } = member
  const channelSecret = channelSecretFor(unsealed, member) as Secret
  const before = chain.at(-2) ?? null
  // Whoever is in it was in the one before, and has the seed: nobody has to vouch for it.
  if (before !== null && held !== null && settles(decodeRoster(before.roster), signed.roster)) {
    return Secret.copyOf(held.expose())
  }
  if (before !== null) {
    const receiver = { identifier, channelSecret, held }
    return succeedSeed(decodeRoster(before.roster), roster, signed.roster, receiver, contributions)
  }
  if (roster.rosterEpoch === 1) {
    return combineSeed(roster, signed.roster, identifier, channelSecret, contributions)
  }
  throw new LockKeeperError("misconfigured", "The bundle lacks the roster before this one.", {
    field: "chain",
    remedy: "Join the signatures again, with --after.",
  })
}

/** The roster the server follows, or null while it is in none. */
export async function readInstalledRosterOrNone({
  store,
}: Unsealed): Promise<InstalledRoster | null> {
  const row = await store.read("meta", "roster")
  if (row === null) return null
  const { chain, seed } = decode(rosterRow, row.value)
  const signed = chain.at(-1) as SignedRoster
  return { signed, before: chain.slice(0, -1), enumerationSeed: new Secret(seed) }
}

/** The roster the server follows. @throws LockKeeperError `misconfigured` while it has none. */
export async function readInstalledRoster(unsealed: Unsealed): Promise<InstalledRoster> {
  const installed = await readInstalledRosterOrNone(unsealed)
  if (installed !== null) return installed
  throw new LockKeeperError("misconfigured", "The server is in no roster yet.", {
    field: "roster",
    remedy: "Sign and join a roster, then run `lockkeeper roster install`.",
  })
}
