import { writeFileSync } from "node:fs"
import {
  encodeRoster,
  encodeRosterChain,
  type Member,
  NO_SCHEDULE,
  type Roster,
  type RosterChain,
  rosterDigest,
  type SignedRoster,
  signRoster,
} from "@lockkeeper/api"
import {
  ristretto255,
  Secret,
  type SigningKey,
  sha512,
  signingKeyFromSeed,
  xwingKeyPair,
} from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { writeDescriptor } from "@lockkeeper/server"

const seeded = (label: string): Bytes => sha512(utf8(label)).slice(0, 32)

function identityOf(name: string): SigningKey {
  return signingKeyFromSeed(new Secret(seeded(`identity ${name}`)))
}

/** A server whose keys depend on `keys` alone; without a directory, it exists in rosters only. */
export function memberNamed(identifier: number, name: string, keys = name): Member {
  const scalar = ristretto255.scalarFromUniform(sha512(utf8(`opaque ${keys}`)))
  return {
    ...{ identifier, name, url: `https://${name}.example:7443` },
    identityKey: identityOf(keys).publicKey,
    channelKey: xwingKeyPair(seeded(`channel ${keys}`)).publicKey,
    opaqueKey: ristretto255.multiplyBase(scalar),
    ...{ operator: `${name} operator`, cloud: `${name} cloud`, jurisdiction: `${name} land` },
  }
}

/** Writes the descriptor that such a server would hand out. */
export function writeDescriptorOf(path: string, name: string, keys = name): string {
  const { identifier: _, ...descriptor } = memberNamed(0, name, keys)
  writeFileSync(path, writeDescriptor(descriptor, identityOf(keys)))
  return path
}

export function rosterOf(members: readonly Member[], changes: Partial<Roster> = {}): Roster {
  return {
    ...{ rosterEpoch: 1, minSigners: 2, members },
    placement: { distinctOperators: false, distinctClouds: false, distinctJurisdictions: false },
    ...{ previousDigest: new Uint8Array(32), createdAt: 1, ...NO_SCHEDULE, transition: null },
    ...changes,
  }
}

/** Signed by servers of those names. */
export function signedByNames(
  roster: Roster,
  keys: Readonly<Record<number, string>>,
): SignedRoster {
  const encoded = encodeRoster(roster)
  const signatures = new Map(
    Object.entries(keys).map(([id, name]) => [Number(id), signRoster(encoded, identityOf(name))]),
  )
  return { roster: encoded, signatures }
}

const ALL = { 1: "alpha", 2: "beta", 3: "gamma" } as const

/** Three servers, 2 of 3, and the next rosters that all of them sign. */
export function chainOfThree(...next: readonly Partial<Roster>[]): RosterChain {
  const members = Object.entries(ALL).map(([id, name]) => memberNamed(Number(id), name))
  const chain = [signedByNames(rosterOf(members), ALL)]
  let roster = rosterOf(members)
  for (const changes of next) {
    const previousDigest = rosterDigest(encodeRoster(roster))
    roster = { ...roster, rosterEpoch: roster.rosterEpoch + 1, previousDigest, ...changes }
    chain.push(signedByNames(roster, ALL))
  }
  return chain
}

export function writeChain(path: string, chain: RosterChain): string {
  writeFileSync(path, encodeRosterChain(chain))
  return path
}
