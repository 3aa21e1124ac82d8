import {
  hkdfSha256Expand,
  hkdfSha256Extract,
  type Identifier,
  type Scalar,
  Secret,
  secp256k1,
} from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError, decode, encode, utf8 } from "@lockkeeper/encoding"
import { LABELS } from "../labels.ts"
import {
  BASE_OT_RECEIVER_RANDOMNESS,
  BASE_OT_SENDER_RANDOMNESS,
  baseOtReceive,
  baseOtSend,
  type PairSetup,
  receiverSeeds,
  senderSeeds,
  wipePairSetup,
} from "../ot/index.ts"
import { type StepRandomness, stepRandomness } from "../randomness.ts"
import { baseOtMessagesCodec } from "./checks.ts"
import { baseOtContext, pairDigest, pairInSessionCodec, pairOf } from "./params.ts"
import {
  exchangedSetupCodec,
  type PairExchange,
  pairSetupsCodec,
  type SetupPeer,
  type SetupResult,
  type SetupTask,
  setupResultCodec,
  setupTaskCodec,
} from "./task.ts"

const group = secp256k1

/** Step 1: a fresh nonce and a one-session key. */
function openStep({ context, randomness }: SetupTask): SetupResult {
  const random = stepRandomness(randomness, context)
  const nonce = random.bytes("nonce", 0, 32)
  const secret = random.scalar("ephemeral", 0)
  random.wipe()
  return { kind: "opened", nonce, ephemeral: group.multiplyBase(secret), secret }
}

/** The base transfers with one peer, in both directions. */
function exchangeWith(
  { context: sessionId, identifier }: SetupTask,
  peer: Identifier,
  random: StepRandomness,
): { readonly part: Bytes; readonly kept: PairExchange } {
  const draw = (purpose: string, length: number) => random.bytes(purpose, peer, length)
  const delta = new Secret(draw("delta", 16))
  const receiver = baseOtReceive(
    baseOtContext({ sessionId, sender: peer, receiver: identifier }),
    delta,
    draw("receive", BASE_OT_RECEIVER_RANDOMNESS),
  )
  const sender = baseOtSend(
    baseOtContext({ sessionId, sender: identifier, receiver: peer }),
    draw("send", BASE_OT_SENDER_RANDOMNESS),
  )
  const messages = { receiver: receiver.message, sender: sender.message }
  return {
    part: encode(baseOtMessagesCodec, messages),
    kept: { receiver: receiver.state, sender: sender.state, delta },
  }
}

/** Step 2: the base transfers with every peer. */
function exchangeStep(task: SetupTask): SetupResult {
  const ephemeral = group.decodeNonZeroScalar(task.secret)
  const random = stepRandomness(task.randomness, task.context, ephemeral)
  const parts = new Map<Identifier, Bytes>()
  const pairs = new Map<Identifier, PairExchange>()
  for (const peer of task.peers.keys()) {
    const { part, kept } = exchangeWith(task, peer, random)
    parts.set(peer, part)
    pairs.set(peer, kept)
  }
  random.wipe()
  const secret = encode(exchangedSetupCodec, { ephemeral, pairs })
  ephemeral.fill(0)
  for (const kept of pairs.values()) wipeExchange(kept)
  return { kind: "exchanged", parts, secret }
}

function wipeExchange({ receiver, sender, delta }: PairExchange): void {
  for (const secret of [receiver.choice, receiver.exponents, sender.exponents, delta]) {
    secret.wipe()
  }
}

/** 32 bytes that only the two ends of a pair know. */
function sharedSecret(
  sessionId: Bytes,
  identifier: Identifier,
  peer: Identifier,
  ephemeral: Scalar,
  peerKey: SetupPeer["ephemeral"],
): Secret {
  const shared = group.multiply(peerKey, ephemeral)
  const key = hkdfSha256Extract(sessionId, shared)
  const place = encode(pairInSessionCodec, { sessionId, ...pairOf(identifier, peer) })
  const secret = hkdfSha256Expand(key, concat(utf8(LABELS.pairSecret), place), 32)
  shared.fill(0)
  key.fill(0)
  return new Secret(secret)
}

function setUp(
  { context: sessionId, identifier }: SetupTask,
  peer: Identifier,
  { ephemeral: peerKey, part }: SetupPeer,
  { receiver, sender, delta }: PairExchange,
  ephemeral: Scalar,
): PairSetup {
  const messages = decode(baseOtMessagesCodec, part)
  const sent = baseOtContext({ sessionId, sender: identifier, receiver: peer })
  const { zero, one } = senderSeeds(sent, sender, messages.receiver)
  const received = baseOtContext({ sessionId, sender: peer, receiver: identifier })
  const chosenSeeds = receiverSeeds(received, receiver, messages.sender)
  return {
    setupDigest: pairDigest({ sessionId, ...pairOf(identifier, peer) }),
    ...{ zeroSeeds: zero, oneSeeds: one, delta: Secret.copyOf(delta.expose()), chosenSeeds },
    pairSecret: sharedSecret(sessionId, identifier, peer, ephemeral, peerKey),
  }
}

/** Step 3: the seeds of every pair, or whose transfers are no points. */
function confirmStep(task: SetupTask): SetupResult {
  const { ephemeral, pairs } = decode(exchangedSetupCodec, task.secret)
  const setups = new Map<Identifier, PairSetup>()
  const culprits: Identifier[] = []
  for (const [peer, input] of task.peers) {
    try {
      setups.set(peer, setUp(task, peer, input, pairs.get(peer)!, ephemeral))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      culprits.push(peer)
    }
  }
  ephemeral.fill(0)
  for (const kept of pairs.values()) wipeExchange(kept)
  const secret = culprits.length > 0 ? null : encode(pairSetupsCodec, setups)
  for (const setup of setups.values()) wipePairSetup(setup)
  return secret ? { kind: "kept", secret } : { kind: "malformed", culprits }
}

function resultOf(task: SetupTask): SetupResult {
  switch (task.step) {
    case 1:
      return openStep(task)
    case 2:
      return exchangeStep(task)
    case 3:
      return confirmStep(task)
    case 4:
      return { kind: "kept", secret: new Uint8Array(task.secret) }
  }
}

/** The heavy part of a step of setup. */
export function setupWork(body: Bytes): Bytes {
  const task = decode(setupTaskCodec, body)
  const result = resultOf(task)
  task.secret.fill(0)
  task.randomness.fill(0)
  const encoded = encode(setupResultCodec, { result, carried: task.carried })
  if ("secret" in result) result.secret.fill(0)
  return encoded
}
