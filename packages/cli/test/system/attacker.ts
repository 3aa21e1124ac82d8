import { acceptHello, type Channel, type Direction, openFrame, openPayload } from "@lockkeeper/api"
import {
  hashValue,
  hkdfSha256Expand,
  hkdfSha256Extract,
  Secret,
  xwingDecapsulate,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  concat,
  DecodeError,
  decode,
  fixedBytes,
  struct,
  toHex,
  utf8,
} from "@lockkeeper/encoding"
import type { Exchange } from "./relay.ts"

/** One sealed frame as it was recorded. */
interface Frame {
  readonly direction: Direction
  readonly counter: number
  readonly sealed: Bytes
}

/** One session channel as it was recorded: the handshake and every later frame. */
export interface RecordedSession {
  readonly server: number
  readonly hello: Bytes
  readonly answer: Bytes
  readonly frames: readonly Frame[]
}

interface AnswerCore {
  readonly sessionId: Bytes
  readonly encapsulated: Bytes
}

const answerCore = struct<AnswerCore>({ sessionId: fixedBytes(16), encapsulated: fixedBytes(1120) })

const answerCodec = struct<{ core: AnswerCore; signature: Bytes; sealed: Bytes }>({
  core: answerCore,
  signature: fixedBytes(64),
  sealed: bytes(65_536),
})

const answerTranscript = struct<{ hello: Bytes; core: AnswerCore }>({
  hello: fixedBytes(32),
  core: answerCore,
})

/** The fields of a protocol buffers message: numbers as bigint, everything else as bytes. */
function fieldsOf(message: Bytes): Map<number, bigint | Bytes> {
  const fields = new Map<number, bigint | Bytes>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] as number
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = Number(varint())
    if (tag % 8 === 0) fields.set(tag >> 3, varint())
    else {
      const length = Number(varint())
      fields.set(tag >> 3, message.slice(at, at + length))
      at += length
    }
  }
  return fields
}

/** Puts the recorded calls of all relays together to sessions. */
export function sessionsOf(exchanges: readonly Exchange[]): RecordedSession[] {
  const sessions = new Map<string, RecordedSession & { frames: Frame[] }>()
  const good = exchanges.filter(({ status }) => status === 200)
  for (const { server, request, response } of good.filter(({ path }) => path.endsWith("/Open"))) {
    const hello = fieldsOf(request).get(1) as Bytes
    const answer = fieldsOf(response).get(1) as Bytes
    const { core, sealed } = decode(answerCodec, answer)
    const first = { direction: "to-client", counter: 0, sealed } as const
    sessions.set(toHex(core.sessionId), { server, hello, answer, frames: [first] })
  }
  for (const { request, response } of good.filter(({ path }) => path.endsWith("/Call"))) {
    const call = fieldsOf(request)
    const frames = sessions.get(toHex(call.get(1) as Bytes))?.frames
    const counter = Number(call.get(2))
    frames?.push({ direction: "to-server", counter, sealed: call.get(3) as Bytes })
    const sealed = fieldsOf(response).get(1) as Bytes
    frames?.push({ direction: "to-client", counter, sealed })
  }
  return [...sessions.values()]
}

/** What the first payload of a session says, for who has the server's static channel key. */
export function readHello(session: RecordedSession, channelSecret: Bytes) {
  const accepted = acceptHello(Secret.copyOf(channelSecret), session.hello)
  if (accepted === null) return null
  return { ...accepted, opened: decode(openPayload, accepted.payload) }
}

/** Derived as packages/api/src/channel/frames.ts does; the positive control shows that it is so. */
function channelOf(sessionId: Bytes, phase: number, root: Bytes): Channel {
  const derive = (direction: Direction) =>
    new Secret(hkdfSha256Expand(root, utf8(`lockkeeper/channel/${phase}/${direction}`), 32))
  const keys = { "to-server": derive("to-server"), "to-client": derive("to-client") }
  return { sessionId, phase, root: Secret.copyOf(root), keys }
}

/**
 * Every channel that follows from the hello, opened with the server's static key, together with any
 * of these secrets in the place of the client's one-session key and of OPAQUE's session key.
 */
export function candidateChannels(
  session: RecordedSession,
  channelSecret: Bytes,
  held: readonly Bytes[],
): Channel[] {
  const known = [...new Map(held.map((secret) => [toHex(secret), secret])).values()]
  const accepted = readHello(session, channelSecret)
  if (accepted === null) throw new Error("the hello does not open")
  const { core } = decode(answerCodec, session.answer)
  const transcript = hashValue("channel/answer", answerTranscript, {
    hello: accepted.helloDigest,
    core,
  })
  const shared = accepted.shared.expose()
  const seeds = known.filter(({ length }) => length === 32)
  const decapsulated = seeds.flatMap((seed) => {
    const opened = xwingDecapsulate(Secret.copyOf(seed), core.encapsulated)
    return opened === null ? [] : [opened.expose()]
  })
  const second = [...decapsulated, ...known, shared, new Uint8Array(32), new Uint8Array(0)]
  return second.flatMap((bytes) => {
    const root = hkdfSha256Extract(transcript, concat(shared, bytes))
    const next = [...known, shared, new Uint8Array(64)].map((sessionKey) =>
      channelOf(core.sessionId, 1, hkdfSha256Extract(root, sessionKey)),
    )
    return [channelOf(core.sessionId, 0, root), ...next]
  })
}

/** How many of the session's frames open under any of the channels, and how many were tried. */
export function tryFrames(session: RecordedSession, channels: readonly Channel[]) {
  let tried = 0
  const opened: Frame[] = []
  for (const frame of session.frames) {
    const opens = channels.some((channel) => {
      tried++
      return isOpen(channel, frame)
    })
    if (opens) opened.push(frame)
  }
  return { opened, tried }
}

function isOpen(channel: Channel, { direction, counter, sealed }: Frame): boolean {
  try {
    return openFrame(channel, direction, counter, sealed) !== null
  } catch (error) {
    // It decrypted; only its padding is odd.
    if (error instanceof DecodeError) return true
    throw error
  }
}
