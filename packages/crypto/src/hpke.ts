import type { Bytes } from "@lockkeeper/encoding"
import { HpkeContext, hpkeKeySchedule } from "./hpke-context.ts"
import type { Secret } from "./secret.ts"
import { xwingDecapsulate, xwingEncapsulate } from "./xwing.ts"

/**
 * HPKE, RFC 9180, base mode: KEM 0x647A (X-Wing), HKDF-SHA256, ChaCha20-Poly1305. It hides and binds
 * the content to its recipient; it does not say who sent it.
 */
const KEM_XWING = 0x647a

function contextOf(sharedSecret: Secret, info: Uint8Array): HpkeContext {
  const { key, baseNonce } = hpkeKeySchedule(KEM_XWING, sharedSecret.expose(), info)
  sharedSecret.wipe()
  return new HpkeContext(key, baseNonce)
}

/**
 * A context that seals many messages to `publicKey` in order.
 *
 * @param randomness - 64 fresh uniform bytes; used again they repeat key and nonces.
 * @throws RangeError on an invalid public key.
 */
export function hpkeSender(
  publicKey: Uint8Array,
  info: Uint8Array,
  randomness: Uint8Array,
): { encapsulated: Bytes; context: HpkeContext } {
  const { sharedSecret, ciphertext } = xwingEncapsulate(publicKey, randomness)
  return { encapsulated: ciphertext, context: contextOf(sharedSecret, info) }
}

/** The recipient's side of `hpkeSender`, or null when `encapsulated` is malformed. */
export function hpkeReceiver(
  secretKey: Secret,
  encapsulated: Uint8Array,
  info: Uint8Array,
): HpkeContext | null {
  const sharedSecret = xwingDecapsulate(secretKey, encapsulated)
  return sharedSecret === null ? null : contextOf(sharedSecret, info)
}

/** Seals one message. @param randomness - 64 fresh uniform bytes. */
export function hpkeSeal(
  publicKey: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  randomness: Uint8Array,
): { encapsulated: Bytes; ciphertext: Bytes } {
  const { encapsulated, context } = hpkeSender(publicKey, info, randomness)
  const ciphertext = context.seal(aad, plaintext)
  context.wipe()
  return { encapsulated, ciphertext }
}

/** Opens one message; null when anything of it, `info` or `aad` differs. */
export function hpkeOpen(
  secretKey: Secret,
  encapsulated: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Bytes | null {
  const context = hpkeReceiver(secretKey, encapsulated, info)
  if (context === null) return null
  const plaintext = context.open(aad, ciphertext)
  context.wipe()
  return plaintext
}
