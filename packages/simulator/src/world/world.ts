import {
  encodeRosterChain,
  type Roster,
  type RosterChain,
  rosterDigest,
  type SignedRoster,
} from "@lockkeeper/api"
import {
  type Dependencies as ClientDependencies,
  type ConnectOptions,
  LockKeeper,
} from "@lockkeeper/client"
import { OperatorSession } from "@lockkeeper/client/operator"
import { type Identifier, Secret, sha512 } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { SealedStore, ServerConfig } from "@lockkeeper/server"
import { type Coordinator, InsideSessions } from "./coordinator.ts"
import { SimulatedDevice } from "./device-secrets.ts"
import type { DiskLatency, SimulatedDisk } from "./disk.ts"
import { Machine } from "./machine.ts"
import { LIMITS, type Planted } from "./machine-surroundings.ts"
import { SimulatedNetwork } from "./network.ts"
import { Observations } from "./observations.ts"
import { firstRoster, memberOf, nextRoster, signedBy, type Target } from "./rosters.ts"
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
  readonly device: SimulatedDevice
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
  readonly #seed: string
  readonly #options: WorldOptions
  readonly #enumerationSeed: Bytes
  /** Of every server that was ever set up. */
  readonly #machines = new Map<Identifier, Machine>()
  /** Of those that are or were members of some roster, and are not out of it for good. */
  readonly #present = new Set<Identifier>()
  /** Every roster that was signed, oldest first. */
  #rosters: readonly Roster[]
  #chain: RosterChain
  /** How many of them operators have handed out. */
  #published = 1
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
    this.#options = options
    this.#enumerationSeed = this.#randomness("enumeration seed").bytes(32)
    for (let identifier = 1; identifier <= servers; identifier++) this.#setUp(identifier)
    const members = [...this.#machines.values()].map(memberOf)
    const roster = firstRoster(members, minSigners, START_MS)
    this.#rosters = [roster]
    this.#chain = [signedBy(this.#machines, roster)]
  }

  /** A world whose servers all run. */
  static async create(options: WorldOptions): Promise<World> {
    const world = new World(options)
    await world.clock.run(async () => {
      for (const identifier of world.servers) await world.start(identifier)
    })
    return world
  }

  /** Those that are members, or were and still have to leave. */
  get servers(): readonly Identifier[] {
    return [...this.#present]
  }

  /** Those too that are out for good. */
  get everyServer(): readonly Identifier[] {
    return [...this.#machines.keys()]
  }

  /** The roster that operators handed out last. */
  get roster(): Roster {
    return this.#rosters[this.#published - 1] as Roster
  }

  get signed(): SignedRoster {
    return this.#chain[this.#published - 1] as SignedRoster
  }

  /** Every roster that was signed, oldest first. */
  get rosters(): readonly Roster[] {
    return this.#rosters
  }

  /** The same with their signatures. */
  get chain(): RosterChain {
    return this.#chain
  }

  /** What a server may follow: up to the last roster that lists it. */
  chainFor(server: Identifier): RosterChain {
    const lists = ({ members }: Roster): boolean =>
      members.some(({ identifier }) => identifier === server)
    return this.#chain.slice(0, this.#rosters.findLastIndex(lists) + 1)
  }

  /** What the SDK needs to know of this world's servers. */
  get trust(): { readonly roster: Bytes; readonly pin: Bytes } {
    return {
      roster: encodeRosterChain(this.#chain.slice(0, this.#published)),
      pin: rosterDigest((this.#chain[0] as SignedRoster).roster),
    }
  }

  /**
   * All members of the next roster sign it: the one in transition to `target`, or where that is null
   * the one that settles the last. Nobody follows it yet; who joins is set up.
   */
  sign(target: Target | null): Roster {
    const joins = this.#chain.length + 1
    for (const one of target?.holders ?? []) if (!this.#machines.has(one)) this.#setUp(one, joins)
    for (const one of target?.dropped ?? []) this.leave(one)
    const before = this.#rosters.at(-1) as Roster
    const members = [...this.#machines.values()].map(memberOf)
    const roster = nextRoster(before, target, members, this.clock.now())
    for (const { identifier } of roster.members) this.#present.add(identifier)
    this.#rosters = [...this.#rosters, roster]
    this.#chain = [...this.#chain, signedBy(this.#machines, roster)]
    return roster
  }

  /** Operators hand out what was signed: whoever begins now knows it. */
  publish(): void {
    this.#published = this.#chain.length
  }

  /** It is out for good: whether it runs on is nobody's business. */
  leave(identifier: Identifier): void {
    this.#present.delete(identifier)
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
    const { randomness, clock, device } = this.#actor(actor)
    const network = this.network.for(actor)
    const inside = coordinator && new InsideSessions(network, randomness, coordinator)
    return {
      clock,
      randomness: inside?.randomness ?? randomness,
      network: inside ?? network,
      deviceSecrets: device,
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

  /** @param knows - how many rosters it is set up with. */
  #setUp(identifier: Identifier, knows = 1): void {
    const { clock, trace, observations } = this
    const options = this.#options
    const machine = new Machine({
      ...options,
      ...{ identifier, clock, trace, observations, enumerationSeed: this.#enumerationSeed },
      skewed: this.clockOf(identifier),
      randomness: (actor) => this.#randomness(actor),
      nextProcess: () => this.#processes++,
      latency: options.latency ?? LATENCY,
      limits: { ...LIMITS, ...options.limits },
      chain: () => this.#chain.slice(0, knows),
    })
    this.#machines.set(identifier, machine)
    this.#present.add(identifier)
  }

  #actor(name: string): Actor {
    const known = this.#actors.get(name)
    if (known !== undefined) return known
    // One stream for all that an actor does: none of its randomness comes twice.
    const randomness = this.#randomness(`actor ${name}`)
    const device = new SimulatedDevice(randomness)
    const actor = { clock: this.clockOf(name), randomness, device }
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
}
