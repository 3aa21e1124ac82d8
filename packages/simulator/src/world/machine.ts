import { LockKeeperError, type RosterChain, signedCredentialCodec } from "@lockkeeper/api"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import {
  checkClock,
  type Dependencies,
  deriveSecrets,
  encodeAnchor,
  endpointOf,
  Gate,
  generateSeeds,
  type Holdings,
  heldShares,
  inlineCompute,
  judgeStore,
  KeyServer,
  markStart,
  markStop,
  type RowChange,
  SealBroken,
  SealedStore,
  type ServerSecrets,
  type ServerSelf,
  type ServerState,
  StoreUnavailable,
  Turnstile,
} from "@lockkeeper/server"
import { SimulatedDisk } from "./disk.ts"
import type { MachineSurroundings, RunningProcess } from "./machine-surroundings.ts"
import type { MeantBatch, ObservedCommit } from "./observations.ts"
import { followedIn, lastOf, type Onward, rosterIn, stepTo } from "./succession.ts"
import { WatchedStore } from "./watched-store.ts"

/** How often a process does its housekeeping. */
const TIDY_MS = 60_000

/** Longest that a running server waits for calls under way before it goes on to another roster. */
const DRAIN_MS = 5_000

/** How often an orderly stop looks whether requests are still under way. */
const DRAIN_STEP_MS = 20

const EMPTY = new Uint8Array(0)

interface Process extends RunningProcess {
  readonly turnstile: Turnstile
  readonly deps: Dependencies
  readonly gate: Gate
  readonly store: WatchedStore
  readonly end: AbortController
  state: ServerState
  /** Settles when a change of the roster that is under way has ended. */
  changing: Promise<unknown>
}

/** One key server's machine: its secrets, its disk, and whichever process runs on it. */
export class Machine {
  readonly identifier: Identifier
  readonly disk: SimulatedDisk
  readonly publicKeys: Pick<ServerSecrets, "identity" | "channelPublic" | "keyExchange">
  readonly #around: MachineSurroundings
  readonly #seeds: Bytes
  readonly #keyEncryptionKey: Bytes
  #process: Process | null = null
  /** Ends a start that is under way. */
  #starting: AbortController | null = null
  /** The number of the latest process, also while it starts. */
  #number = -1

  constructor(around: MachineSurroundings) {
    this.#around = around
    this.identifier = around.identifier
    const randomness = around.randomness(`server ${around.identifier}`)
    this.#seeds = generateSeeds(randomness)
    this.publicKeys = this.#secrets()
    this.#keyEncryptionKey = randomness.bytes(32)
    this.disk = new SimulatedDisk({
      clock: around.clock,
      randomness: around.randomness(`disk ${around.identifier}`),
      latency: around.latency,
      watcher: {
        applied: (_batch: readonly RowChange[], positions, note) => {
          const { changes, events } = (note ?? { changes: [], events: [] }) as MeantBatch
          const entries = events.map((entry, i) => ({ ...entry, ...positions[i] }))
          const { identifier: server } = this
          const [process, time] = [this.#number, around.clock.now()]
          const { history } = this.disk
          const commit = { server, time, process, history, changes, entries }
          around.observations.commits.push(commit as ObservedCommit)
        },
        crashed: (when) => {
          this.#note(`crash-${when}`)
          this.#die()
        },
      },
    })
  }

  /** The process that takes requests; null while it stops. */
  get running(): RunningProcess | null {
    return this.#process?.state === "ready" ? this.#process : null
  }

  /** The key server that runs now, for a look into its memory. */
  get server(): KeyServer | null {
    return this.#process?.turnstile.server ?? null
  }

  /** The number of the roster that the process that runs follows; null while none does. */
  get rosterEpoch(): number | null {
    return this.server?.self.roster.rosterEpoch ?? null
  }

  /** Of how many keys and accounts its disk holds shares. */
  held(): Promise<Holdings> {
    return heldShares({ store: this.inspect() })
  }

  /** The store that lies on the disk now, opened from outside: no process and no fault in between. */
  inspect(): SealedStore {
    const outside = new SimulatedDisk()
    outside.restore(this.disk.snapshot())
    const key = Secret.copyOf(this.#keyEncryptionKey)
    return new SealedStore(outside.mount(), key, this.#around.randomness("nobody"))
  }

  /**
   * Starts a process over the disk as it is, as `runServer` does; one that ran before is killed.
   * False when it did not come up: it died or its store or clock refused.
   *
   * @param next - where it goes on to first, unless what it holds forbids that.
   */
  async start(next: Onward | null = null): Promise<boolean> {
    this.kill()
    this.#number = this.#around.nextProcess()
    const end = new AbortController()
    this.#starting = end
    const dead = new Promise<null>((resolve) => {
      end.signal.addEventListener("abort", () => resolve(null), { once: true })
    })
    const started = await Promise.race([dead, this.#comeUp(end, next)])
    if (started === null || end.signal.aborted) return false
    this.#starting = null
    this.#process = started
    this.#note("start")
    void this.#tidy(started)
    return true
  }

  /** Ends the process at once; what it had not committed is lost. */
  kill(): void {
    if (this.#process !== null || this.#starting !== null) this.#note("kill")
    this.disk.unmount()
    this.#die()
  }

  /** Ends the process in order: what it leaves is vouched for at its next start. */
  async stop(): Promise<void> {
    const process = this.#process
    if (process === null || process.state === "stopping") {
      throw new RangeError(`server ${this.identifier} does not run`)
    }
    process.state = "stopping"
    const { gate, turnstile, deps, store, end } = process
    const { clock, limits } = this.#around
    const stopped = this.#gone(process)
    const until = clock.now() + limits.shutdownTimeoutMs
    while (gate.running > 0 && clock.now() < until) await clock.wait(DRAIN_STEP_MS)
    await Promise.race([process.changing, stopped])
    if (end.signal.aborted) return
    const { server } = turnstile
    const { identity } = server.self
    server.stop()
    const left = async (): Promise<void> => {
      const incarnation = await markStop(deps)
      const position = await store.close()
      if (incarnation === null || position === null) return
      const { file } = this.disk
      const anchor = { incarnation, ...position, pool: server.poolDigest(), file }
      this.disk.anchor = encodeAnchor(anchor, identity)
    }
    try {
      await Promise.race([left(), stopped])
    } catch (error) {
      // Nothing vouches for what is left then, as after a crash.
      if (!isRefusal(error)) throw error
    }
    if (end.signal.aborted) return
    this.#note("stop")
    this.disk.unmount()
    this.#die()
  }

  /** As the control socket answers: nothing of a process that does not run, or dies over it. */
  async certifyOperator(publicKey: Bytes): Promise<Bytes> {
    const process = this.#process
    const broken = new LockKeeperError("unavailable", "The control socket does not answer.")
    if (process === null || process.state !== "ready") throw broken
    const gone = this.#gone(process).then(() => null)
    try {
      const signed = await Promise.race([gone, process.turnstile.server.certifyOperator(publicKey)])
      if (signed !== null) return encode(signedCredentialCodec, signed)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
    throw broken
  }

  /**
   * The process that runs goes on to another roster, as `lockkeeper roster activate` has it
   * do. Returns why it did not; null where it follows that one.
   */
  async goOnTo(next: Onward): Promise<string | null> {
    const process = this.#process
    if (process === null || process.state !== "ready") return "is down"
    const gone = this.#gone(process).then(() => "died")
    const changing = this.#exchange(process, next)
    process.changing = changing.catch(() => undefined)
    try {
      return await Promise.race([gone, changing])
    } catch (error) {
      if (!isRefusal(error)) throw error
      // Under which roster it would go on is found out by starting it anew.
      if (process.turnstile.isBroken && this.#process === process) this.kill()
      return (error as Error).message
    }
  }

  async #exchange({ turnstile, deps, store }: Process, next: Onward): Promise<null> {
    const step = stepTo(store, this.identifier, await this.#followed(store), next)
    if (step === null) return null
    await step.check()
    await turnstile.exchange({
      drainMs: DRAIN_MS,
      check: () => step.check(),
      commit: async () => {
        // The database is about to change in a way that is nobody's restoring it.
        this.disk.anchor = null
        await step.commit()
      },
      build: async () => {
        const server = this.#make(this.#self(step.chain), deps)
        await server.start("unclean")
        return server
      },
    })
    this.#note("roster")
    return null
  }

  #followed(store: WatchedStore): ReturnType<typeof followedIn> {
    return followedIn(store, this.#around.chain())
  }

  #make(self: ServerSelf, deps: Dependencies): KeyServer {
    return this.#around.makeServer?.(self, deps) ?? new KeyServer(self, deps)
  }

  #secrets(): ServerSecrets {
    return deriveSecrets(this.#seeds.slice())
  }

  #gone({ gone }: RunningProcess): Promise<void> {
    return new Promise((resolve) => gone.addEventListener("abort", () => resolve(), { once: true }))
  }

  #die(): void {
    const ending = [this.#process?.end, this.#starting]
    this.#process = null
    this.#starting = null
    for (const end of ending) end?.abort()
  }

  #note(what: string): void {
    const { clock, trace } = this.#around
    const server = this.identifier
    trace.add({ time: clock.now(), actor: "", server, what, content: EMPTY })
  }

  /** Null when the store or the clock does not let it. */
  async #comeUp(end: AbortController, next: Onward | null): Promise<Process | null> {
    const { identifier, skewed, observations, clock, limits } = this.#around
    const number = this.#number
    const randomness = this.#around.randomness(`process ${number} of server ${identifier}`)
    const found = this.disk.anchor
    const anchor = found && { encoded: found, file: this.disk.file }
    const rows = this.disk.mount()
    const sealed = new SealedStore(rows, Secret.copyOf(this.#keyEncryptionKey), randomness)
    const store = new WatchedStore(sealed, rows)
    const events = {
      event: (name: string, fields: Readonly<Record<string, string | number | boolean>>) => {
        if (end.signal.aborted) return
        const time = clock.now()
        observations.events.push({ server: identifier, process: number, time, name, fields })
      },
    }
    const own = { clock: skewed, randomness, compute: inlineCompute, store, events }
    const deps = this.#around.deps?.(identifier, own) ?? own
    let server: KeyServer
    try {
      const self = this.#self(await this.#takeUp(store, next))
      server = this.#make(self, deps)
      await checkClock({ store: sealed }, self, skewed.now())
      const { condition, pool } = await judgeStore(anchor, store, self.identity.publicKey)
      this.disk.anchor = null
      await markStart(deps, condition)
      await server.start(condition, pool)
    } catch (error) {
      if (!isRefusal(error)) throw error
      this.#note("start-failed")
      this.disk.unmount()
      end.abort()
      return null
    }
    const gate = new Gate(limits)
    const turnstile = new Turnstile(server)
    const honest = endpointOf(turnstile, gate, () => process.state)
    const endpoint = this.#around.endpoint?.(identifier, honest) ?? honest
    const process: Process = {
      ...{ number, endpoint, gone: end.signal, turnstile, deps, gate, store, end },
      state: "ready",
      changing: Promise.resolve(),
    }
    return process
  }

  /** Housekeeping for as long as the process lives. */
  async #tidy({ turnstile, gone, deps }: Process): Promise<void> {
    const { clock, observations } = this.#around
    for (;;) {
      await clock.waitInBackground(TIDY_MS, gone)
      if (gone.aborted) return
      await turnstile.server.tidy().catch((error) => {
        deps.events.event("tidy-failed", {})
        if (isRefusal(error)) return
        observations.bugs.push({ server: this.identifier, time: clock.now(), error })
      })
    }
  }

  /** The rosters that it follows from now on: it stays where it is where its shares need that. */
  async #takeUp(store: WatchedStore, next: Onward | null): Promise<RosterChain> {
    const followed = await this.#followed(store)
    const step = next && stepTo(store, this.identifier, followed, next)
    if (step === null) return followed.chain
    try {
      await step.check()
    } catch (error) {
      if (!(error instanceof LockKeeperError)) throw error
      return followed.chain
    }
    this.disk.anchor = null
    await step.commit()
    return step.chain
  }

  /** Fresh copies of the secrets: an orderly stop wipes them. */
  #self(chain: RosterChain): ServerSelf {
    const [roster, signedRoster] = [rosterIn(chain), lastOf(chain)]
    const rostersBefore = chain.slice(0, -1)
    const { rosterEpoch, minSigners } = roster
    const { identity, keyExchange, channelSecret } = this.#secrets()
    const { identifier } = this
    return {
      ...{ identifier, roster, signedRoster, rostersBefore, identity, channelSecret },
      loginServer: {
        ...{ identifier, rosterEpoch, minSigners },
        ake: keyExchange,
        signer: identity,
        fakes: { seed: Secret.copyOf(this.#around.enumerationSeed) },
        stretching: { memoryKib: 19_456, passes: 2, lanes: 1 },
      },
    }
  }
}

/** Whether it says that something could not be done, and not that the program is wrong. */
function isRefusal(error: unknown): boolean {
  return [StoreUnavailable, SealBroken, LockKeeperError].some((kind) => error instanceof kind)
}
