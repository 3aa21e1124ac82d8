import {
  encodeRoster,
  type Member,
  type Roster,
  rosterDigest,
  type SignedRoster,
  signRoster,
  transitionFrom,
} from "@lockkeeper/api"
import { type Identifier, Secret, sha512 } from "@lockkeeper/crypto"
import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import { inlineCompute } from "../src/adapters/inline-compute.ts"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import {
  deriveSecrets,
  generateSeeds,
  type ServerSecrets,
} from "../src/directory/server-secrets.ts"
import { KeyServer, type StoreCondition } from "../src/key-server.ts"
import type { Dependencies, Randomness } from "../src/ports/dependencies.ts"
import type { RowStore } from "../src/ports/row-store.ts"
import { SealedStore } from "../src/sealing/sealed-store.ts"
import type { ServerSelf } from "../src/self.ts"

/** Deterministic bytes for tests: SHA-512 in counter mode over a name. */
export function seededRandomness(seed: string): Randomness {
  let counter = 0
  return {
    bytes(length) {
      const blocks: Bytes[] = []
      for (let made = 0; made < length; made += 64)
        blocks.push(sha512(utf8(`${seed}/${counter++}`)))
      return concat(...blocks).slice(0, length)
    },
  }
}

export interface TestServer {
  readonly identifier: Identifier
  readonly server: KeyServer
  readonly rows: RowStore
  readonly store: SealedStore
  readonly deps: Dependencies
  readonly self: ServerSelf
}

export interface TestCluster {
  roster: Roster
  signed: SignedRoster
  /** Those of before, oldest first. */
  rostersBefore: readonly SignedRoster[]
  readonly servers: Map<Identifier, TestServer>
  readonly clock: { time: number }
  /** Of server 1, 2 and so on, also of those that the roster does not list. */
  readonly secrets: readonly ServerSecrets[]
}

export interface ClusterOptions {
  readonly servers?: number
  readonly minSigners?: number
  /** By default each server has an operator of its own, and no placement rule holds. */
  readonly operators?: readonly string[]
  readonly distinctOperators?: boolean
  readonly cryptoperiodDays?: number
  /** Wraps the rows of a server, to fail or to spy. */
  readonly rows?: (identifier: Identifier) => RowStore
}

/** Key servers in this process, over stores in memory, with seeded randomness and a set clock. */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const { servers: n = 3, minSigners = 2, rows = () => new MemoryRowStore() } = options
  const clock = { time: 1_700_000_000_000 }
  const secrets = secretsOf(n)
  const roster = rosterOf(secrets, minSigners, clock.time, options)
  const encoded = encodeRoster(roster)
  const signatures = new Map(secrets.map((s, i) => [i + 1, signRoster(encoded, s.identity)]))
  const signed: SignedRoster = { roster: encoded, signatures }
  const servers = new Map<Identifier, TestServer>()
  for (const [i, own] of secrets.entries()) {
    const identifier = i + 1
    servers.set(
      identifier,
      await startServer({ identifier, own, roster, signed, clock, rows: rows(identifier) }),
    )
  }
  return { roster, signed, rostersBefore: [], servers, clock, secrets }
}

/** Every server stops without ceremony, and those that the next roster lists start under it. */
export async function changeRoster(cluster: TestCluster, changes: Partial<Roster>): Promise<void> {
  const { roster: before, signed, secrets } = cluster
  const rosterEpoch = before.rosterEpoch + 1
  const previousDigest = rosterDigest(signed.roster)
  const roster = { ...before, rosterEpoch, previousDigest, ...changes }
  const encoded = encodeRoster(roster)
  const signatures = new Map(secrets.map((s, i) => [i + 1, signRoster(encoded, s.identity)]))
  cluster.rostersBefore = [...cluster.rostersBefore, signed]
  cluster.roster = roster
  cluster.signed = { roster: encoded, signatures }
  for (const { identifier } of roster.members) await restart(cluster, identifier)
}

function secretsOf(count: number): readonly ServerSecrets[] {
  return Array.from({ length: count }, (_, i) =>
    deriveSecrets(generateSeeds(seededRandomness(`server ${i + 1}`))),
  )
}

/** The roster after the cluster's, in transition to these holders, who joins being server 4, 5 and so on. */
export function inTransition(
  { roster }: TestCluster,
  holders: readonly Identifier[],
  minSigners: number,
): Roster {
  const all = rosterOf(secretsOf(Math.max(...holders)), minSigners, roster.createdAt, {})
  const stay = roster.members.map(({ identifier }) => identifier)
  const joining = all.members.filter(
    ({ identifier }) => holders.includes(identifier) && !stay.includes(identifier),
  )
  const leaving = stay.filter((one) => !holders.includes(one))
  return {
    ...{ ...roster, rosterEpoch: roster.rosterEpoch + 1, minSigners },
    members: [...roster.members, ...joining].sort((a, b) => a.identifier - b.identifier),
    previousDigest: rosterDigest(encodeRoster(roster)),
    transition: transitionFrom(roster, minSigners, leaving),
  }
}

/** The same servers under the next roster, started again; who joins has an empty store. */
export async function follow(cluster: TestCluster, roster: Roster): Promise<TestCluster> {
  const { clock, servers: before } = cluster
  const ids = roster.members.map(({ identifier }) => identifier)
  const secrets = secretsOf(Math.max(cluster.secrets.length, ...ids))
  const encoded = encodeRoster(roster)
  const own = (identifier: Identifier) => secrets[identifier - 1] as ServerSecrets
  const signatures = new Map(ids.map((id) => [id, signRoster(encoded, own(id).identity)]))
  const signed: SignedRoster = { roster: encoded, signatures }
  const rostersBefore = [...cluster.rostersBefore, cluster.signed]
  const servers = new Map<Identifier, TestServer>()
  for (const identifier of ids) {
    const rows = before.get(identifier)?.rows ?? new MemoryRowStore()
    const start = { identifier, own: own(identifier), roster, signed, rostersBefore, clock, rows }
    servers.set(identifier, await startServer(start))
  }
  return { roster, signed, rostersBefore, servers, clock, secrets }
}

function rosterOf(
  secrets: readonly ServerSecrets[],
  minSigners: number,
  now: number,
  { operators = [], distinctOperators = false, cryptoperiodDays = 0 }: ClusterOptions,
): Roster {
  const members = secrets.map(
    (own, i): Member => ({
      identifier: i + 1,
      name: `server-${i + 1}`,
      url: `https://127.0.0.1:${7000 + i}`,
      identityKey: own.identity.publicKey,
      channelKey: own.channelPublic,
      opaqueKey: own.keyExchange.publicKey,
      operator: operators[i] ?? `operator-${i + 1}`,
      cloud: `cloud-${i + 1}`,
      jurisdiction: `country-${i + 1}`,
    }),
  )
  const placement = { distinctOperators, distinctClouds: false, distinctJurisdictions: false }
  const previousDigest = new Uint8Array(32)
  return {
    ...{ rosterEpoch: 1, minSigners, members, placement, previousDigest, createdAt: now },
    ...{ refreshHours: 0, cryptoperiodDays, transition: null },
  }
}

interface Start {
  readonly identifier: Identifier
  readonly own: ServerSecrets
  readonly roster: Roster
  readonly signed: SignedRoster
  readonly clock: { time: number }
  readonly rows: RowStore
  readonly rostersBefore?: readonly SignedRoster[]
  /** Seeded by the number of servers that were started, unless given. */
  readonly randomness?: Randomness
  /** What its anchor would say; a kill without ceremony by default. */
  readonly condition?: StoreCondition
  /** Digest of the pool as the process before left it in order. */
  readonly pool?: Bytes
}

let started = 0

/** One server over given rows; a second one over the same rows is a restart. */
export async function startServer(start: Start): Promise<TestServer> {
  const { identifier, own, roster, signed, clock, rows } = start
  const randomness = start.randomness ?? seededRandomness(`randomness ${identifier} ${started++}`)
  const key = new Secret(sha512(utf8(`key-encryption key ${identifier}`)).slice(0, 32))
  const store = new SealedStore(rows, key, randomness)
  const deps: Dependencies = {
    clock: { now: () => clock.time },
    randomness,
    compute: inlineCompute,
    store,
    events: { event: () => undefined },
  }
  const seed = new Secret(sha512(utf8("enumeration seed")).slice(0, 32))
  const self: ServerSelf = {
    identifier,
    roster,
    signedRoster: signed,
    rostersBefore: start.rostersBefore ?? [],
    identity: own.identity,
    channelSecret: Secret.copyOf(own.channelSecret.expose()),
    loginServer: {
      identifier,
      rosterEpoch: roster.rosterEpoch,
      minSigners: roster.minSigners,
      ake: own.keyExchange,
      signer: own.identity,
      fakes: { seed },
      stretching: { memoryKib: 19_456, passes: 2, lanes: 1 },
    },
  }
  const server = new KeyServer(self, deps)
  await server.start(start.condition ?? "unclean", start.pool ?? null)
  return { identifier, server, rows, store, deps, self }
}

/** Stops one server, without ceremony unless said otherwise, and starts another over its rows. */
export async function restart(
  cluster: TestCluster,
  identifier: Identifier,
  left: Pick<Start, "condition" | "pool"> = {},
): Promise<TestServer> {
  const { roster, signed, rostersBefore, clock, secrets, servers } = cluster
  const own = secrets[identifier - 1] as ServerSecrets
  const { rows } = servers.get(identifier) as TestServer
  const again = { identifier, own, roster, signed, rostersBefore, clock, rows, ...left }
  const started = await startServer(again)
  servers.set(identifier, started)
  return started
}
