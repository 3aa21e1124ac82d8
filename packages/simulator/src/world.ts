import { argon2Sync } from "node:crypto"
import {
  encodeRoster,
  type Member,
  type Roster,
  rosterDigest,
  type SignedRoster,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import type { Dependencies as ClientDependencies } from "@lockkeeper/client"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import {
  deriveSecrets,
  endpointOf,
  Gate,
  generateSeeds,
  inlineCompute,
  KeyServer,
  MemoryRowStore,
  parseConfig,
  type RowStore,
  SealedStore,
  type ServerSecrets,
  type ServerSelf,
} from "@lockkeeper/server"
import { SimulatedNetwork } from "./network.ts"
import { SeededRandomness } from "./seeded-randomness.ts"
import { Trace } from "./trace.ts"
import { VirtualClock } from "./virtual-clock.ts"

/** 2025-01-01T00:00:00Z: where virtual time begins. */
const START_MS = 1_735_689_600_000

const LIMITS = parseConfig({
  version: 1,
  listen: { port: 0 },
  tls: { certificate: "none", key: "none" },
}).limits

export interface WorldOptions {
  readonly seed: string
  readonly servers?: number
  readonly minSigners?: number
}

interface SimulatedServer {
  readonly identifier: Identifier
  readonly secrets: ServerSecrets
  readonly keyEncryptionKey: Bytes
  /** What survives the process: the database. */
  readonly rows: RowStore
  process: KeyServer | null
  /** Digest of the pool that an orderly stop left, until the next start. */
  left: Bytes | null
}

/**
 * Key servers, their databases, the network and the owner's machine, all in this process and all
 * from one seed. The code is the real one; only what reaches it through `Dependencies` is ours.
 */
export class World {
  readonly clock = new VirtualClock(START_MS)
  readonly trace = new Trace()
  readonly network: SimulatedNetwork
  readonly roster: Roster
  readonly signed: SignedRoster
  readonly #seed: string
  readonly #servers = new Map<Identifier, SimulatedServer>()
  readonly #enumerationSeed: Bytes
  #processes = 0

  private constructor({ seed, servers = 3, minSigners = 2 }: WorldOptions) {
    this.#seed = seed
    this.network = new SimulatedNetwork(this.clock, this.#randomness("network"), this.trace)
    this.#enumerationSeed = this.#randomness("enumeration seed").bytes(32)
    for (let identifier = 1; identifier <= servers; identifier++) {
      const randomness = this.#randomness(`server ${identifier}`)
      this.#servers.set(identifier, {
        identifier,
        secrets: deriveSecrets(generateSeeds(randomness)),
        keyEncryptionKey: randomness.bytes(32),
        rows: new MemoryRowStore(),
        process: null,
        left: null,
      })
    }
    this.roster = this.#makeRoster(minSigners)
    const roster = encodeRoster(this.roster)
    const signatures = new Map(
      [...this.#servers].map(([id, { secrets }]) => [id, signRoster(roster, secrets.identity)]),
    )
    this.signed = { roster, signatures }
  }

  /** A world whose servers all run. */
  static async create(options: WorldOptions): Promise<World> {
    const world = new World(options)
    for (const identifier of world.#servers.keys()) await world.start(identifier)
    return world
  }

  /** What the SDK needs to know of this world's servers. */
  get trust(): { readonly roster: Bytes; readonly pin: Bytes } {
    return {
      roster: encode(signedRosterCodec, this.signed),
      pin: rosterDigest(this.signed.roster),
    }
  }

  /** Starts a process of this server over its database; one that ran before is gone. */
  async start(identifier: Identifier): Promise<void> {
    const server = this.#servers.get(identifier)
    if (server === undefined) throw new RangeError(`there is no server ${identifier}`)
    const randomness = this.#randomness(`process ${this.#processes++} of server ${identifier}`)
    const key = Secret.copyOf(server.keyEncryptionKey)
    const keyServer = new KeyServer(this.#selfOf(server), {
      clock: this.clock,
      randomness,
      compute: inlineCompute,
      store: new SealedStore(server.rows, key, randomness),
      events: { event: () => undefined },
    })
    const { left } = server
    server.left = null
    await keyServer.start(left === null ? "unclean" : "orderly", left)
    server.process = keyServer
    this.network.attach(
      identifier,
      endpointOf(keyServer, new Gate(LIMITS), () => "ready"),
    )
  }

  /** Ends the server's process without ceremony. */
  kill(identifier: Identifier): void {
    this.network.cut(identifier)
  }

  /** Ends the server's process in order: what it leaves is vouched for at its next start. */
  stop(identifier: Identifier): void {
    this.network.cut(identifier)
    const server = this.#servers.get(identifier)
    if (server?.process == null) throw new RangeError(`server ${identifier} does not run`)
    server.process.stop()
    server.left = server.process.poolDigest()
    server.process = null
  }

  /** What an SDK on some machine of this world takes. */
  dependenciesFor(actor: string): ClientDependencies {
    return {
      clock: this.clock,
      randomness: this.#randomness(actor),
      network: this.network,
      compute: {
        async stretch(input, { memoryKib, passes, lanes }) {
          const parameters = { message: input.expose(), nonce: new Uint8Array(16) }
          const cost = { parallelism: lanes, tagLength: 64, memory: memoryKib, passes }
          return new Secret(new Uint8Array(argon2Sync("argon2id", { ...parameters, ...cost })))
        },
      },
    }
  }

  #randomness(actor: string): SeededRandomness {
    return new SeededRandomness(this.#seed, actor)
  }

  #makeRoster(minSigners: number): Roster {
    const members = [...this.#servers.values()].map(
      ({ identifier, secrets }): Member => ({
        identifier,
        name: `server-${identifier}`,
        url: `https://server-${identifier}.test:7443`,
        identityKey: secrets.identity.publicKey,
        channelKey: secrets.channelPublic,
        opaqueKey: secrets.keyExchange.publicKey,
        operator: `operator-${identifier}`,
        cloud: `cloud-${identifier}`,
        jurisdiction: `country-${identifier}`,
      }),
    )
    const placement = {
      distinctOperators: true,
      distinctClouds: true,
      distinctJurisdictions: true,
    }
    const previousDigest = new Uint8Array(32)
    return { rosterEpoch: 1, minSigners, members, placement, previousDigest, createdAt: START_MS }
  }

  #selfOf({ identifier, secrets }: SimulatedServer): ServerSelf {
    const { rosterEpoch, minSigners } = this.roster
    const { identity, keyExchange } = secrets
    return {
      identifier,
      roster: this.roster,
      signedRoster: this.signed,
      identity,
      channelSecret: Secret.copyOf(secrets.channelSecret.expose()),
      loginServer: {
        identifier,
        rosterEpoch,
        minSigners,
        ake: keyExchange,
        signer: identity,
        fakes: { seed: Secret.copyOf(this.#enumerationSeed), epoch: rosterEpoch },
        stretching: { memoryKib: 19_456, passes: 2, lanes: 1 },
      },
    }
  }
}
