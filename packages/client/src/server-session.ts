import {
  advanceChannel,
  type CallAnswer,
  type CallPayload,
  type Channel,
  callAnswer,
  callPayload,
  finishHello,
  LockKeeperError,
  MAX_COUNTER,
  type Member,
  type OpenAnswer,
  type OpenPayload,
  openAnswer,
  openFrame,
  openPayload,
  sealFrame,
  startHello,
  wipeChannel,
} from "@lockkeeper/api"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, type Codec, DecodeError, decodeShared, encode } from "@lockkeeper/encoding"
import type { ServerLink } from "./dependencies.ts"
import { followsAnother } from "./elsewhere.ts"
import { outsideRefusal } from "./outside-refusals.ts"
import type { Servers } from "./servers.ts"

type Answer<K extends CallAnswer["kind"]> = Extract<CallAnswer, { readonly kind: K }>
type Opened<K extends OpenAnswer["kind"]> = Extract<OpenAnswer, { readonly kind: K }>

/** A session channel to one server's process. Nobody between can read, alter or replay a frame. */
export class ServerSession {
  readonly identifier: Identifier
  readonly #member: Member
  readonly #link: ServerLink
  #channel: Channel | null
  #counter = 0

  private constructor(member: Member, link: ServerLink, channel: Channel) {
    this.identifier = member.identifier
    this.#member = member
    this.#link = link
    this.#channel = channel
  }

  /**
   * Opens a session with a first payload and gives the server's first answer.
   *
   * @param payload - receives the transcript of the channel's keys, for signatures bound to it.
   * @throws LockKeeperError the server's refusal, `untrusted-server`, or `unavailable`.
   */
  static async open<P extends OpenPayload>(
    servers: Servers,
    identifier: Identifier,
    payload: (transcript: Bytes) => P,
    signal: AbortSignal,
  ): Promise<{ readonly session: ServerSession; readonly answer: Opened<P["kind"]> }> {
    const member = servers.member(identifier)
    const { rosterEpoch } = servers.trust.roster
    const randomness = servers.deps.randomness.bytes(96)
    const target = { server: identifier, rosterEpoch, channelKey: member.channelKey }
    let kind: OpenPayload["kind"] | null = null
    const { state, hello } = startHello(target, randomness, ({ transcript }) => {
      const first = payload(transcript)
      kind = first.kind
      return encode(openPayload, first)
    })
    randomness.fill(0)
    const link = servers.link(identifier)
    try {
      const answered = await heard(member, signal, () => link.open(hello, signal))
      const finished = wellFormed(member, () => finishHello(state, member.identityKey, answered))
      if (finished === null) throw untrusted(member, "did not prove its identity")
      const answer = decodeAnswer(member, openAnswer, finished.payload)
      if (answer.kind === "refused") throw refusal(member, answer.error)
      if (answer.kind !== kind) throw untrusted(member, "answered something else")
      const session = new ServerSession(member, link, finished.channel)
      return { session, answer: answer as Opened<P["kind"]> }
    } catch (error) {
      if (followsAnother(error)) servers.reportElsewhere(identifier)
      throw error
    } finally {
      state.clientSecret.wipe()
      state.shared.wipe()
    }
  }

  /** Sends one frame and gives the answer to it. @throws LockKeeperError as `open` does. */
  async call<P extends CallPayload>(payload: P, signal: AbortSignal): Promise<Answer<P["kind"]>> {
    const { counter, sealed } = await this.#exchange(payload, signal)
    const content = this.#open(this.#live(), counter, sealed)
    if (content === null) throw untrusted(this.#member, "sent a frame that does not open")
    return this.#read<P["kind"]>(payload.kind, content)
  }

  /** Proves the password and moves the channel to keys that only its owner can have. */
  async finishLogin(
    ke3: Bytes,
    sessionKey: Secret,
    signal: AbortSignal,
  ): Promise<Answer<"login-finish">> {
    const { counter, sealed } = await this.#exchange({ kind: "login-finish", ke3 }, signal)
    const before = this.#live()
    const refused = this.#open(before, counter, sealed)
    if (refused !== null) return this.#read("login-finish", refused)
    this.#channel = advanceChannel(before, sessionKey)
    const content = this.#open(this.#channel, counter, sealed)
    if (content === null) throw untrusted(this.#member, "does not share the login's key")
    return this.#read("login-finish", content)
  }

  /** Wipes the channel's keys. */
  end(): void {
    if (this.#channel !== null) wipeChannel(this.#channel)
    this.#channel = null
  }

  #live(): Channel {
    if (this.#channel !== null) return this.#channel
    throw new LockKeeperError("session-ended", "The session was closed.", {
      server: this.identifier,
      remedy: "Log in again.",
    })
  }

  async #exchange(
    payload: CallPayload,
    signal: AbortSignal,
  ): Promise<{ readonly counter: number; readonly sealed: Bytes }> {
    const channel = this.#live()
    if (this.#counter >= MAX_COUNTER) {
      throw new LockKeeperError("session-ended", "The session has carried all its frames.", {
        server: this.identifier,
      })
    }
    this.#counter += 1
    const counter = this.#counter
    const content = encode(callPayload, payload)
    const frame = sealFrame(channel, "to-server", counter, content)
    content.fill(0)
    const { sessionId } = channel
    const outgoing = { sessionId, counter, sealed: frame }
    const sealed = await heard(this.#member, signal, () => this.#link.call(outgoing, signal))
    return { counter, sealed }
  }

  #open(channel: Channel, counter: number, sealed: Bytes): Bytes | null {
    return wellFormed(this.#member, () => openFrame(channel, "to-client", counter, sealed))
  }

  #read<K extends CallAnswer["kind"]>(kind: K, content: Bytes): Answer<K> {
    const answer = decodeAnswer(this.#member, callAnswer, content)
    if (answer.kind === "refused") throw refusal(this.#member, answer.error)
    if (answer.kind !== kind) throw untrusted(this.#member, "answered something else")
    return answer as Answer<K>
  }
}

/** What comes back through a link, refusals only as far as no session would have to carry them. */
async function heard(member: Member, signal: AbortSignal, call: () => Promise<Bytes>) {
  try {
    return await call()
  } catch (error) {
    throw outsideRefusal(member, error, signal)
  }
}

function untrusted({ name, identifier }: Member, what: string): LockKeeperError {
  return new LockKeeperError("untrusted-server", `Server "${name}" ${what}.`, {
    server: identifier,
    remedy: "Check that its URL leads to the server the roster names.",
  })
}

/** The server's word on why it refuses; who it is we know better. */
function refusal({ identifier }: Member, error: Parameters<typeof LockKeeperError.fromBody>[0]) {
  return LockKeeperError.fromBody({ ...error, server: identifier })
}

function wellFormed<T>(member: Member, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw untrusted(member, "sent a malformed answer")
  }
}

function decodeAnswer<T>(member: Member, codec: Codec<T>, content: Bytes): T {
  return wellFormed(member, () => decodeShared(codec, content))
}
