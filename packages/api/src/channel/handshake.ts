import {
  chacha20Poly1305,
  hashValue,
  hkdfSha256Expand,
  hkdfSha256Extract,
  type Identifier,
  identifierCodec,
  Secret,
  type SigningKey,
  verifySignature,
  xwingDecapsulate,
  xwingEncapsulate,
  xwingKeyPair,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  concat,
  constant,
  decode,
  encode,
  fixedBytes,
  struct,
  u8,
  u32,
  utf8,
} from "@lockkeeper/encoding"
import { type Channel, channelOf, openFrame, sealFrame, wipeChannel } from "./frames.ts"
import { pad, unpad } from "./padding.ts"

/** Longest hello, bytes: the keys and a first payload of up to 12 KiB. */
export const MAX_HELLO = 16_384

/** Version of the channel, bound into every transcript. */
export const CHANNEL_VERSION = 1

interface HelloCore {
  readonly version: number
  readonly server: Identifier
  readonly rosterEpoch: number
  /** One-session X-Wing key of the client. */
  readonly clientKey: Bytes
  /** Encapsulation to the server's static channel key. */
  readonly encapsulated: Bytes
}

const helloCore: Codec<HelloCore> = struct<HelloCore>({
  version: u8,
  server: identifierCodec,
  rosterEpoch: u32,
  clientKey: fixedBytes(1216),
  encapsulated: fixedBytes(1120),
})

interface Hello {
  readonly core: HelloCore
  readonly sealed: Bytes
}

const helloCodec: Codec<Hello> = struct<Hello>({ core: helloCore, sealed: bytes(13_000) })

interface AnswerCore {
  readonly sessionId: Bytes
  /** Encapsulation to the client's one-session key. */
  readonly encapsulated: Bytes
}

const answerCore: Codec<AnswerCore> = struct<AnswerCore>({
  sessionId: fixedBytes(16),
  encapsulated: fixedBytes(1120),
})

interface HelloAnswer {
  readonly core: AnswerCore
  readonly signature: Bytes
  readonly sealed: Bytes
}

const answerCodec: Codec<HelloAnswer> = struct<HelloAnswer>({
  core: answerCore,
  signature: fixedBytes(64),
  sealed: bytes(65_536),
})

const answerTranscript = struct<{ hello: Bytes; core: AnswerCore }>({
  hello: fixedBytes(32),
  core: answerCore,
})

const signatureInput = struct<{ label: null; transcript: Bytes }>({
  label: constant(utf8("lockkeeper/channel/answer/v1")),
  transcript: fixedBytes(32),
})

const ZERO_NONCE = new Uint8Array(12)

function helloKey(core: HelloCore, shared: Secret): { transcript: Bytes; key: Secret } {
  const transcript = hashValue("channel/hello-keys", helloCore, core)
  const extracted = hkdfSha256Extract(transcript, shared.expose())
  return {
    transcript,
    key: new Secret(hkdfSha256Expand(extracted, utf8("lockkeeper/channel/hello"), 32)),
  }
}

function sessionChannel(transcript: Bytes, sessionId: Bytes, shared: readonly Secret[]): Channel {
  const joined = concat(...shared.map((secret) => secret.expose()))
  const root = new Secret(hkdfSha256Extract(transcript, joined))
  joined.fill(0)
  for (const secret of shared) secret.wipe()
  return channelOf(sessionId, 0, root)
}

/** What the client keeps between its hello and the answer. */
export interface HelloState {
  readonly helloDigest: Bytes
  readonly clientSecret: Secret
  readonly shared: Secret
}

/**
 * The digest that a resuming client signs with its account key inside the hello: it names the server
 * and both keys, so that the signature opens no other session.
 */
export interface HelloBinding {
  readonly transcript: Bytes
}

/**
 * Opens a channel to one server (an NK handshake in X-Wing: the server's static key is known from
 * the roster). The payload is not forward secret against the static channel key: send nothing in
 * it that would be secret after that key leaks. Everything after the answer is.
 *
 * @param randomness - 96 fresh bytes: 32 key pair, 64 encapsulation.
 * @param payload - receives the transcript of the keys and returns up to 12 KiB.
 */
export function startHello(
  target: { server: Identifier; rosterEpoch: number; channelKey: Bytes },
  randomness: Bytes,
  payload: (binding: HelloBinding) => Bytes,
): { state: HelloState; hello: Bytes } {
  const pair = xwingKeyPair(randomness.slice(0, 32))
  const { sharedSecret, ciphertext } = xwingEncapsulate(target.channelKey, randomness.slice(32, 96))
  const core: HelloCore = {
    version: CHANNEL_VERSION,
    server: target.server,
    rosterEpoch: target.rosterEpoch,
    clientKey: pair.publicKey,
    encapsulated: ciphertext,
  }
  const { transcript, key } = helloKey(core, sharedSecret)
  const content = payload({ transcript })
  const sealed = chacha20Poly1305.seal(key.expose(), ZERO_NONCE, transcript, pad(content))
  content.fill(0)
  key.wipe()
  const hello = encode(helloCodec, { core, sealed })
  return {
    hello,
    state: {
      helloDigest: hashValue("channel/hello", bytes(MAX_HELLO), hello),
      clientSecret: pair.secretKey,
      shared: sharedSecret,
    },
  }
}

/** A hello that opened: for the server to act on before it answers. */
export interface AcceptedHello {
  readonly server: Identifier
  readonly rosterEpoch: number
  readonly version: number
  readonly binding: HelloBinding
  readonly payload: Bytes
  readonly helloDigest: Bytes
  readonly clientKey: Bytes
  readonly shared: Secret
}

/**
 * Opens a hello with the server's static channel key, or null when it was not made for that key.
 *
 * @throws DecodeError when the bytes are not a hello.
 */
export function acceptHello(channelSecret: Secret, hello: Bytes): AcceptedHello | null {
  const { core, sealed } = decode(helloCodec, hello)
  const shared = xwingDecapsulate(channelSecret, core.encapsulated)
  if (shared === null) return null
  const { transcript, key } = helloKey(core, shared)
  const padded = chacha20Poly1305.open(key.expose(), ZERO_NONCE, transcript, sealed)
  key.wipe()
  if (padded === null) {
    shared.wipe()
    return null
  }
  return {
    server: core.server,
    rosterEpoch: core.rosterEpoch,
    version: core.version,
    binding: { transcript },
    payload: unpad(padded),
    helloDigest: hashValue("channel/hello", bytes(MAX_HELLO), hello),
    clientKey: core.clientKey,
    shared,
  }
}

/** The client's key is a stranger's input, and a check of its own would cost as much again. */
function encapsulateToClient(clientKey: Bytes, randomness: Bytes) {
  try {
    return xwingEncapsulate(clientKey, randomness)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/**
 * Answers a hello: forward secrecy by an encapsulation to the client's one-session key, and the
 * server's signature over both messages' keys. Null when the client's key is not an X-Wing key.
 *
 * @param randomness - 80 fresh bytes: 16 session id, 64 encapsulation.
 */
export function answerHello(
  accepted: AcceptedHello,
  identity: SigningKey,
  randomness: Bytes,
): { channel: Channel; seal: (payload: Bytes) => Bytes } | null {
  const toClient = encapsulateToClient(accepted.clientKey, randomness.slice(16, 80))
  if (toClient === null) return null
  const { sharedSecret, ciphertext } = toClient
  const core = { sessionId: randomness.slice(0, 16), encapsulated: ciphertext }
  const transcript = hashValue("channel/answer", answerTranscript, {
    hello: accepted.helloDigest,
    core,
  })
  const signature = identity.sign(encode(signatureInput, { label: null, transcript }))
  const channel = sessionChannel(transcript, core.sessionId, [accepted.shared, sharedSecret])
  return {
    channel,
    // Counter 0 towards the client is the answer's own; requests start at counter 1.
    seal: (payload) =>
      encode(answerCodec, {
        core,
        signature,
        sealed: sealFrame(channel, "to-client", 0, payload),
      }),
  }
}

/**
 * The channel and the server's first payload, or null when the answer is not by the holder of
 * `identityKey` or not to this hello.
 *
 * @throws DecodeError when the bytes are not an answer.
 */
export function finishHello(
  state: HelloState,
  identityKey: Bytes,
  answer: Bytes,
): { channel: Channel; payload: Bytes } | null {
  const { core, signature, sealed } = decode(answerCodec, answer)
  const transcript = hashValue("channel/answer", answerTranscript, {
    hello: state.helloDigest,
    core,
  })
  const signed = encode(signatureInput, { label: null, transcript })
  if (!verifySignature(identityKey, signed, signature)) return null
  const shared = xwingDecapsulate(state.clientSecret, core.encapsulated)
  if (shared === null) return null
  const channel = sessionChannel(transcript, core.sessionId, [state.shared, shared])
  state.clientSecret.wipe()
  const payload = openFrame(channel, "to-client", 0, sealed)
  if (payload !== null) return { channel, payload }
  wipeChannel(channel)
  return null
}
