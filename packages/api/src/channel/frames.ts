import { chacha20Poly1305, hkdfSha256Expand, hkdfSha256Extract, Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  encode,
  fixedBytes,
  oneOf,
  safeInteger,
  struct,
  u8,
  utf8,
} from "@lockkeeper/encoding"
import { pad, unpad } from "./padding.ts"

/** Longest sealed frame, bytes. */
export const MAX_FRAME = 1_179_648

/** Most frames in one session and direction. */
export const MAX_COUNTER = 2 ** 32

export type Direction = "to-server" | "to-client"

/**
 * The keys of one session channel. Phase 0 follows the handshake; phase 1 has mixed in the OPAQUE
 * session key, so that only who knows the password can be in it.
 */
export interface Channel {
  /** 16 bytes. */
  readonly sessionId: Bytes
  readonly phase: number
  /** Secret from which the next phase's keys are derived. */
  readonly root: Secret
  readonly keys: Readonly<Record<Direction, Secret>>
}

/** Derives a phase's directional keys from its root. */
export function channelOf(sessionId: Bytes, phase: number, root: Secret): Channel {
  const derive = (direction: Direction): Secret =>
    new Secret(
      hkdfSha256Expand(root.expose(), utf8(`lockkeeper/channel/${phase}/${direction}`), 32),
    )
  return {
    sessionId,
    phase,
    root,
    keys: { "to-server": derive("to-server"), "to-client": derive("to-client") },
  }
}

/** The channel after `secret` is mixed in; the old phase's keys are wiped. */
export function advanceChannel(channel: Channel, secret: Secret): Channel {
  const root = new Secret(hkdfSha256Extract(channel.root.expose(), secret.expose()))
  const next = channelOf(channel.sessionId, channel.phase + 1, root)
  wipeChannel(channel)
  return next
}

export function wipeChannel(channel: Channel): void {
  channel.root.wipe()
  channel.keys["to-server"].wipe()
  channel.keys["to-client"].wipe()
}

const frameContext = struct<{
  sessionId: Bytes
  phase: number
  direction: Direction
  counter: number
}>({
  sessionId: fixedBytes(16),
  phase: u8,
  direction: oneOf("to-server", "to-client"),
  counter: safeInteger,
})

function nonceOf(counter: number): Bytes {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(4, BigInt(counter))
  return nonce
}

/**
 * Seals one frame. A counter is used once per phase and direction: the caller counts. The answer to
 * a frame carries the frame's own counter.
 */
export function sealFrame(
  channel: Channel,
  direction: Direction,
  counter: number,
  content: Uint8Array,
): Bytes {
  const context = encode(frameContext, { ...pick(channel), direction, counter })
  const key = channel.keys[direction].expose()
  return chacha20Poly1305.seal(key, nonceOf(counter), context, pad(content))
}

/**
 * The content of a frame, or null when it was not sealed for this place.
 *
 * @throws DecodeError when whoever holds the keys padded it wrongly.
 */
export function openFrame(
  channel: Channel,
  direction: Direction,
  counter: number,
  sealed: Uint8Array,
): Bytes | null {
  const context = encode(frameContext, { ...pick(channel), direction, counter })
  const key = channel.keys[direction].expose()
  const padded = chacha20Poly1305.open(key, nonceOf(counter), context, sealed)
  return padded === null ? null : unpad(padded)
}

function pick({ sessionId, phase }: Channel): { sessionId: Bytes; phase: number } {
  return { sessionId, phase }
}
