import {
  advanceChannel,
  type CallAnswer,
  type CallPayload,
  type Channel,
  callAnswer,
  callPayload,
  finishHello,
  LockKeeperError,
  type Member,
  type OpenAnswer,
  type OpenPayload,
  openAnswer,
  openFrame,
  openPayload,
  type Roster,
  sealFrame,
  startHello,
} from "@lockkeeper/api"
import type { Dependencies, ServerLink } from "@lockkeeper/client"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"

type Answer<K extends CallAnswer["kind"]> = Extract<CallAnswer, { readonly kind: K }>

/** Longest a dishonest client waits for an answer, milliseconds. */
const PATIENCE_MS = 3_000

/** A session that says whatever its owner wants: the SDK without its manners. */
export class RawSession {
  readonly server: Identifier
  readonly answer: OpenAnswer
  readonly #deps: Dependencies
  readonly #link: ServerLink
  #channel: Channel
  #counter = 0

  private constructor(
    deps: Dependencies,
    link: ServerLink,
    opened: { readonly server: Identifier; readonly channel: Channel; readonly answer: OpenAnswer },
  ) {
    this.#deps = deps
    this.#link = link
    this.#channel = opened.channel
    this.server = opened.server
    this.answer = opened.answer
  }

  /** @throws LockKeeperError when the server refuses, or does not answer. */
  static async open(
    deps: Dependencies,
    roster: Roster,
    member: Member,
    payload: (transcript: Bytes) => OpenPayload,
  ): Promise<RawSession> {
    const { identifier: server, channelKey, identityKey } = member
    const target = { server, rosterEpoch: roster.rosterEpoch, channelKey }
    const randomness = deps.randomness.bytes(96)
    const { state, hello } = startHello(target, randomness, ({ transcript }) =>
      encode(openPayload, payload(transcript)),
    )
    const link = deps.network.connect(member)
    const answered = await inTime(deps, (signal) => link.open(hello, signal))
    const finished = finishHello(state, identityKey, answered)
    if (finished === null) throw new LockKeeperError("untrusted-server", "It is somebody else.")
    const answer = decode(openAnswer, finished.payload)
    if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
    return new RawSession(deps, link, { server, channel: finished.channel, answer })
  }

  /** @throws LockKeeperError when the server refuses, or does not answer. */
  async call<P extends CallPayload>(payload: P): Promise<Answer<P["kind"]>> {
    const { counter, sealed } = await this.#exchange(payload)
    return this.#read<P["kind"]>(openFrame(this.#channel, "to-client", counter, sealed))
  }

  /** @param sessionKey - what a right KE3 makes the channel's key; null where it cannot be right. */
  async finishLogin(ke3: Bytes, sessionKey: Secret | null): Promise<Answer<"login-finish">> {
    const { counter, sealed } = await this.#exchange({ kind: "login-finish", ke3 })
    const refused = openFrame(this.#channel, "to-client", counter, sealed)
    if (refused !== null) return this.#read<"login-finish">(refused)
    if (sessionKey !== null) this.#channel = advanceChannel(this.#channel, sessionKey)
    return this.#read<"login-finish">(openFrame(this.#channel, "to-client", counter, sealed))
  }

  async #exchange(payload: CallPayload): Promise<{ counter: number; sealed: Bytes }> {
    const counter = ++this.#counter
    const frame = sealFrame(this.#channel, "to-server", counter, encode(callPayload, payload))
    const { sessionId } = this.#channel
    const sealed = await inTime(this.#deps, (signal) =>
      this.#link.call({ sessionId, counter, sealed: frame }, signal),
    )
    return { counter, sealed }
  }

  #read<K extends CallAnswer["kind"]>(content: Bytes | null): Answer<K> {
    if (content === null) throw new LockKeeperError("untrusted-server", "It has other keys.")
    const answer = decode(callAnswer, content)
    if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
    return answer as Answer<K>
  }
}

async function inTime<T>(
  { clock }: Dependencies,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const work = new AbortController()
  const timer = new AbortController()
  const late = clock.wait(PATIENCE_MS, timer.signal).then(() => {
    work.abort()
    throw new LockKeeperError("unavailable", "There was no answer.")
  })
  // When the answer came first, nobody waits for this one any more.
  late.catch(() => undefined)
  try {
    return await Promise.race([act(work.signal), late])
  } finally {
    timer.abort()
  }
}
