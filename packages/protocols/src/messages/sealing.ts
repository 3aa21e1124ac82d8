import {
  chacha20Poly1305,
  hkdfSha256Expand,
  hkdfSha256Extract,
  type Identifier,
  Secret,
  XWING_CIPHERTEXT_LENGTH,
  xwingDecapsulate,
  xwingEncapsulate,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  nullable,
  struct,
  text,
  u8,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { protocolCodec, type Slot, SUITE } from "./header.ts"
import { LIMITS } from "./limits.ts"

/** Where a sealed part belongs: the slot of the message that carries it, and who may open it. */
export interface SealedPlace {
  readonly slot: Slot
  readonly recipient: Identifier
}

/**
 * One direction of one pair in one session. `counter` is the next AEAD nonce: after using a channel,
 * keep the one that came back and forget this one, or two payloads share a nonce.
 */
export interface SealedChannel {
  readonly key: Secret
  readonly counter: number
}

interface SealedPart {
  /** Present exactly in the first part of a pair and session. */
  readonly encapsulation: Bytes | null
  readonly counter: number
  readonly ciphertext: Bytes
}

export const sealedPartCodec: Codec<SealedPart> = struct<SealedPart>({
  encapsulation: nullable(fixedBytes(XWING_CIPHERTEXT_LENGTH)),
  counter: u32,
  ciphertext: bytes(LIMITS.sealed),
})

const pairCodec = struct<Pick<Slot, "protocol" | "sessionId" | "rosterEpoch" | "sender"> & Pair>({
  suite: text(64),
  protocol: protocolCodec,
  sessionId: fixedBytes(32),
  rosterEpoch: u32,
  sender: u16,
  recipient: u16,
})

interface Pair {
  readonly suite: string
  readonly recipient: Identifier
}

const associatedCodec = struct<{ step: number; attempt: number; counter: number }>({
  step: u8,
  attempt: u32,
  counter: u32,
})

function channelFrom(sharedSecret: Secret, { slot, recipient }: SealedPlace): SealedChannel {
  const { protocol, sessionId, rosterEpoch, sender } = slot
  const pair = { suite: SUITE, protocol, sessionId, rosterEpoch, sender, recipient }
  const pseudorandomKey = hkdfSha256Extract(sessionId, sharedSecret.expose())
  const key = hkdfSha256Expand(pseudorandomKey, encode(pairCodec, pair), 32)
  pseudorandomKey.fill(0)
  return { key: new Secret(key), counter: 0 }
}

// The counter alone makes the nonce: the key belongs to one direction of one pair and session.
function nonceOf(counter: number): Bytes {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setUint32(8, counter)
  return nonce
}

function associatedData({ slot }: SealedPlace, counter: number): Bytes {
  return encode(associatedCodec, { step: slot.step, attempt: slot.attempt, counter })
}

function sealWith(
  channel: SealedChannel,
  place: SealedPlace,
  encapsulation: Bytes | null,
  payload: Bytes,
): Sealed {
  const { key, counter } = channel
  const aad = associatedData(place, counter)
  const ciphertext = chacha20Poly1305.seal(key.expose(), nonceOf(counter), aad, payload)
  const part = encode(sealedPartCodec, { encapsulation, counter, ciphertext })
  return { part, channel: { key, counter: counter + 1 } }
}

export interface Sealed {
  readonly part: Bytes
  readonly channel: SealedChannel
}

/**
 * Seals the first payload of a pair and session to the recipient's one-session X-Wing key.
 *
 * @param randomness - 64 fresh uniform bytes for this pair alone. Keep them until the run is over:
 *   they answer a complaint. Revealing them reveals every payload of this direction and session.
 * @throws RangeError on a key that `isXwingPublicKey` refuses: check keys as they arrive.
 */
export function sealFirst(
  place: SealedPlace,
  recipientKey: Bytes,
  randomness: Bytes,
  payload: Bytes,
): Sealed {
  const { sharedSecret, ciphertext } = xwingEncapsulate(recipientKey, randomness)
  const channel = channelFrom(sharedSecret, place)
  sharedSecret.wipe()
  return sealWith(channel, place, ciphertext, payload)
}

/** Seals a later payload of the same direction and session. */
export function sealNext(channel: SealedChannel, place: SealedPlace, payload: Bytes): Sealed {
  return sealWith(channel, place, null, payload)
}

export interface Opened {
  readonly payload: Bytes
  readonly channel: SealedChannel
}

function openWith(channel: SealedChannel, place: SealedPlace, sealed: SealedPart): Opened | null {
  const { key, counter } = channel
  if (sealed.counter !== counter) return null
  const aad = associatedData(place, counter)
  const payload = chacha20Poly1305.open(key.expose(), nonceOf(counter), aad, sealed.ciphertext)
  return payload && { payload, channel: { key, counter: counter + 1 } }
}

function decodePart(part: Bytes): SealedPart | null {
  try {
    return decode(sealedPartCodec, part)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/** Opens the first part of a pair and session; null is ground for a complaint against the sender. */
export function openFirst(place: SealedPlace, secretKey: Secret, part: Bytes): Opened | null {
  const sealed = decodePart(part)
  if (!sealed?.encapsulation) return null
  const sharedSecret = xwingDecapsulate(secretKey, sealed.encapsulation)
  if (!sharedSecret) return null
  const channel = channelFrom(sharedSecret, place)
  sharedSecret.wipe()
  return openWith(channel, place, sealed)
}

/** Opens a later part; null is ground for a complaint against the sender. */
export function openNext(channel: SealedChannel, place: SealedPlace, part: Bytes): Opened | null {
  const sealed = decodePart(part)
  return sealed === null || sealed.encapsulation !== null ? null : openWith(channel, place, sealed)
}

export type Reopened =
  | { readonly kind: "payload"; readonly payload: Bytes }
  /** The part is not what any honest sender seals, whatever randomness it used. */
  | { readonly kind: "does-not-open" }
  /** The randomness is not the one that made this part. */
  | { readonly kind: "other-randomness" }

/**
 * Opens a first part the way its sender made it, from the revealed encapsulation randomness: what
 * anyone does with the answer to a complaint. X-Wing's encapsulation is deterministic in it, so a
 * sender cannot show another payload than the one it signed.
 */
export function reopenFirst(
  place: SealedPlace,
  recipientKey: Bytes,
  randomness: Bytes,
  part: Bytes,
): Reopened {
  const sealed = decodePart(part)
  if (!sealed?.encapsulation) return { kind: "does-not-open" }
  const { sharedSecret, ciphertext } = xwingEncapsulate(recipientKey, randomness)
  if (!equalBytes(ciphertext, sealed.encapsulation)) return { kind: "other-randomness" }
  const opened = openWith(channelFrom(sharedSecret, place), place, sealed)
  return opened ? { kind: "payload", payload: opened.payload } : { kind: "does-not-open" }
}
