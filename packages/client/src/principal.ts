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
import { COPY_PAUSE_MS, MAX_COPIES, REQUEST_LIFETIME_MS } from "./limits.ts"
import { isTimeout, within } from "./patience.ts"
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
  readonly #sessions = new Map<Identifier, Promise<ServerSession>>()
  #ended = false

  constructor(servers: Servers, login: LoginResult) {
    this.servers = servers
    this.accountId = login.accountId
    this.#login = login
    this.#keys = login.keys
    this.#signingKey = signingKeyFromSeed(login.keys.signingSeed)
    for (const [id, session] of login.sessions) this.#sessions.set(id, Promise.resolve(session))
  }

  get ended(): boolean {
    return this.#ended
  }

  get expiresAt(): number {
    return this.#login.expiresAt
  }

  get opaqueVersion(): number {
    return this.#login.opaqueVersion
  }

  /** The account's keys, for a password change. The caller does not wipe them. */
  get keys(): opaque.OpenAccountKeys {
    this.assertLive()
    return this.#keys
  }

  assertLive(): void {
    if (!this.#ended) return
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

  /**
   * Has one server carry out one step of a request. Repeats it, which is harmless since the server
   * keeps the answer under the request's id: once when the connection broke, once in a new session
   * when the server has lost the old one, and a few times when a copy of the frame was there first.
   */
  async act(
    server: Identifier,
    request: SignedRequest,
    step: number,
    input: Bytes,
    signal: AbortSignal,
    callMs: number = this.servers.patience.callMs,
  ): Promise<{ readonly output: Bytes; readonly log: LogPosition }> {
    const { clock } = this.servers.deps
    const failed = new Set<string>()
    let copies = 0
    for (;;) {
      this.assertLive()
      const opening = this.#session(server)
      try {
        return await within(clock, callMs, signal, async (limited) => {
          const session = await opening
          return session.call({ kind: "act", request, step, input }, limited)
        })
      } catch (error) {
        if (!(error instanceof LockKeeperError) || isTimeout(error)) throw error
        const { code } = error
        if (isCopy(error)) {
          if (++copies === MAX_COPIES) throw answerLost(server, error)
          // What answers the copy may be at work yet, and does not like to be asked beside it.
          await clock.wait(copies * COPY_PAUSE_MS, signal)
          continue
        }
        const repeatable = code === "unavailable" || code === "session-ended"
        if (!repeatable || failed.has(code)) throw error
        failed.add(code)
        if (code === "session-ended") this.#forget(server, opening)
      }
    }
  }

  /** Uses a newer login's sessions from now on, at a password change. */
  async renew(login: LoginResult): Promise<void> {
    const old = [...this.#sessions.values()]
    this.#sessions.clear()
    this.#login = login
    // A password change leaves the account's keys as they are: one copy of them is enough.
    wipeKeys(login.keys)
    for (const [id, session] of login.sessions) this.#sessions.set(id, Promise.resolve(session))
    for (const opening of old) void opening.then((session) => session.end()).catch(() => undefined)
  }

  /** Closes every session at its server, as far as the servers answer, and wipes every secret. */
  async end(signal: AbortSignal): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    const { clock } = this.servers.deps
    const { hedgeMs } = this.servers.patience
    const openings = [...this.#sessions.values()]
    this.#sessions.clear()
    await Promise.all(
      openings.map(async (opening) => {
        const session = await opening.catch(() => null)
        if (session === null) return
        const close = (limited: AbortSignal) => session.call({ kind: "close" }, limited)
        await within(clock, hedgeMs, signal, close).catch(() => undefined)
        session.end()
      }),
    )
    wipeKeys(this.#keys)
  }

  #session(server: Identifier): Promise<ServerSession> {
    const open = this.#sessions.get(server)
    if (open !== undefined) return open
    const opening = this.#resume(server)
    this.#sessions.set(server, opening)
    opening.catch(() => this.#forget(server, opening))
    return opening
  }

  #forget(server: Identifier, opening: Promise<ServerSession>): void {
    if (this.#sessions.get(server) === opening) this.#sessions.delete(server)
    void opening.then((session) => session.end()).catch(() => undefined)
  }

  /** Shows the statements of the servers that saw the login, and signs this very handshake. */
  async #resume(server: Identifier): Promise<ServerSession> {
    const { deps, patience } = this.servers
    const issuedAt = deps.clock.now()
    const statements = [...this.#login.statements.values()]
    // Others may wait for the same session, so it does not end with the one call that asked first.
    const nobody = new AbortController().signal
    return within(deps.clock, patience.callMs, nobody, async (limited) => {
      const resume = (transcript: Bytes) => {
        const input = encode(resumptionInput, { label: null, transcript, issuedAt })
        const signature = this.#signingKey.sign(input)
        const { accountId } = this
        return { kind: "resume", issuedAt, accountId, statements, signature } as const
      }
      const open = () => ServerSession.open(this.servers, server, resume, limited)
      try {
        return (await open()).session
      } catch (error) {
        // It may not know the account: then it never heard that the registration was complete.
        if (!(error instanceof LockKeeperError) || error.code !== "unauthenticated") throw error
        if (!(await activateAt(this.servers, server, this.#login, limited))) throw error
        return (await open()).session
      }
    })
  }
}

/** Whether the network delivered a copy first: what the server answered to that was not for our ears. */
function isCopy({ code, field }: LockKeeperError): boolean {
  return code === "replayed" && (field === "counter" || field === "hello")
}

function answerLost(server: Identifier, cause: LockKeeperError): LockKeeperError {
  const message = "Copies of every frame came first, so that no answer arrived."
  return new LockKeeperError("unavailable", message, {
    server,
    remedy: "Try again; look for what repeats traffic on the way to the server.",
    cause,
  })
}

export function wipeKeys(keys: {
  readonly storageKey: Secret
  readonly signingSeed: Secret
}): void {
  keys.storageKey.wipe()
  keys.signingSeed.wipe()
}
