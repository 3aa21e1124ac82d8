import {
  type CallAnswer,
  type CallPayload,
  type Channel,
  callAnswer,
  callPayload,
  finishHello,
  LockKeeperError,
  MAX_HELLO,
  type Member,
  openFrame,
  sealFrame,
} from "@lockkeeper/api"
import type { Network, Randomness, ServerLink } from "@lockkeeper/client"
import { hashValue, type Identifier, xwingEncapsulate, xwingKeyPair } from "@lockkeeper/crypto"
import { type Bytes, bytes, decode, encode, toHex } from "@lockkeeper/encoding"

/**
 * A coordinator that lies: an owner's program that changes what it relays between the servers. It has
 * the session's keys, so that no channel stands in its way, and no server's secret.
 */
export interface Coordinator {
  /** What a server is asked in place of what the SDK would ask; null to ask nothing at all. */
  onCall(server: Identifier, payload: CallPayload): CallPayload | null
  /** What the SDK is told that the server said. */
  onAnswer(server: Identifier, payload: CallPayload, answer: CallAnswer): CallAnswer
}

/** A session whose keys the coordinator knows, and what it last asked in it. */
interface OpenSession {
  readonly server: Identifier
  readonly channel: Channel
  /** A login has given it keys that only the SDK knows. */
  beyond: boolean
}

/** What one hello draws. */
const HELLO_RANDOMNESS = 96

/** Most sessions it keeps the keys of. */
const MAX_SESSIONS = 256

/**
 * Stands between an SDK and its network and knows the randomness that the SDK makes its session keys
 * of. A login moves a session to keys that follow from the password too; that session is then called
 * lost, and the SDK resumes with one that this stands inside of.
 */
export class InsideSessions implements Network {
  readonly randomness: Randomness
  readonly #network: Network
  readonly #coordinator: Coordinator
  readonly #sessions = new Map<string, OpenSession>()
  /** The latest draw that could be a hello's. */
  #drawn: Bytes | null = null

  constructor(network: Network, randomness: Randomness, coordinator: Coordinator) {
    this.#network = network
    this.#coordinator = coordinator
    this.randomness = {
      bytes: (length) => {
        const drawn = randomness.bytes(length)
        if (length === HELLO_RANDOMNESS) this.#drawn = drawn.slice()
        return drawn
      },
    }
  }

  connect(member: Member): ServerLink {
    const link = this.#network.connect(member)
    return {
      open: (hello, signal) => this.#open(member, link, hello, signal),
      call: (frame, signal) => this.#call(link, frame, signal),
      roster: (signal) => link.roster(signal),
      status: (signal) => link.status(signal),
      close: () => link.close(),
    }
  }

  async #open(
    { identifier: server, channelKey, identityKey }: Member,
    link: ServerLink,
    hello: Bytes,
    signal: AbortSignal,
  ): Promise<Bytes> {
    // Nothing else draws between a hello's making and its sending.
    const drawn = this.#drawn
    const answered = await link.open(hello, signal)
    if (drawn === null) return answered
    const { secretKey: clientSecret } = xwingKeyPair(drawn.slice(0, 32))
    const { sharedSecret } = xwingEncapsulate(channelKey, drawn.slice(32))
    const helloDigest = hashValue("channel/hello", bytes(MAX_HELLO), hello)
    const state = { helloDigest, clientSecret, shared: sharedSecret }
    const finished = finishHello(state, identityKey, answered)
    if (finished !== null) {
      const { channel } = finished
      this.#sessions.set(toHex(channel.sessionId), { server, channel, beyond: false })
      const [oldest] = this.#sessions.keys()
      if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest)
    }
    return answered
  }

  async #call(
    link: ServerLink,
    frame: Parameters<ServerLink["call"]>[0],
    signal: AbortSignal,
  ): Promise<Bytes> {
    const { sessionId, counter, sealed } = frame
    const session = this.#sessions.get(toHex(sessionId))
    if (session === undefined) return link.call(frame, signal)
    if (session.beyond) throw new LockKeeperError("session-ended", "The session is lost.")
    const { server, channel } = session
    const content = openFrame(channel, "to-server", counter, sealed)
    if (content === null) return link.call(frame, signal)
    const meant = decode(callPayload, content)
    if (meant.kind === "login-finish") {
      session.beyond = true
      return link.call(frame, signal)
    }
    const asked = this.#coordinator.onCall(server, meant)
    if (asked === null) throw new LockKeeperError("unavailable", "The coordinator asks nothing.")
    const changed = sealFrame(channel, "to-server", counter, encode(callPayload, asked))
    const answered = await link.call({ sessionId, counter, sealed: changed }, signal)
    const answer = openFrame(channel, "to-client", counter, answered)
    if (answer === null) return answered
    const told = this.#coordinator.onAnswer(server, asked, decode(callAnswer, answer))
    return sealFrame(channel, "to-client", counter, encode(callAnswer, told))
  }
}
