import {
  encodeRoster,
  type Member,
  NO_SCHEDULE,
  type Roster,
  rosterDigest,
  type SignedRoster,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import {
  type Dependencies as ClientDependencies,
  type ConnectOptions,
  LockKeeper,
} from "@lockkeeper/client"
import { OperatorSession } from "@lockkeeper/client/operator"
import { type Identifier, Secret, sha512 } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import type { SealedStore, ServerConfig } from "@lockkeeper/server"
import { type Coordinator, InsideSessions } from "./coordinator.ts"
import type { DiskLatency, SimulatedDisk } from "./disk.ts"
import { Machine } from "./machine.ts"
import { LIMITS, type Planted } from "./machine-surroundings.ts"
import { SimulatedNetwork } from "./network.ts"
import { Observations } from "./observations.ts"
import { SeededRandomness } from "./seeded-randomness.ts"
import { SkewedClock } from "./skewed-clock.ts"
import { Trace } from "./trace.ts"
import { VirtualClock } from "./virtual-clock.ts"

/** 2025-01-01T00:00:00Z: where virtual time begins. */
const START_MS = 1_735_689_600_000

const LATENCY: DiskLatency = { readMs: 0, commitMs: 3 }

export interface WorldOptions extends Planted {
  readonly seed: string
  readonly servers?: number
  readonly minSigners?: number
  readonly limits?: Partial<ServerConfig["limits"]>
  readonly latency?: DiskLatency
}

/** Somebody who uses the SDK on a machine of their own. */
interface Actor {
  readonly clock: SkewedClock
  readonly randomness: SeededRandomness
}

/**
 * Key servers, their disks, the network and the owners' machines, all in this process and all from
 * one seed. The code is the real one; only what reaches it through `Dependencies` is ours.
 */
export class World {
  readonly clock = new VirtualClock(START_MS)
  readonly trace = new Trace()
  readonly observations = new Observations()
  readonly network: SimulatedNetwork
  readonly roster: Roster
  readonly signed: SignedRoster
  readonly #seed: string
  readonly #machines = new Map<Identifier, Machine>()
  readonly #clocks = new Map<Identifier | string, SkewedClock>()
  readonly #actors = new Map<string, Actor>()
  #processes = 0

  private constructor(options: WorldOptions) {
    const { seed, servers = 3, minSigners = 2 } = options
    this.#seed = seed
    const { clock, trace, observations } = this
    this.network = new SimulatedNetwork({
      ...{ clock, trace, observations, randomness: this.#randomness("network") },
      running: (identifier) => this.#machine(identifier).running,
      commitsOf: (identifier) => this.disk(identifier).commits,
    })
    const enumerationSeed = this.#randomness("enumeration seed").bytes(32)
    for (let identifier = 1; identifier <= servers; identifier++) {
      const machine = new Machine({
        ...options,
        ...{ identifier, clock, trace, observations, enumerationSeed },
        skewed: this.clockOf(identifier),
        randomness: (actor) => this.#randomness(actor),
        nextProcess: () => this.#processes++,
        latency: options.latency ?? LATENCY,
        limits: { ...LIMITS, ...options.limits },
        roster: () => ({ roster: this.roster, signed: this.signed }),
      })
      this.#machines.set(identifier, machine)
    }
    this.roster = this.#makeRoster(minSigners)
    const roster = encodeRoster(this.roster)
    const signatures = new Map(
      [...this.#machines].map(([id, { publicKeys }]) => [
        id,
        signRoster(roster, publicKeys.identity),
      ]),
    )
    this.signed = { roster, signatures }
  }

  /** A world whose servers all run. */
  static async create(options: WorldOptions): Promise<World> {
    const world = new World(options)
    await world.clock.run(async () => {
      for (const identifier of world.servers) await world.start(identifier)
    })
    return world
  }

  get servers(): readonly Identifier[] {
    return [...this.#machines.keys()]
  }

  /** What the SDK needs to know of this world's servers. */
  get trust(): { readonly roster: Bytes; readonly pin: Bytes } {
    return {
      roster: encode(signedRosterCodec, this.signed),
      pin: rosterDigest(this.signed.roster),
    }
  }

  /** Time as a server or an actor takes it to be. */
  clockOf(who: Identifier | string): SkewedClock {
    const clock = this.#clocks.get(who) ?? new SkewedClock(this.clock)
    this.#clocks.set(who, clock)
    return clock
  }

  /** Sets somebody's clock ahead of true time, or behind it. */
  skew(who: Identifier | string, ms: number): void {
    this.clockOf(who).skewMs = ms
  }

  disk(identifier: Identifier): SimulatedDisk {
    return this.#machine(identifier).disk
  }

  /** A copy of what lies on a server's disk, opened with its key: for checks from outside. */
  inspect(identifier: Identifier): SealedStore {
    return this.#machine(identifier).inspect()
  }

  /** The machine of a server, for a look at the process that runs there. */
  machine(identifier: Identifier): Machine {
    return this.#machine(identifier)
  }

  isRunning(identifier: Identifier): boolean {
    return this.#machine(identifier).running !== null
  }

  /** Starts a process of this server; one that ran before is killed. False when it did not come up. */
  start(identifier: Identifier): Promise<boolean> {
    return this.#machine(identifier).start()
  }

  /** Ends the server's process without ceremony. */
  kill(identifier: Identifier): void {
    this.#machine(identifier).kill()
  }

  /** Ends the server's process in order: what it leaves is vouched for at its next start. */
  stop(identifier: Identifier): Promise<void> {
    return this.#machine(identifier).stop()
  }

  /** Stops and starts in order. */
  async restart(identifier: Identifier): Promise<boolean> {
    await this.stop(identifier)
    return this.start(identifier)
  }

  /** Network, disks and clocks are as they should be; who is down stays down. */
  heal(): void {
    this.network.heal()
    for (const clock of this.#clocks.values()) clock.skewMs = 0
    for (const { disk } of this.#machines.values()) disk.heal()
  }

  /** What an SDK on some machine of this world takes; `coordinator` changes what it relays. */
  dependenciesFor(actor: string, coordinator: Coordinator | null = null): ClientDependencies {
    const { randomness, clock } = this.#actor(actor)
    const network = this.network.for(actor)
    const inside = coordinator && new InsideSessions(network, randomness, coordinator)
    return {
      clock,
      randomness: inside?.randomness ?? randomness,
      network: inside ?? network,
      compute: {
        // How long a password is stretched concerns nobody here; that it is, and by what, does.
        async stretch(input, { memoryKib, passes, lanes }) {
          const cost = new Uint8Array(Uint32Array.of(memoryKib, passes, lanes).buffer)
          return new Secret(sha512(input.expose(), cost))
        },
      },
    }
  }

  /** An actor's way to the servers; incidents it is told of are observed. */
  connect(
    actor: string,
    options: Partial<ConnectOptions> = {},
    coordinator: Coordinator | null = null,
  ): Promise<LockKeeper> {
    return LockKeeper.connect({
      ...{ ...this.trust, dependencies: this.dependenciesFor(actor, coordinator) },
      ...options,
      onIncident: (incident) => {
        this.observations.incidents.push({ actor, time: this.clock.now(), incident })
        options.onIncident?.(incident)
      },
    })
  }

  /** An operator's way to the servers: `server`, which has to run, says that it is its own. */
  operate(
    actor: string,
    server: Identifier,
    options: Partial<ConnectOptions> = {},
  ): Promise<OperatorSession> {
    return OperatorSession.open({
      ...{ ...this.trust, dependencies: this.dependenciesFor(actor) },
      ...options,
      certify: (publicKey) => this.#machine(server).certifyOperator(publicKey),
      onIncident: (incident) => {
        this.observations.incidents.push({ actor, time: this.clock.now(), incident })
        options.onIncident?.(incident)
      },
    })
  }

  #actor(name: string): Actor {
    const known = this.#actors.get(name)
    if (known !== undefined) return known
    // One stream for all that an actor does: none of its randomness comes twice.
    const actor = { clock: this.clockOf(name), randomness: this.#randomness(`actor ${name}`) }
    this.#actors.set(name, actor)
    return actor
  }

  #machine(identifier: Identifier): Machine {
    const machine = this.#machines.get(identifier)
    if (machine === undefined) throw new RangeError(`there is no server ${identifier}`)
    return machine
  }

  #randomness(actor: string): SeededRandomness {
    return new SeededRandomness(this.#seed, actor)
  }

  #makeRoster(minSigners: number): Roster {
    const members = [...this.#machines.values()].map(
      ({ identifier, publicKeys: { identity, channelPublic, keyExchange } }): Member => ({
        identifier,
        name: `server-${identifier}`,
        url: `https://server-${identifier}.test:7443`,
        identityKey: identity.publicKey,
        channelKey: channelPublic,
        opaqueKey: keyExchange.publicKey,
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
    return {
      ...{ rosterEpoch: 1, minSigners, members, placement, previousDigest, createdAt: START_MS },
      ...NO_SCHEDULE,
      transition: null,
    }
  }
}
