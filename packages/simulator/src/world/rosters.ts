import {
  encodeRoster,
  type Member,
  NO_SCHEDULE,
  type Roster,
  rosterDigest,
  type SignedRoster,
  settledRoster,
  signRoster,
  transitionFrom,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Machine } from "./machine.ts"

/** Who holds shares from now on, and how many of them it takes. */
export interface Target {
  readonly holders: readonly Identifier[]
  readonly minSigners: number
  /** Members that are lost or caught: out at once. */
  readonly dropped: readonly Identifier[]
}

/** As a roster lists it. */
export function memberOf({ identifier, publicKeys }: Machine): Member {
  const { identity, channelPublic, keyExchange } = publicKeys
  return {
    identifier,
    name: `server-${identifier}`,
    url: `https://server-${identifier}.test:7443`,
    identityKey: identity.publicKey,
    channelKey: channelPublic,
    opaqueKey: keyExchange.publicKey,
    operator: `operator-${identifier}`,
    cloud: `cloud-${identifier}`,
    jurisdiction: `country-${identifier}`,
  }
}

export function firstRoster(
  members: readonly Member[],
  minSigners: number,
  createdAt: number,
): Roster {
  const placement = { distinctOperators: true, distinctClouds: true, distinctJurisdictions: true }
  const previousDigest = new Uint8Array(32)
  return {
    ...{ rosterEpoch: 1, minSigners, members, placement, previousDigest, createdAt },
    ...NO_SCHEDULE,
    transition: null,
  }
}

/** The one in transition to `target`; where that is null the one that settles the last. */
export function nextRoster(
  before: Roster,
  target: Target | null,
  known: readonly Member[],
  createdAt: number,
): Roster {
  if (target === null) return settledRoster(before)
  const { holders, minSigners, dropped } = target
  const was = before.members.map(({ identifier }) => identifier)
  const listed = new Set([...was.filter((one) => !dropped.includes(one)), ...holders])
  const members = known.filter(({ identifier }) => listed.has(identifier))
  members.sort((a, b) => a.identifier - b.identifier)
  const leaving = [...listed].filter((one) => !holders.includes(one))
  return {
    ...before,
    ...{ rosterEpoch: before.rosterEpoch + 1, members, minSigners, createdAt },
    previousDigest: rosterDigest(encodeRoster(before)),
    transition: transitionFrom(before, minSigners, leaving),
  }
}

/** With the signatures of all its members. */
export function signedBy(machines: ReadonlyMap<Identifier, Machine>, roster: Roster): SignedRoster {
  const encoded = encodeRoster(roster)
  const signatures = roster.members.map(({ identifier }): [Identifier, Uint8Array<ArrayBuffer>] => {
    const machine = machines.get(identifier)
    if (machine === undefined) throw new RangeError(`there is no server ${identifier}`)
    return [identifier, signRoster(encoded, machine.publicKeys.identity)]
  })
  return { roster: encoded, signatures: new Map(signatures) }
}
