import {
  LockKeeperError,
  MAX_CLOCK_SKEW_MS,
  type PlacementMargin,
  placementMargin,
  signerSetAmong,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { platformDependencies } from "#platform"
import type { Dependencies, ServerStatus } from "./dependencies.ts"
import { type Incident, IncidentLog } from "./incidents.ts"
import { DEFAULT_PATIENCE, type Patience } from "./limits.ts"
import { loginTo } from "./login.ts"
import type { Cancellable } from "./options.ts"
import { outsideRefusal } from "./outside-refusals.ts"
import { within } from "./patience.ts"
import { type Registered, type RegisterOptions, register } from "./register.ts"
import { changeOf, mayBeElsewhere, newerChain, type RosterChange } from "./roster-watch.ts"
import { Servers } from "./servers.ts"
import { Session } from "./session.ts"
import { type PasswordInput, spellName, spellPassword } from "./spelling.ts"
import { trustIn, trustRoster } from "./trust.ts"

export interface ConnectOptions {
  /** The canonical bytes of a SignedRoster or of a RosterChain, as operators publish it. */
  readonly roster: Uint8Array
  /** Digest of one of its rosters, from a channel you trust: 32 bytes or 64 hexadecimal digits. */
  readonly pin: Uint8Array | string
  /** PEM certificates to trust instead of the system's; Node only. */
  readonly ca?: string
  /** Directory for device secrets, which open your own shares of keys; Node only. */
  readonly deviceSecrets?: string
  readonly patience?: Partial<Patience>
  /** Told of each server that does not do its part, also when the operation fails. */
  readonly onIncident?: (incident: Incident) => void
  /** Told when the servers turn out to follow a newer roster that follows from the pinned one. */
  readonly onRoster?: (change: RosterChange) => void
  /** For tests and simulators; the platform's own by default. */
  readonly dependencies?: Partial<Dependencies>
}

export interface LoginOptions extends Cancellable {
  readonly name: string
  /** A Secret stays the caller's to wipe. */
  readonly password: PasswordInput
}

/** What one server says about itself, or why it says nothing. */
export interface ServerHealth {
  readonly server: Identifier
  readonly name: string
  readonly url: string
  readonly operator: string
  readonly ready: boolean
  /** What is wrong, in a sentence; empty when nothing is. */
  readonly problem: string
  readonly status: ServerStatus | null
  readonly latencyMs: number | null
}

/** The way to an owner's key servers. Holds no secret; `login` gives a session that does. */
export class LockKeeper {
  #servers: Servers
  /** Those of earlier rosters, whose sessions may not be over yet. */
  readonly #earlier: Servers[] = []
  readonly #onRoster: (change: RosterChange) => void
  #following: Promise<boolean> | null = null

  private constructor(servers: Servers, onRoster: (change: RosterChange) => void) {
    this.#servers = servers
    this.#onRoster = onRoster
  }

  /**
   * Follows the rosters from the one that `pin` names to the one in force. Connections to its servers are made when first needed.
   *
   * @throws LockKeeperError `untrusted-roster`, `misconfigured`, `invalid-request`, naming the field.
   */
  static async connect(options: ConnectOptions): Promise<LockKeeper> {
    const { roster, pin, ca, deviceSecrets, dependencies } = options
    const { onIncident = () => undefined, onRoster = () => undefined } = options
    if (!(roster instanceof Uint8Array)) {
      throw new LockKeeperError("invalid-request", "`roster` is not a Uint8Array.", {
        field: "roster",
        remedy: "Read the roster file as bytes.",
      })
    }
    const trust = trustRoster(roster, pin)
    const platform = platformDependencies({
      ...(ca === undefined ? {} : { ca }),
      ...(deviceSecrets === undefined ? {} : { deviceSecrets }),
    })
    const deps = { ...platform, ...dependencies }
    const patience = { ...DEFAULT_PATIENCE, ...options.patience }
    return new LockKeeper(new Servers(trust, deps, patience, onIncident), onRoster)
  }

  /** Digest of the roster in force, 32 bytes; the newest that was seen. */
  get rosterDigest(): Bytes {
    return this.#servers.trust.digest
  }

  /** How many servers an operation takes, and how many there are. */
  get threshold(): { readonly minSigners: number; readonly servers: number } {
    return { minSigners: this.#servers.minSigners, servers: this.#servers.all.length }
  }

  /** What the roster's placement rules leave: whether any signer set, after how many losses. */
  get placement(): PlacementMargin {
    return placementMargin(this.#servers.trust.roster)
  }

  /** Whether the roster's placement rules leave a signer set among these servers. */
  allowsSignersAmong(servers: readonly Identifier[]): boolean {
    return signerSetAmong(this.#servers.trust.roster, servers)
  }

  /** Registers an account with every server of the roster; all of them must be up. */
  register(options: RegisterOptions): Promise<Registered> {
    return this.#underNewest(options, (servers) => register(servers, options))
  }

  /** Logs in at t servers. @throws LockKeeperError `wrong-password` with `guessesRemaining`, `locked`. */
  login(options: LoginOptions): Promise<Session> {
    return this.#underNewest(options, (servers) => this.#login(servers, options))
  }

  /** What each server says about itself; those that do not answer are listed too. */
  async health({ signal = NEVER }: Cancellable = {}): Promise<ServerHealth[]> {
    const servers = this.#servers
    const said = await healthOfAll(servers, signal)
    const { rosterEpoch } = servers.trust.roster
    const ahead = said.filter(({ status }) => (status?.rosterEpoch ?? 0) > rosterEpoch)
    for (const { server } of ahead) servers.reportElsewhere(server)
    if (ahead.length === 0 || !(await this.#follow(servers, signal))) return said
    return healthOfAll(this.#servers, signal)
  }

  /** Closes the connections. Log sessions out first. */
  close(): void {
    for (const servers of [...this.#earlier, this.#servers]) servers.close()
  }

  async #login(
    servers: Servers,
    { name: typedName, password: typed, signal = NEVER }: LoginOptions,
  ) {
    const name = spellName(typedName)
    using password = spellPassword(typed)
    const incidents = new IncidentLog(servers)
    const outcome = await loginTo(servers, name, password, signal, incidents)
    const follow = () => this.#follow(servers, NEVER)
    return Session.from(servers, name, outcome, { incidents, signal, follow })
  }

  /** Once more under a newer roster, where servers that follow one are why it failed. */
  async #underNewest<T>(
    { signal = NEVER }: Cancellable,
    act: (servers: Servers) => Promise<T>,
  ): Promise<T> {
    const servers = this.#servers
    try {
      return await act(servers)
    } catch (error) {
      if (!mayBeElsewhere(error) || !(await this.#follow(servers, signal))) throw error
      return await act(this.#servers)
    }
  }

  /**
   * Follows the servers to a newer roster, where some said that they follow another than this one.
   *
   * @throws LockKeeperError `untrusted-roster` when they show rosters that fork.
   */
  async #follow(servers: Servers, signal: AbortSignal): Promise<boolean> {
    if (servers !== this.#servers) return true
    if (!servers.someAreElsewhere) return false
    this.#following ??= this.#followFrom(servers, signal).finally(() => {
      this.#following = null
    })
    return await this.#following
  }

  async #followFrom(servers: Servers, signal: AbortSignal): Promise<boolean> {
    const { trust, deps, patience, onIncident } = servers
    const newer = await newerChain(servers, signal)
    if (newer === null) return false
    this.#earlier.push(servers)
    this.#servers = new Servers(trustIn(newer), deps, patience, onIncident)
    this.#onRoster(changeOf(trust.chain, newer))
    return true
  }
}

const NEVER = new AbortController().signal

function healthOfAll(servers: Servers, signal: AbortSignal): Promise<ServerHealth[]> {
  return Promise.all(servers.all.map((server) => healthOf(servers, server, signal)))
}

async function healthOf(
  servers: Servers,
  server: Identifier,
  signal: AbortSignal,
): Promise<ServerHealth> {
  const { deps, patience, trust } = servers
  const { clock } = deps
  const member = servers.member(server)
  const { name, url, operator } = member
  const facts = { server, name, url, operator }
  const start = clock.now()
  try {
    const link = servers.link(server)
    const status = await within(clock, patience.callMs, signal, (limited) => link.status(limited))
    const now = clock.now()
    const problem = problemOf(status, server, trust.roster.rosterEpoch, now)
    return { ...facts, ready: problem === "", problem, status, latencyMs: now - start }
  } catch (failure) {
    const error = outsideRefusal(member, failure, signal)
    if (!(error instanceof LockKeeperError) || error.code === "cancelled") throw error
    return { ...facts, ready: false, problem: error.message, status: null, latencyMs: null }
  }
}

function problemOf(
  status: ServerStatus,
  server: Identifier,
  rosterEpoch: number,
  now: number,
): string {
  if (status.server !== server) return `Server ${status.server} answers at this URL.`
  if (status.state !== "ready") return `The server is ${status.state}.`
  if (status.rosterEpoch !== rosterEpoch) return `It follows roster ${status.rosterEpoch}.`
  if (Math.abs(status.timeMs - now) > MAX_CLOCK_SKEW_MS) return "Its clock and ours differ."
  return ""
}
