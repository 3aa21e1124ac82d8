import {
  LockKeeperError,
  type LogPosition,
  type Operation,
  type Request,
  resumptionInput,
  type SignedRequest,
  type SignedStatement,
  signRequest,
} from "@lockkeeper/api"
import {
  type Identifier,
  type Secret,
  type SigningKey,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import type { opaque } from "@lockkeeper/protocols"
import { activateAt } from "./activate.ts"
import { REQUEST_LIFETIME_MS } from "./limits.ts"
import { type Acted, OpenSessions } from "./open-sessions.ts"
import { ServerSession } from "./server-session.ts"
import type { Servers } from "./servers.ts"

/** What a login yields: everything that acting as the account takes. */
export interface LoginResult {
  readonly name: string
  readonly accountId: Bytes
  readonly opaqueVersion: number
  readonly keys: opaque.OpenAccountKeys
  /** Open sessions with those servers that took part in the login. */
  readonly sessions: ReadonlyMap<Identifier, ServerSession>
  readonly statements: ReadonlyMap<Identifier, SignedStatement>
  /** What servers of the login gave as all servers' signatures over the registration: a word each. */
  readonly confirmations: readonly Bytes[]
  readonly expiresAt: number
}

/** Where a server logged what it did, before it answered. */
export interface Logged {
  readonly server: Identifier
  readonly log: LogPosition
}

/**
 * The logged-in account towards the servers: signs its requests and keeps a session with each server,
 * opened when first needed and opened again when a server has lost it.
 */
export class Principal {
  readonly servers: Servers
  readonly accountId: Bytes
  readonly #signingKey: SigningKey
  readonly #keys: opaque.OpenAccountKeys
  #login: LoginResult
  readonly #sessions: OpenSessions
  #ended: "no" | "logged out" | "superseded" = "no"

  constructor(servers: Servers, login: LoginResult) {
    this.servers = servers
    this.accountId = login.accountId
    this.#login = login
    this.#keys = login.keys
    this.#signingKey = signingKeyFromSeed(login.keys.signingSeed)
    this.#sessions = new OpenSessions(servers, (server, signal) => this.#resume(server, signal))
    this.#sessions.replace(login.sessions)
  }

  get ended(): boolean {
    return this.#ended !== "no"
  }

  get expiresAt(): number {
    return this.#login.expiresAt
  }

  get opaqueVersion(): number {
    return this.#login.opaqueVersion
  }

  /** What the account's requests are signed with, and its device's messages in protocols. */
  get signer(): SigningKey {
    this.assertLive()
    return this.#signingKey
  }

  /** The account's keys, for a password change and what the storage key seals. The caller does not wipe them. */
  get keys(): opaque.OpenAccountKeys {
    this.assertLive()
    return this.#keys
  }

  assertLive(): void {
    if (this.#ended === "superseded") throw this.#otherRoster()
    if (this.#ended === "no") return
    throw new LockKeeperError("session-ended", "This session was logged out.", {
      remedy: "Log in again.",
    })
  }

  /** A request in the account's name, signed once for all the servers it is addressed to. */
  request(operation: Operation, among: readonly Identifier[], body: Bytes): SignedRequest {
    this.assertLive()
    const { clock, randomness } = this.servers.deps
    const issuedAt = clock.now()
    const request: Request = {
      operation,
      accountId: this.accountId,
      requestId: randomness.bytes(16),
      rosterEpoch: this.servers.trust.roster.rosterEpoch,
      servers: [...among].sort((a, b) => a - b),
      issuedAt,
      expiresAt: issuedAt + REQUEST_LIFETIME_MS,
      body,
    }
    return signRequest(request, this.#signingKey)
  }

  /** Has one server carry out one step of a request, as `OpenSessions.act` does. */
  act(
    server: Identifier,
    request: SignedRequest,
    step: number,
    input: Bytes,
    signal: AbortSignal,
    callMs: number = this.servers.patience.callMs,
  ): Promise<Acted> {
    const limits = { signal, callMs }
    return this.#sessions.act(server, { request, step, input }, limits, () => this.assertLive())
  }

  /** Uses a newer login's sessions from now on, at a password change. */
  async renew(login: LoginResult): Promise<void> {
    this.#login = login
    // A password change leaves the account's keys as they are: one copy of them is enough.
    wipeKeys(login.keys)
    this.#sessions.replace(login.sessions)
  }

  /** Ends it because the servers follow another roster now, which no request of this login is for. */
  supersede(): LockKeeperError {
    const nobody = new AbortController().signal
    void this.end(nobody, "superseded").catch(() => undefined)
    return this.#otherRoster()
  }

  #otherRoster(): LockKeeperError {
    const { rosterEpoch } = this.servers.trust.roster
    const message = `The key servers follow another roster than number ${rosterEpoch} of this login.`
    return new LockKeeperError("session-ended", message, { remedy: "Log in again." })
  }

  /** Closes every session at its server, as far as the servers answer, and wipes every secret. */
  async end(signal: AbortSignal, why: "logged out" | "superseded" = "logged out"): Promise<void> {
    if (this.#ended !== "no") return
    this.#ended = why
    await this.#sessions.close(signal)
    wipeKeys(this.#keys)
  }

  /** Shows the statements of the servers that saw the login, and signs this very handshake. */
  async #resume(server: Identifier, signal: AbortSignal): Promise<ServerSession> {
    const issuedAt = this.servers.deps.clock.now()
    const statements = [...this.#login.statements.values()]
    const resume = (transcript: Bytes) => {
      const input = encode(resumptionInput, { label: null, transcript, issuedAt })
      const signature = this.#signingKey.sign(input)
      const { accountId } = this
      return { kind: "resume", issuedAt, accountId, statements, signature } as const
    }
    const open = () => ServerSession.open(this.servers, server, resume, signal)
    try {
      return (await open()).session
    } catch (error) {
      // It may not know the account: then it never heard that the registration was complete.
      if (!(error instanceof LockKeeperError) || error.code !== "unauthenticated") throw error
      if (!(await activateAt(this.servers, server, this.#login, signal))) throw error
      return (await open()).session
    }
  }
}

export function wipeKeys(keys: {
  readonly storageKey: Secret
  readonly signingSeed: Secret
}): void {
  keys.storageKey.wipe()
  keys.signingSeed.wipe()
}
