import {
  encodeRoster,
  encodeRosterChain,
  LockKeeperError,
  type Member,
  NO_SCHEDULE,
  type Roster,
  type RosterChain,
  rosterDigest,
  type SignedRoster,
  signRoster,
} from "@lockkeeper/api"
import { LockKeeper, type ServerLink } from "@lockkeeper/client"
import { type Identifier, Secret, sha512 } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import {
  deriveSecrets,
  generateSeeds,
  inlineCompute,
  KeyServer,
  SealedStore,
  type ServerSecrets,
} from "@lockkeeper/server"
import { SimulatedDisk } from "../../world/disk.ts"
import { SeededRandomness } from "../../world/seeded-randomness.ts"
import { seeded } from "../seeded.ts"

/** Real key servers, each over a disk of its own that is copied before every attack. */

const SEED = "attack/moves"

/** 2026-01-01T00:00:00Z. */
export const START_MS = 1_767_225_600_000

/** A roster with those before it. */
export interface Followed {
  readonly roster: Roster
  readonly signed: SignedRoster
  readonly before: RosterChain
}

/** A server that runs over some disk. */
export interface Running {
  readonly identifier: Identifier
  readonly server: KeyServer
  readonly store: SealedStore
  readonly followed: Followed
  /** What is left of it when it ends. */
  readonly disk: SimulatedDisk
}

const made = new Map<Identifier, ServerSecrets>()

/** What a server signs and opens sessions with. */
export function secretsOf(identifier: Identifier): ServerSecrets {
  const known = made.get(identifier)
  if (known !== undefined) return known
  const randomness = new SeededRandomness(SEED, `server ${identifier}`)
  const secrets = deriveSecrets(generateSeeds(randomness))
  made.set(identifier, secrets)
  return secrets
}

export function memberFor(identifier: Identifier): Member {
  const { identity, channelPublic, keyExchange } = secretsOf(identifier)
  return {
    ...{ identifier, name: `server-${identifier}`, url: `https://server-${identifier}.test:7443` },
    ...{ identityKey: identity.publicKey, channelKey: channelPublic },
    opaqueKey: keyExchange.publicKey,
    ...{ operator: `operator-${identifier}`, cloud: "", jurisdiction: "" },
  }
}

export function firstRoster(minSigners: number, servers: readonly Identifier[]): Roster {
  const placement = {
    distinctOperators: false,
    distinctClouds: false,
    distinctJurisdictions: false,
  }
  return {
    ...{ rosterEpoch: 1, minSigners, members: servers.map(memberFor), placement },
    ...{ previousDigest: new Uint8Array(32), createdAt: START_MS, ...NO_SCHEDULE },
    transition: null,
  }
}

/** The roster after another, as its members sign it. */
export function followedBy(before: Followed | null, roster: Roster): Followed {
  const encoded = encodeRoster(roster)
  const signers = new Set(
    [...roster.members, ...(before?.roster.members ?? [])].map(({ identifier }) => identifier),
  )
  const signatures = new Map(
    [...signers]
      .sort((a, b) => a - b)
      .map((id) => [id, signRoster(encoded, secretsOf(id).identity)]),
  )
  const signed = { roster: encoded, signatures }
  return { roster, signed, before: before === null ? [] : [...before.before, before.signed] }
}

/** What makes one roster the next one after another. */
export function after({
  roster,
  signed,
}: Followed): Pick<Roster, "rosterEpoch" | "previousDigest"> {
  return { rosterEpoch: roster.rosterEpoch + 1, previousDigest: rosterDigest(signed.roster) }
}

/** A server starts over a disk, as after a crash. @param what - names its randomness. */
export async function start(
  followed: Followed,
  identifier: Identifier,
  disk: SimulatedDisk,
  { now, what }: { readonly now: number; readonly what: string },
): Promise<Running> {
  const { roster, signed, before } = followed
  const { identity, channelSecret, keyExchange } = secretsOf(identifier)
  const randomness = new SeededRandomness(SEED, `${what} of ${identifier}`)
  const key = new Secret(seeded(`moves/key encryption ${identifier}`))
  const store = new SealedStore(disk.mount(), key, randomness)
  const { rosterEpoch, minSigners } = roster
  const server = new KeyServer(
    {
      ...{ identifier, roster, signedRoster: signed, rostersBefore: before, identity },
      channelSecret: Secret.copyOf(channelSecret.expose()),
      loginServer: {
        ...{ identifier, rosterEpoch, minSigners, ake: keyExchange, signer: identity },
        fakes: { seed: new Secret(seeded("moves/enumeration seed")) },
        stretching: { memoryKib: 19_456, passes: 2, lanes: 1 },
      },
    },
    {
      ...{ clock: { now: () => now }, randomness, compute: inlineCompute, store },
      events: { event: () => undefined },
    },
  )
  await server.start("unclean")
  return { identifier, server, store, followed, disk }
}

/** The same server over a copy of what it has, so that nothing of what follows stays. */
export function copyOf({ disk }: Running): SimulatedDisk {
  const copy = new SimulatedDisk()
  copy.restore(disk.snapshot())
  return copy
}

/** The SDK of an owner, beside servers that run in this process. */
export function connect(
  { roster, signed, before }: Followed,
  running: ReadonlyMap<Identifier, Running>,
): Promise<LockKeeper> {
  const chain = encodeRosterChain([...before, signed])
  const at = (identifier: Identifier): KeyServer => {
    const found = running.get(identifier)
    if (found !== undefined) return found.server
    throw new LockKeeperError("unavailable", "There is no such server.", { server: identifier })
  }
  const link = ({ identifier }: Member): ServerLink => ({
    open: (hello) => at(identifier).open(hello),
    call: (frame) => at(identifier).call(frame),
    roster: async () => chain,
    status: () => Promise.reject(new LockKeeperError("unavailable", "It does not say.")),
    close: () => undefined,
  })
  return LockKeeper.connect({
    ...{ roster: chain, pin: rosterDigest(signed.roster) },
    dependencies: {
      clock: { now: () => roster.createdAt, wait: (_ms, signal) => aborted(signal) },
      randomness: new SeededRandomness(SEED, "owner"),
      network: { connect: link },
      compute: { stretch: async (input) => new Secret(stretched(input.expose())) },
    },
  })
}

/** Nobody waits here: what is waited for is there, or never comes. */
function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true })
  })
}

function stretched(input: Uint8Array): Bytes {
  return sha512(input)
}
