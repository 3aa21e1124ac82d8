import {
  LockKeeperError,
  type Operation,
  type SignedRequest,
  signApproval,
  signRequest,
  type Verdict,
  visitInput,
} from "@lockkeeper/api"
import type { Identifier, SigningKey } from "@lockkeeper/crypto"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { platformDependencies } from "#platform"
import {
  type AccountPrincipal,
  type AccountRequest,
  bringVerdict,
  listAccountRequests,
  type ShownAccountRequest,
  showAccountRequest,
  type ToldServers,
} from "./account-requests.ts"
import { DEFAULT_PATIENCE, REQUEST_LIFETIME_MS } from "./limits.ts"
import type { ConnectOptions } from "./lock-keeper.ts"
import { OpenSessions } from "./open-sessions.ts"
import type { Cancellable } from "./options.ts"
import { ServerSession } from "./server-session.ts"
import { Servers } from "./servers.ts"
import { spellName } from "./spelling.ts"
import { trustRoster } from "./trust.ts"

export interface PersonOptions extends ConnectOptions {
  /** Name of the account in whose charter the person is. */
  readonly account: string
  /** What the charter calls the person. */
  readonly person: string
  /** One of the keys that it has for them: in memory, or in a device that signs. */
  readonly key: SigningKey
}

export interface DecideOptions extends Cancellable {
  /**
   * `intentDigest` of what your own client read in the content, null where it is nothing: what servers
   * read is not to be believed.
   */
  readonly intent: Bytes | null
}

const NEVER = new AbortController().signal

/** An approver or auditor of an account at all of its servers. */
export class PersonSession {
  readonly accountId: Bytes
  readonly person: string
  readonly #key: SigningKey
  readonly #servers: Servers
  readonly #sessions: OpenSessions
  readonly #principal: AccountPrincipal
  #ended = false

  private constructor(servers: Servers, { account, person, key }: PersonOptions) {
    this.accountId = opaque.accountIdOf(spellName(account))
    this.person = person
    this.#key = key
    this.#servers = servers
    this.#sessions = new OpenSessions(servers, (server, signal) => this.#visit(server, signal))
    this.#principal = {
      servers,
      request: (operation, among, body) => this.#request(operation, among, body),
      act: (server, request, step, input, signal) => {
        const limits = { signal, callMs: servers.patience.callMs }
        const asked = { request, step, input }
        return this.#sessions.act(server, asked, limits, () => this.#assertLive())
      },
    }
  }

  /** Sessions are opened when first needed. @throws LockKeeperError `untrusted-roster` and the like. */
  static open(options: PersonOptions): PersonSession {
    const { roster, pin, ca, dependencies, onIncident = () => undefined } = options
    const trust = trustRoster(roster, pin)
    const deps = { ...platformDependencies(ca === undefined ? {} : { ca }), ...dependencies }
    const patience = { ...DEFAULT_PATIENCE, ...options.patience }
    return new PersonSession(new Servers(trust, deps, patience, onIncident), options)
  }

  list({ signal = NEVER }: Cancellable = {}): Promise<readonly AccountRequest[]> {
    return listAccountRequests(this.#principal, signal)
  }

  show(activityId: Bytes, { signal = NEVER }: Cancellable = {}): Promise<ShownAccountRequest> {
    return showAccountRequest(this.#principal, activityId, signal)
  }

  /** Says yes to what was shown, at every server. */
  approve(shown: ShownAccountRequest, options: DecideOptions): Promise<ToldServers> {
    return this.#decide(shown, "approve", options)
  }

  /** Says no, for good. */
  reject(shown: ShownAccountRequest, options: DecideOptions): Promise<ToldServers> {
    return this.#decide(shown, "veto", options)
  }

  async #decide(
    shown: ShownAccountRequest,
    verdict: Verdict,
    { intent, signal = NEVER }: DecideOptions,
  ): Promise<ToldServers> {
    const digest = (bytes: Bytes | null) => (bytes === null ? "" : toHex(bytes))
    if (digest(intent) !== digest(shown.intent)) {
      throw new LockKeeperError("untrusted-server", "The servers read something else in it.", {
        field: "intent",
        remedy: "Decide nothing: one of you is wrong. Compare versions, and tell the operators.",
      })
    }
    const { activityId, subject, charter, policyVersion, expiresAt } = shown
    const about = { activityId, subject, intent, charter, policyVersion, expiresAt }
    const { accountId, person } = this
    const credential = this.#key.publicKey
    const said = { accountId, ...about, verdict, person, credential }
    return await bringVerdict(this.#principal, signApproval(said, this.#key), signal)
  }

  /** Ends the sessions at the servers and closes the connections. */
  async close({ signal = NEVER }: Cancellable = {}): Promise<void> {
    this.#ended = true
    await this.#sessions.close(signal)
    this.#servers.close()
  }

  #assertLive(): void {
    if (!this.#ended) return
    throw new LockKeeperError("session-ended", "This session was closed.", {
      remedy: "Open another one.",
    })
  }

  #request(operation: Operation, among: readonly Identifier[], body: Bytes): SignedRequest {
    this.#assertLive()
    const { clock, randomness } = this.#servers.deps
    const issuedAt = clock.now()
    const request = {
      ...{ operation, accountId: this.accountId, requestId: randomness.bytes(16) },
      rosterEpoch: this.#servers.trust.roster.rosterEpoch,
      servers: [...among].sort((a, b) => a - b),
      ...{ issuedAt, expiresAt: issuedAt + REQUEST_LIFETIME_MS, body },
    }
    return signRequest(request, this.#key)
  }

  async #visit(server: Identifier, signal: AbortSignal): Promise<ServerSession> {
    const issuedAt = this.#servers.deps.clock.now()
    const { accountId } = this
    const credential = this.#key.publicKey
    const visit = (transcript: Bytes) => {
      const signature = this.#key.sign(
        encode(visitInput, { label: null, transcript, accountId, issuedAt }),
      )
      return { kind: "visit", issuedAt, accountId, credential, signature } as const
    }
    return (await ServerSession.open(this.#servers, server, visit, signal)).session
  }
}
