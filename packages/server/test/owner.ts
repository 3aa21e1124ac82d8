import {
  advanceChannel,
  type CallAnswer,
  type CallPayload,
  type Channel,
  callAnswer,
  callPayload,
  decodeRoster,
  finishHello,
  holderIds,
  LockKeeperError,
  lastSettled,
  memberOf,
  type OpenAnswer,
  type OpenPayload,
  type Operation,
  openAnswer,
  openFrame,
  openPayload,
  type Request,
  resumptionInput,
  rosterDigest,
  type SignedRequest,
  type SignedStatement,
  sealFrame,
  signRequest,
  startHello,
  thresholdsAt,
  type Visit,
  visitInput,
} from "@lockkeeper/api"
import {
  type Identifier,
  type Secret,
  Secret as SecretBytes,
  type SigningKey,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import type { Randomness } from "../src/ports/dependencies.ts"
import { opaqueKeys } from "../src/self.ts"
import { seededRandomness, type TestCluster, type TestServer } from "./memory-cluster.ts"

const STRETCHING = { memoryKib: 19_456, passes: 2, lanes: 1 }

/** An open session with one server, frame by frame. */
export class TestSession {
  readonly to: TestServer
  channel: Channel
  counter = 0

  constructor(to: TestServer, channel: Channel) {
    this.to = to
    this.channel = channel
  }

  seal(
    payload: CallPayload,
    counter = ++this.counter,
  ): { sessionId: Bytes; counter: number; sealed: Bytes } {
    const sealed = sealFrame(this.channel, "to-server", counter, encode(callPayload, payload))
    return { sessionId: this.channel.sessionId, counter, sealed }
  }

  open(counter: number, sealed: Bytes, channel: Channel = this.channel): CallAnswer {
    const content = openFrame(channel, "to-client", counter, sealed)
    if (content === null) throw new Error("the answer does not open")
    return decode(callAnswer, content)
  }

  async call(payload: CallPayload): Promise<CallAnswer> {
    const frame = this.seal(payload)
    return this.open(frame.counter, await this.to.server.call(frame))
  }
}

/** The bytes of an answer of one kind. @throws LockKeeperError when the server refused. */
export function expectKind<K extends CallAnswer["kind"]>(
  answer: CallAnswer,
  kind: K,
): Extract<CallAnswer, { kind: K }> {
  if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
  if (answer.kind !== kind) throw new Error(`expected ${kind}, got ${answer.kind}`)
  return answer as Extract<CallAnswer, { kind: K }>
}

/** An owner who speaks to the servers without the SDK, so that a test can say anything. */
export class TestOwner {
  readonly cluster: TestCluster
  readonly name: string
  readonly accountId: Bytes
  readonly randomness: Randomness
  key: SigningKey | null = null
  /** What the last login opened. */
  keys: opaque.OpenAccountKeys | null = null
  /** What the servers of the last login said of it. */
  statements: readonly SignedStatement[] = []

  constructor(cluster: TestCluster, name = "alice") {
    this.cluster = cluster
    this.name = name
    this.accountId = opaque.accountIdOf(name)
    this.randomness = seededRandomness(`owner ${name}`)
  }

  get binding(): opaque.Binding {
    return opaque.accountBinding(rosterDigest(this.cluster.signed.roster), this.accountId)
  }

  get servers(): readonly TestServer[] {
    return [...this.cluster.servers.values()]
  }

  hello(to: TestServer, payload: OpenPayload | ((transcript: Bytes) => OpenPayload)) {
    const { rosterEpoch } = this.cluster.roster
    const { channelKey } = memberOf(this.cluster.roster, to.identifier)
    const target = { server: to.identifier, rosterEpoch, channelKey }
    return startHello(target, this.randomness.bytes(96), ({ transcript }) =>
      encode(openPayload, typeof payload === "function" ? payload(transcript) : payload),
    )
  }

  async open(
    to: TestServer,
    payload: OpenPayload | ((transcript: Bytes) => OpenPayload),
  ): Promise<{ session: TestSession; answer: OpenAnswer }> {
    const { state, hello } = this.hello(to, payload)
    const { identityKey } = memberOf(this.cluster.roster, to.identifier)
    const finished = finishHello(state, identityKey, await to.server.open(hello))
    if (finished === null) throw new Error("the server's answer does not open")
    const answer = decode(openAnswer, finished.payload)
    return { session: new TestSession(to, finished.channel), answer }
  }

  /** The servers that new accounts are dealt to. */
  get holders(): readonly TestServer[] {
    return holderIds(this.cluster.roster).map((id) => this.cluster.servers.get(id) as TestServer)
  }

  /** Registers at every one of those. */
  async register(password: string): Promise<void> {
    const issuedAt = this.cluster.clock.time
    const sessions = await Promise.all(
      this.holders.map(
        async (to) =>
          (await this.open(to, { kind: "register", issuedAt, name: this.name })).session,
      ),
    )
    const { registration, dealings } = this.deal(password, 1, {
      storageKey: new SecretBytes(this.randomness.bytes(32)),
      signingSeed: new SecretBytes(this.randomness.bytes(32)),
    })
    const confirmations = new Map<Identifier, Bytes>()
    for (const session of sessions) {
      const dealing = dealings.get(session.to.identifier) as opaque.AccountDealing
      const payload = {
        kind: "register-deal",
        dealing: encode(opaque.accountDealingCodec, dealing),
      } as const
      const answer = expectKind(await session.call(payload), "register-deal")
      confirmations.set(session.to.identifier, answer.signature)
    }
    const encoded = encode(opaque.confirmationsCodec, confirmations)
    for (const session of sessions) {
      expectKind(
        await session.call({ kind: "register-activate", confirmations: encoded }),
        "register-activate",
      )
    }
    if (registration.keys.opaqueVersion !== 1) throw new Error("unreachable")
  }

  /** A registration's dealings, with the identity as the stretching function. */
  deal(
    password: string,
    opaqueVersion: number,
    keys: opaque.OpenAccountKeys,
  ): opaque.RegistrationResult {
    const { rosterEpoch, minSigners } = this.cluster.roster
    const plan: opaque.RegistrationPlan = {
      accountId: this.accountId,
      binding: this.binding,
      opaqueVersion,
      rosterEpoch,
      minSigners,
      servers: opaqueKeys(this.cluster.roster),
      stretching: STRETCHING,
    }
    const length = opaque.registrationStartRandomnessLength(minSigners)
    const secret = new SecretBytes(utf8(password))
    const { state, toStretch } = opaque.startRegistration(
      plan,
      secret,
      this.randomness.bytes(length),
    )
    const random = this.randomness.bytes(opaque.REGISTRATION_FINISH_RANDOMNESS_LENGTH)
    return opaque.finishRegistration(state, toStretch, keys, random)
  }

  /** Logs in at the given servers; their sessions are authenticated afterwards. */
  async login(
    password: string,
    at: readonly TestServer[] = this.servers.slice(0, this.cluster.roster.minSigners),
  ) {
    const { started, opened } = await this.startLogin(password, at)
    return this.completeLogin(started, opened)
  }

  /** The second half of a login, from what the first half gave. */
  async completeLogin(
    started: { readonly state: opaque.LoginState },
    opened: readonly { readonly session: TestSession; readonly answer: OpenAnswer }[],
  ): Promise<TestSession[]> {
    const responses = new Map<Identifier, Bytes>()
    for (const { session, answer } of opened) {
      if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
      if (answer.kind === "login") responses.set(session.to.identifier, answer.response)
    }
    const combined = opaque.combineLogin(started.state, responses)
    if (!combined.ok) throw new Error(combined.abort.reason)
    const finished = opaque.finishLogin(combined.value.combined, combined.value.toStretch)
    if (!finished.ok) throw new Error(finished.abort.reason)
    const sessions: TestSession[] = []
    this.statements = []
    for (const { session } of opened) {
      const proof = finished.value.sessions.get(session.to.identifier)
      // It has shares of another generation than enough others.
      if (proof === undefined) continue
      const { ke3, sessionKey } = proof
      const welcome = await this.finishLogin(session, ke3, sessionKey)
      sessions.push(session)
      this.statements = [...this.statements, welcome.statement]
      const wrapped = decode(opaque.accountKeysCodec, welcome.accountKeys)
      const keys = opaque.openAccountKeys(finished.value.exportKey, this.accountId, wrapped)
      if (!keys.ok) throw new Error(keys.abort.reason)
      this.keys = keys.value
      this.key = signingKeyFromSeed(keys.value.signingSeed)
    }
    return sessions
  }

  async startLogin(password: string, at: readonly TestServer[], shownVersion = 0) {
    const { roster, rostersBefore } = this.cluster
    const { rosterEpoch, minSigners, members } = roster
    const last = lastSettled(rostersBefore.map((signed) => decodeRoster(signed.roster)))
    const verifyKeys = new Map(members.map((m) => [m.identifier, m.identityKey]))
    const plan: opaque.LoginPlan = {
      ...{ accountId: this.accountId, binding: this.binding, rosterEpoch, minSigners, verifyKeys },
      thresholds: thresholdsAt(roster, last),
      serverKeys: opaqueKeys(roster, members),
      stretchingBounds: opaque.STRETCHING_BOUNDS,
    }
    const secret = new SecretBytes(utf8(password))
    const length = opaque.loginRandomnessLength(members.length)
    const started = opaque.startLogin(plan, secret, this.randomness.bytes(length))
    const issuedAt = this.cluster.clock.time
    const opened = await Promise.all(
      at.map((to) => {
        const ke1 = started.ke1.get(to.identifier) as Bytes
        return this.open(to, { kind: "login", issuedAt, name: this.name, shownVersion, ke1 })
      }),
    )
    return { started, opened }
  }

  /** A session at a server that was not in the login. */
  async resume(to: TestServer): Promise<TestSession> {
    const issuedAt = this.cluster.clock.time
    const { accountId, statements, key } = this
    const { session, answer } = await this.open(to, (transcript) => {
      const signature = key?.sign(encode(resumptionInput, { label: null, transcript, issuedAt }))
      if (signature === undefined) throw new Error("log in first")
      return { kind: "resume", issuedAt, accountId, statements, signature }
    })
    if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
    return session
  }

  /** A session of a person in this account's charter, by one of their keys. */
  async visit(to: TestServer, key: SigningKey, changes: Partial<Visit> = {}) {
    const issuedAt = this.cluster.clock.time
    const credential = key.publicKey
    const { accountId = this.accountId } = changes
    return await this.open(to, (transcript) => {
      const input = { label: null, transcript, accountId, issuedAt, ...changes }
      const signature = key.sign(encode(visitInput, input))
      return { kind: "visit", issuedAt, accountId, credential, signature }
    })
  }

  async finishLogin(session: TestSession, ke3: Bytes, sessionKey: Secret) {
    const frame = session.seal({ kind: "login-finish", ke3 })
    const sealed = await session.to.server.call(frame)
    const refused = openFrame(session.channel, "to-client", frame.counter, sealed)
    if (refused !== null) return expectKind(decode(callAnswer, refused), "login-finish")
    session.channel = advanceChannel(session.channel, sessionKey)
    return expectKind(session.open(frame.counter, sealed), "login-finish")
  }

  request(operation: Operation, body: Bytes, changes: Partial<Request> = {}): Request {
    const issuedAt = this.cluster.clock.time
    return {
      operation,
      accountId: this.accountId,
      requestId: this.randomness.bytes(16),
      rosterEpoch: this.cluster.roster.rosterEpoch,
      servers: this.servers.map(({ identifier }) => identifier),
      issuedAt,
      expiresAt: issuedAt + 60_000,
      body,
      ...changes,
    }
  }

  sign(request: Request): SignedRequest {
    if (this.key === null) throw new Error("log in first")
    return signRequest(request, this.key)
  }
}
