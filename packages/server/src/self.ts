import {
  decodeRoster,
  holdersOf,
  type Member,
  type Roster,
  type RosterChain,
  rosterDigest,
  type SignedRoster,
} from "@lockkeeper/api"
import {
  type Element,
  type Identifier,
  ristretto255,
  type Secret,
  type SigningKey,
} from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"

/** What one key server is: its place in the roster and its long-term keys, unsealed in memory. */
export interface ServerSelf {
  readonly identifier: Identifier
  readonly roster: Roster
  readonly signedRoster: SignedRoster
  /** The rosters before it, oldest first, as far as this server knows them. */
  readonly rostersBefore: RosterChain
  readonly identity: SigningKey
  /** X-Wing secret key of the roster's channel key. */
  readonly channelSecret: Secret
  /**
   * What logins are answered with: the OPAQUE key pair, the seed of answers to unknown names. The
   * generation that an unknown name is of is read for each login.
   */
  readonly loginServer: Omit<opaque.LoginServer, "fakes"> & {
    readonly fakes: Pick<opaque.FakeSource, "seed">
  }
}

/** The roster of an epoch, up to the one in force; null where this server does not know it. */
export function rosterAt(
  { roster, rostersBefore }: Pick<ServerSelf, "roster" | "rostersBefore">,
  rosterEpoch: number,
): Roster | null {
  if (roster.rosterEpoch === rosterEpoch) return roster
  const before = rostersBefore.map((signed) => decodeRoster(signed.roster))
  return before.find((one) => one.rosterEpoch === rosterEpoch) ?? null
}

/** The number of the first roster that lists this server with the identity that it has. */
export function memberSince({
  identity,
  roster,
  rostersBefore,
}: Pick<ServerSelf, "identity" | "roster" | "rostersBefore">): number {
  const isListed = ({ members }: Roster) =>
    members.some(({ identityKey }) => equalBytes(identityKey, identity.publicKey))
  const first = rostersBefore.map((signed) => decodeRoster(signed.roster)).find(isListed)
  return (first ?? roster).rosterEpoch
}

/** What both ends of a login bind it to. */
export function rosterBinding({ signedRoster }: ServerSelf, accountId: Bytes): opaque.Binding {
  return opaque.accountBinding(rosterDigest(signedRoster.roster), accountId)
}

/** The long-term keys in OPAQUE of those that accounts are dealt to. */
export function opaqueKeys(
  roster: Roster,
  among: readonly Member[] = holdersOf(roster),
): ReadonlyMap<Identifier, Element> {
  return new Map(among.map((m) => [m.identifier, ristretto255.decodeElement(m.opaqueKey)]))
}

/** What this server expects of a dealing for an account. */
export function dealingExpectation(
  { identifier, roster }: ServerSelf,
  accountId: Bytes,
  active: opaque.Registration | null,
): opaque.DealingExpectation {
  const { rosterEpoch, minSigners } = roster
  return { identifier, accountId, rosterEpoch, minSigners, servers: opaqueKeys(roster), active }
}
