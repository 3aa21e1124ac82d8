import { LockKeeperError, MAX_CLOCK_SKEW_MS } from "@lockkeeper/api"
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
import { Servers } from "./servers.ts"
import { Session } from "./session.ts"
import { type PasswordInput, spellName, spellPassword } from "./spelling.ts"
import { trustRoster } from "./trust.ts"

export interface ConnectOptions {
  /** The canonical bytes of a SignedRoster, as operators publish it. */
  readonly roster: Uint8Array
  /** The roster's digest, from a channel you trust: 32 bytes or 64 hexadecimal digits. */
  readonly pin: Uint8Array | string
  /** PEM certificates to trust instead of the system's; Node only. */
  readonly ca?: string
  readonly patience?: Partial<Patience>
  /** Told of each server that does not do its part, also when the operation fails. */
  readonly onIncident?: (incident: Incident) => void
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
  readonly #servers: Servers

  private constructor(servers: Servers) {
    this.#servers = servers
  }

  /**
   * Trusts the roster that `pin` names. Connections to its servers are made when first needed.
   *
   * @throws LockKeeperError `untrusted-roster`, `misconfigured`, `invalid-request`, naming the field.
   */
  static async connect(options: ConnectOptions): Promise<LockKeeper> {
    const { roster, pin, ca, dependencies, onIncident = () => undefined } = options
    if (!(roster instanceof Uint8Array)) {
      throw new LockKeeperError("invalid-request", "`roster` is not a Uint8Array.", {
        field: "roster",
        remedy: "Read the roster file as bytes.",
      })
    }
    const trust = trustRoster(roster, pin)
    const deps = { ...platformDependencies(ca === undefined ? {} : { ca }), ...dependencies }
    const patience = { ...DEFAULT_PATIENCE, ...options.patience }
    return new LockKeeper(new Servers(trust, deps, patience, onIncident))
  }

  /** Digest of the trusted roster, 32 bytes. */
  get rosterDigest(): Bytes {
    return this.#servers.trust.digest
  }

  /** How many servers an operation takes, and how many there are. */
  get threshold(): { readonly minSigners: number; readonly servers: number } {
    return { minSigners: this.#servers.minSigners, servers: this.#servers.all.length }
  }

  /** Registers an account with every server of the roster; all of them must be up. */
  register(options: RegisterOptions): Promise<Registered> {
    return register(this.#servers, options)
  }

  /** Logs in at t servers. @throws LockKeeperError `wrong-password` with `guessesRemaining`, `locked`. */
  async login({ name: typedName, password: typed, signal }: LoginOptions): Promise<Session> {
    const name = spellName(typedName)
    using password = spellPassword(typed)
    const incidents = new IncidentLog(this.#servers)
    const caller = signal ?? new AbortController().signal
    const outcome = await loginTo(this.#servers, name, password, caller, incidents)
    return Session.from(this.#servers, name, outcome, { incidents, signal: caller })
  }

  /** What each server says about itself; those that do not answer are listed too. */
  health({ signal = new AbortController().signal }: Cancellable = {}): Promise<ServerHealth[]> {
    return Promise.all(this.#servers.all.map((server) => this.#healthOf(server, signal)))
  }

  /** Closes the connections. Log sessions out first. */
  close(): void {
    this.#servers.close()
  }

  async #healthOf(server: Identifier, signal: AbortSignal): Promise<ServerHealth> {
    const { deps, patience, trust } = this.#servers
    const { clock } = deps
    const member = this.#servers.member(server)
    const { name, url, operator } = member
    const facts = { server, name, url, operator }
    const start = clock.now()
    try {
      const link = this.#servers.link(server)
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
