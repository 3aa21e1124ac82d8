import {
  LockKeeperError,
  type OperatorOperation,
  operatorIdOf,
  operatorOpeningInput,
  type SignedRequest,
  signRequest,
} from "@lockkeeper/api"
import { type Identifier, Secret, type SigningKey, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { MAX_RATE_WAITS, RATE_WAIT_MS, REQUEST_LIFETIME_MS } from "../limits.ts"
import { type Acted, OpenSessions } from "../open-sessions.ts"
import { throwIfCancelled } from "../patience.ts"
import { ServerSession } from "../server-session.ts"
import type { Servers } from "../servers.ts"
import { type Certify, Credentials } from "./credentials.ts"

/**
 * An operator towards the servers: a key that lives in memory alone, which one server says is its
 * operator's, and a session with each server.
 */
export class OperatorPrincipal {
  readonly servers: Servers
  /** 32 bytes: stands in requests and in the servers' logs. */
  readonly operatorId: Bytes
  readonly #seed: Secret
  readonly #credentials: Credentials
  readonly #sessions: OpenSessions
  #key: SigningKey | null

  constructor(servers: Servers, certify: Certify) {
    this.servers = servers
    this.#seed = new Secret(servers.deps.randomness.bytes(32))
    this.#key = signingKeyFromSeed(this.#seed)
    const { publicKey } = this.#key
    this.operatorId = operatorIdOf(publicKey)
    this.#credentials = new Credentials(servers, publicKey, certify)
    this.#sessions = new OpenSessions(servers, (server, signal) => this.#open(server, signal))
  }

  get ended(): boolean {
    return this.#key === null
  }

  /** Has the key certified, and says by which server. */
  async certified(): Promise<Identifier> {
    this.assertLive()
    return (await this.#credentials.current()).said.server
  }

  assertLive(): void {
    this.#liveKey()
  }

  /** A request in the operator's name, signed once for all the servers it is addressed to. */
  request(operation: OperatorOperation, among: readonly Identifier[], body: Bytes): SignedRequest {
    const key = this.#liveKey()
    const { clock, randomness } = this.servers.deps
    const issuedAt = clock.now()
    return signRequest(
      {
        operation,
        accountId: this.operatorId,
        requestId: randomness.bytes(16),
        rosterEpoch: this.servers.trust.roster.rosterEpoch,
        servers: [...among].sort((a, b) => a - b),
        issuedAt,
        expiresAt: issuedAt + REQUEST_LIFETIME_MS,
        body,
      },
      key,
    )
  }

  /**
   * Has one server carry out one step of a request, as `OpenSessions.act` does. Nobody waits for
   * maintenance: where the server is asked too often, it is asked again a moment later. One that gave
   * no answer lately is given less time: there are many batches, and each asks it first what costs little.
   */
  async act(
    server: Identifier,
    request: SignedRequest,
    step: number,
    input: Bytes,
    signal: AbortSignal,
    callMs: number = this.#patienceWith(server),
  ): Promise<Acted> {
    const { clock } = this.servers.deps
    const asked = { request, step, input }
    const assertLive = () => this.assertLive()
    for (let tries = 1; ; tries++) {
      try {
        return await this.#sessions.act(server, asked, { signal, callMs }, assertLive)
      } catch (error) {
        const isLimited = error instanceof LockKeeperError && error.code === "rate-limited"
        if (!isLimited || tries === MAX_RATE_WAITS) throw error
        await clock.wait(RATE_WAIT_MS, signal)
        throwIfCancelled(signal)
      }
    }
  }

  /** Closes every session at its server, as far as the servers answer, and wipes the key. */
  async end(signal: AbortSignal): Promise<void> {
    if (this.ended) return
    this.#key = null
    this.#seed.wipe()
    await this.#sessions.close(signal)
  }

  #patienceWith(server: Identifier): number {
    const { callMs, hedgeMs } = this.servers.patience
    return this.servers.isDemoted(server) ? Math.min(callMs, 2 * hedgeMs) : callMs
  }

  #liveKey(): SigningKey {
    if (this.#key !== null) return this.#key
    throw new LockKeeperError("session-ended", "This operator's session was closed.", {
      remedy: "Open another one.",
    })
  }

  async #open(server: Identifier, signal: AbortSignal): Promise<ServerSession> {
    const { signed: credential } = await this.#credentials.current()
    const issuedAt = this.servers.deps.clock.now()
    const operate = (transcript: Bytes) => {
      const input = encode(operatorOpeningInput, { label: null, transcript, issuedAt })
      return {
        kind: "operate",
        issuedAt,
        credential,
        signature: this.#liveKey().sign(input),
      } as const
    }
    return (await ServerSession.open(this.servers, server, operate, signal)).session
  }
}
