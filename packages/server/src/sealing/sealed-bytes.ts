import { aes256Gcm, hmacSha256, type Secret } from "@lockkeeper/crypto"
import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"

const FORMAT = 1
const SALT_LENGTH = 16
const KEY_LENGTH = 32
const WRAPPED_LENGTH = KEY_LENGTH + aes256Gcm.tagLength
const HEADER_LENGTH = 1 + SALT_LENGTH + WRAPPED_LENGTH

/** Fresh random bytes that sealing one record takes. */
export const SEAL_RANDOMNESS = SALT_LENGTH + KEY_LENGTH

/** Content is padded to a multiple of this, so that sizes say little. */
const PADDING = 64

// Every key below is used for one message, so the nonce can be constant. Random nonces under one
// key-encryption key would run out of safe messages within months of a busy server.
const NONCE = new Uint8Array(aes256Gcm.nonceLength)

const WRAP_LABEL = utf8("lockkeeper/row-wrap/v1")

function wrapKey(keyEncryptionKey: Secret, salt: Bytes): Bytes {
  return hmacSha256(keyEncryptionKey.expose(), WRAP_LABEL, salt)
}

function pad(content: Uint8Array): Bytes {
  const padded = new Uint8Array(Math.ceil((content.length + 4) / PADDING) * PADDING)
  new DataView(padded.buffer).setUint32(0, content.length)
  padded.set(content, 4)
  return padded
}

function unpad(padded: Bytes): Bytes | null {
  if (padded.length < PADDING) return null
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0)
  return length > padded.length - 4 ? null : padded.slice(4, 4 + length)
}

/**
 * Seals one record: AES-256-GCM under a data key of its own, which is wrapped under a key derived
 * from the key-encryption key and the record's salt. `place` is authenticated with both.
 *
 * @param randomness - SEAL_RANDOMNESS fresh bytes.
 */
export function sealBytes(
  keyEncryptionKey: Secret,
  place: Bytes,
  content: Uint8Array,
  randomness: Bytes,
): Bytes {
  if (randomness.length !== SEAL_RANDOMNESS) throw new RangeError("sealing takes 48 random bytes")
  const salt = randomness.slice(0, SALT_LENGTH)
  const dataKey = randomness.slice(SALT_LENGTH)
  const wrapping = wrapKey(keyEncryptionKey, salt)
  const padded = pad(content)
  const wrapped = aes256Gcm.seal(wrapping, NONCE, place, dataKey)
  const sealed = aes256Gcm.seal(dataKey, NONCE, place, padded)
  for (const secret of [dataKey, wrapping, padded, randomness]) secret.fill(0)
  return concat(Uint8Array.of(FORMAT), salt, wrapped, sealed)
}

/** The content, or null when the bytes were not sealed under this key for this place. */
export function openBytes(keyEncryptionKey: Secret, place: Bytes, sealed: Bytes): Bytes | null {
  if (sealed.length < HEADER_LENGTH || sealed[0] !== FORMAT) return null
  const salt = sealed.slice(1, 1 + SALT_LENGTH)
  const wrapping = wrapKey(keyEncryptionKey, salt)
  const wrapped = sealed.subarray(1 + SALT_LENGTH, HEADER_LENGTH)
  const dataKey = aes256Gcm.open(wrapping, NONCE, place, wrapped)
  wrapping.fill(0)
  if (dataKey === null) return null
  const padded = aes256Gcm.open(dataKey, NONCE, place, sealed.subarray(HEADER_LENGTH))
  dataKey.fill(0)
  if (padded === null) return null
  const content = unpad(padded)
  padded.fill(0)
  return content
}
