import type { Bytes } from "@lockkeeper/encoding"
import { symmetric } from "#symmetric"

const KEY_LENGTH = 32
const NONCE_LENGTH = 12
const TAG_LENGTH = 16

/** Authenticated encryption. Two seals under one key and nonce reveal both plaintexts. */
export interface Aead {
  readonly keyLength: 32
  readonly nonceLength: 12
  readonly tagLength: 16
  /** Ciphertext and 16-byte tag. @throws RangeError on a wrong key or nonce length. */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Bytes
  /** The plaintext, or null when anything at all was changed. @throws RangeError likewise. */
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Bytes | null
}

function checkLengths(key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== KEY_LENGTH) throw new RangeError("AEAD key is not 32 bytes")
  if (nonce.length !== NONCE_LENGTH) throw new RangeError("AEAD nonce is not 12 bytes")
}

function aead(seal: Aead["seal"], open: Aead["open"]): Aead {
  return {
    keyLength: KEY_LENGTH,
    nonceLength: NONCE_LENGTH,
    tagLength: TAG_LENGTH,
    seal(key, nonce, aad, plaintext) {
      checkLengths(key, nonce)
      return seal(key, nonce, aad, plaintext)
    },
    open(key, nonce, aad, sealed) {
      checkLengths(key, nonce)
      return open(key, nonce, aad, sealed)
    },
  }
}

/** AES-256-GCM, NIST SP 800-38D. */
export const aes256Gcm: Aead = aead(symmetric.aesGcmSeal, symmetric.aesGcmOpen)

/** ChaCha20-Poly1305, RFC 8439. */
export const chacha20Poly1305: Aead = aead(symmetric.chachaSeal, symmetric.chachaOpen)
