import { argon2Sync } from "node:crypto"
import {
  DEFAULT_STRETCHING,
  encodeRoster,
  encodeRosterChain,
  type Member,
  NO_SCHEDULE,
  type Roster,
  rosterDigest,
  type SignedRoster,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import {
  type ConnectOptions,
  type Dependencies,
  LockKeeper,
  type Patience,
} from "@lockkeeper/client"
import { type Identifier, Secret, type SigningKey, sha512 } from "@lockkeeper/crypto"
import { type Bytes, concat, encode, utf8 } from "@lockkeeper/encoding"
import {
  deriveSecrets,
  generateSeeds,
  inlineCompute,
  KeyServer,
  MemoryRowStore,
  type RowStore,
  SealedStore,
  type ServerSecrets,
  type ServerSelf,
} from "@lockkeeper/server"
import { TestDevice } from "./device-secrets.ts"
import { linkTo, type Wire } from "./wire.ts"

/** Bytes that depend on the seed alone. */
export function seededRandomness(seed: string): { bytes(length: number): Bytes } {
  let counter = 0
  return {
    bytes(length) {
      const blocks: Bytes[] = []
      while (blocks.length * 64 < length) blocks.push(sha512(utf8(`${seed}/${counter++}`)))
      return concat(...blocks).slice(0, length)
    },
  }
}

/** One real key server over a store in memory. */
export interface TestServer {
  readonly server: KeyServer
  readonly store: SealedStore
  readonly rows: RowStore
  readonly self: ServerSelf
}

export interface ClusterOptions {
  readonly servers?: number
  /** How many of them the first roster lists: the others join later. All by default. */
  readonly listed?: number
  readonly minSigners?: number
  readonly urls?: readonly string[]
  /** Who runs each server; where they are named, no two of one may sign together. */
  readonly operators?: readonly string[]
  /** Whether this server's signature over these bytes is spoilt. */
  readonly spoils?: (identifier: Identifier, message: Uint8Array) => boolean
}

/** Argon2id as in earnest, but at the cost of a test. */
async function quickStretch(input: Secret): Promise<Secret> {
  const [message, nonce] = [input.expose(), new Uint8Array(16)]
  const cost = { parallelism: 1, tagLength: 64, memory: 1024, passes: 1 }
  return new Secret(new Uint8Array(argon2Sync("argon2id", { message, nonce, ...cost })))
}

/** Real key servers in this process; `wires` is the network, to be cut, slowed and counted. */
export class TestCluster {
  roster: Roster
  signed: SignedRoster
  /** Those of before, oldest first. */
  rostersBefore: readonly SignedRoster[] = []
  readonly servers = new Map<Identifier, TestServer>()
  readonly wires = new Map<Identifier, Wire>()
  /** The device that owners are at, if no other is named. */
  readonly device = new TestDevice(seededRandomness("device"))
  readonly #secrets: readonly ServerSecrets[]
  readonly #options: ClusterOptions
  #started = 0

  private constructor(options: ClusterOptions) {
    const { servers = 3, listed = servers, minSigners = 2 } = options
    this.#options = options
    this.#secrets = Array.from({ length: servers }, (_, i) =>
      deriveSecrets(generateSeeds(seededRandomness(`server ${i + 1}`))),
    )
    this.roster = rosterOf(this.#secrets.slice(0, listed), minSigners, options)
    this.signed = this.#signed(this.roster)
  }

  #signed(roster: Roster): SignedRoster {
    const encoded = encodeRoster(roster)
    const signatures = roster.members.map(({ identifier }) => {
      const { identity } = this.#secrets[identifier - 1] as ServerSecrets
      return [identifier, signRoster(encoded, identity)] as const
    })
    return { roster: encoded, signatures: new Map(signatures) }
  }

  /** The roster after the one in force, signed by every server; nobody follows it yet. */
  nextRoster(changes: Partial<Roster>): { readonly roster: Roster; readonly signed: SignedRoster } {
    const { rosterEpoch } = this.roster
    const previousDigest = rosterDigest(this.signed.roster)
    const roster = { ...this.roster, rosterEpoch: rosterEpoch + 1, previousDigest, ...changes }
    return { roster, signed: this.#signed(roster) }
  }

  /** As a roster lists it, whether or not the one in force does. */
  memberAs(identifier: Identifier): Member {
    return rosterOf(this.#secrets, 2, this.#options).members[identifier - 1] as Member
  }

  /** Every server is started again and follows the next roster; who joins has an empty store. */
  async changeRoster(changes: Partial<Roster>): Promise<void> {
    const { roster, signed } = this.nextRoster(changes)
    this.rostersBefore = [...this.rostersBefore, this.signed]
    this.roster = roster
    this.signed = signed
    for (const { identifier } of roster.members) {
      if (!this.wires.has(identifier)) this.wires.set(identifier, { calls: 0 })
      await this.restart(identifier)
    }
  }

  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options)
    for (const { identifier } of cluster.roster.members) {
      await cluster.#startServer(identifier, new MemoryRowStore())
      cluster.wires.set(identifier, { calls: 0 })
    }
    return cluster
  }

  get signedRoster(): Bytes {
    return encode(signedRosterCodec, this.signed)
  }

  /** With those before it, as operators hand it out. */
  get rosterChain(): Bytes {
    return encodeRosterChain([...this.rostersBefore, this.signed])
  }

  get pin(): Bytes {
    return rosterDigest(this.signed.roster)
  }

  server(identifier: Identifier): TestServer {
    return this.servers.get(identifier) as TestServer
  }

  wire(identifier: Identifier): Wire {
    return this.wires.get(identifier) as Wire
  }

  /** Its database is gone for good. */
  loseStore(identifier: Identifier): void {
    this.servers.delete(identifier)
  }

  /** Every process of before is gone, with its sessions and nonces; the rows stay. */
  async restart(identifier: Identifier): Promise<void> {
    const rows = this.servers.get(identifier)?.rows ?? new MemoryRowStore()
    await this.#startServer(identifier, rows)
  }

  /** The SDK on this cluster. */
  connect(
    patience: Partial<Patience> = {},
    changed: Partial<Dependencies> = {},
    others: Pick<ConnectOptions, "onRoster"> = {},
  ): Promise<LockKeeper> {
    const { rosterChain: roster, pin } = this
    const quick = {
      callMs: 2_000,
      hedgeMs: 300,
      keyGenerationStepMs: 1_500,
      presigningStepMs: 3_000,
      ...patience,
    }
    const dependencies = { ...this.dependencies(), ...changed }
    return LockKeeper.connect({ roster, pin, patience: quick, dependencies, ...others })
  }

  dependencies(): Partial<Dependencies> {
    return {
      compute: { stretch: quickStretch },
      deviceSecrets: this.device,
      network: {
        connect: (member: Member) =>
          linkTo(() => this.server(member.identifier).server, this.wire(member.identifier)),
      },
    }
  }

  async #startServer(identifier: Identifier, rows: RowStore): Promise<void> {
    const own = this.#secrets[identifier - 1] as ServerSecrets
    const randomness = seededRandomness(`randomness ${identifier} ${this.#started++}`)
    const key = new Secret(sha512(utf8(`key-encryption key ${identifier}`)).slice(0, 32))
    const store = new SealedStore(rows, key, randomness)
    const clock = { now: () => Date.now() }
    const events = { event: () => undefined }
    const deps = { clock, randomness, compute: inlineCompute, store, events }
    const identity = spoilt(own.identity, (m) => this.#options.spoils?.(identifier, m) ?? false)
    const named = selfOf(identifier, { ...own, identity }, this.roster, this.signed)
    const self = { ...named, rostersBefore: this.rostersBefore }
    const server = new KeyServer(self, deps)
    await server.start("unclean")
    this.servers.set(identifier, { server, store, rows, self })
  }
}

function spoilt(identity: SigningKey, spoils: (message: Uint8Array) => boolean): SigningKey {
  const { publicKey } = identity
  return {
    publicKey,
    sign: (message) => identity.sign(spoils(message) ? concat(message, message) : message),
  }
}

function rosterOf(
  secrets: readonly ServerSecrets[],
  minSigners: number,
  { urls = [], operators }: ClusterOptions,
): Roster {
  const members = secrets.map(
    (own, i): Member => ({
      identifier: i + 1,
      name: `server-${i + 1}`,
      url: urls[i] ?? `https://server-${i + 1}.example`,
      identityKey: own.identity.publicKey,
      channelKey: own.channelPublic,
      opaqueKey: own.keyExchange.publicKey,
      operator: operators?.[i] ?? `operator-${i + 1}`,
      cloud: `cloud-${i + 1}`,
      jurisdiction: `country-${i + 1}`,
    }),
  )
  const placement = {
    distinctOperators: operators !== undefined,
    distinctClouds: false,
    distinctJurisdictions: false,
  }
  const previousDigest = new Uint8Array(32)
  return {
    ...{ rosterEpoch: 1, minSigners, members, placement, previousDigest, createdAt: 1 },
    ...NO_SCHEDULE,
    transition: null,
  }
}

function selfOf(
  identifier: Identifier,
  own: ServerSecrets,
  roster: Roster,
  signedRoster: SignedRoster,
): ServerSelf {
  const seed = new Secret(sha512(utf8("enumeration seed")).slice(0, 32))
  const { rosterEpoch, minSigners } = roster
  return {
    identifier,
    roster,
    signedRoster,
    rostersBefore: [],
    identity: own.identity,
    channelSecret: Secret.copyOf(own.channelSecret.expose()),
    loginServer: {
      ...{ identifier, rosterEpoch, minSigners, stretching: DEFAULT_STRETCHING },
      ake: own.keyExchange,
      signer: own.identity,
      fakes: { seed },
    },
  }
}
