import nodeCrypto, {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from "node:crypto"
import { type Bytes, concat } from "@lockkeeper/encoding"
import { type MlKem768, mlKemInJavaScript } from "./ml-kem.ts"
import type { HashName, SymmetricBackend } from "./symmetric.ts"

const TAG_LENGTH = 16
const PKCS8_PREFIX = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32)
const SPKI_PREFIX = Uint8Array.of(48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0)
// Parsing a key costs a third of a verification, and a server meets the same few keys all day.
const PARSED_KEYS_MAX = 256

const parsedKeys = new Map<string, KeyObject>()

/**
 * Buffers leave as plain arrays of their own: a pooled Buffer could be wiped under another. What they
 * held is wiped, since nonces and keys are made of it; so the argument is not to be used again.
 */
function plain(buffer: Uint8Array<ArrayBuffer>): Bytes {
  // Long results have memory of their own already.
  if (buffer.buffer.byteLength === buffer.length) return new Uint8Array(buffer.buffer)
  const bytes = new Uint8Array(buffer)
  buffer.fill(0)
  return bytes
}

function gcm(key: Uint8Array): "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm" {
  if (key.length === 16) return "aes-128-gcm"
  return key.length === 24 ? "aes-192-gcm" : "aes-256-gcm"
}

type AeadName = ReturnType<typeof gcm> | "chacha20-poly1305"

function seal(
  name: AeadName,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Bytes {
  const options = { authTagLength: TAG_LENGTH }
  const cipher = createCipheriv(name as "chacha20-poly1305", key, nonce, options)
  cipher.setAAD(aad, { plaintextLength: plaintext.length })
  const body = cipher.update(plaintext)
  cipher.final()
  return concat(body, cipher.getAuthTag())
}

function open(
  name: AeadName,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Bytes | null {
  const length = sealed.length - TAG_LENGTH
  if (length < 0) return null
  const options = { authTagLength: TAG_LENGTH }
  const decipher = createDecipheriv(name as "chacha20-poly1305", key, nonce, options)
  decipher.setAAD(aad, { plaintextLength: length })
  decipher.setAuthTag(sealed.subarray(length))
  const body = decipher.update(sealed.subarray(0, length))
  try {
    decipher.final()
  } catch {
    body.fill(0)
    return null
  }
  return plain(body)
}

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const name = Buffer.from(publicKey).toString("latin1")
  const known = parsedKeys.get(name)
  if (known !== undefined) return known
  const der = Buffer.from(concat(SPKI_PREFIX, publicKey))
  const parsed = createPublicKey({ key: der, format: "der", type: "spki" })
  if (parsedKeys.size >= PARSED_KEYS_MAX) parsedKeys.clear()
  parsedKeys.set(name, parsed)
  return parsed
}

const BLOCK_LENGTH: Partial<Record<HashName, number>> = { sha256: 64, sha512: 128 }

/**
 * RFC 2104 over two one-shot hashes: half the time of a `createHmac`, which makes a key object for
 * every call. H(key ^ opad || H(key ^ ipad || parts)); both inputs hold the key and are wiped.
 */
function hmac(name: HashName, key: Uint8Array, parts: readonly Uint8Array[]): Bytes {
  const block = BLOCK_LENGTH[name]
  if (block === undefined || key.length > block) {
    const state = createHmac(name, key)
    for (const part of parts) state.update(part)
    return plain(state.digest())
  }
  const inner = concat(new Uint8Array(block), ...parts)
  const outer = new Uint8Array(block)
  for (let i = 0; i < block; i++) {
    const byte = key[i] ?? 0
    inner[i] = byte ^ 0x36
    outer[i] = byte ^ 0x5c
  }
  const last = concat(outer, hash(name, inner, "buffer"))
  const tag = plain(hash(name, last, "buffer"))
  for (const spent of [inner, outer, last]) spent.fill(0)
  return tag
}

// PrivateKeyInfo of ML-KEM-768 with the 64-byte seed alone (draft-ietf-lamps-kyber-certificates).
const ML_KEM_PKCS8_PREFIX = Uint8Array.of(
  ...[48, 84, 2, 1, 0, 48, 11, 6, 9, 96, 134, 72, 1, 101, 3, 4, 4, 2, 4, 66, 128, 64],
)
const ML_KEM_PUBLIC_LENGTH = 1184

function mlKemKey(seed: Uint8Array): KeyObject {
  const der = Buffer.from(concat(ML_KEM_PKCS8_PREFIX, seed))
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
  der.fill(0)
  return privateKey
}

const mlKemInOpenssl: MlKem768 = {
  publicKey(seed) {
    const spki = createPublicKey(mlKemKey(seed)).export({ format: "der", type: "spki" })
    return plain(spki.subarray(-ML_KEM_PUBLIC_LENGTH))
  },
  decapsulate(seed, ciphertext) {
    return plain(nodeCrypto.decapsulate(mlKemKey(seed), ciphertext))
  },
}

export const symmetric: SymmetricBackend = {
  name: "node:crypto",
  hash(name, parts) {
    const [first] = parts
    if (parts.length === 1 && first !== undefined) return plain(hash(name, first, "buffer"))
    const state = createHash(name)
    for (const part of parts) state.update(part)
    return plain(state.digest())
  },
  hmac,
  aesGcmSeal: (key, nonce, aad, plaintext) => seal(gcm(key), key, nonce, aad, plaintext),
  aesGcmOpen: (key, nonce, aad, sealed) => open(gcm(key), key, nonce, aad, sealed),
  chachaSeal: (key, nonce, aad, plaintext) => seal("chacha20-poly1305", key, nonce, aad, plaintext),
  chachaOpen: (key, nonce, aad, sealed) => open("chacha20-poly1305", key, nonce, aad, sealed),
  aesPermutation(key) {
    const cipher = createCipheriv("aes-128-ecb", key, null)
    cipher.setAutoPadding(false)
    return (blocks) => plain(cipher.update(blocks))
  },
  ed25519Signer(seed) {
    const der = Buffer.from(concat(PKCS8_PREFIX, seed))
    const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
    der.fill(0)
    const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" })
    return {
      publicKey: plain(spki.subarray(SPKI_PREFIX.length)),
      sign: (message) => plain(sign(null, message, privateKey)),
    }
  },
  ed25519Verify: (publicKey, message, signature) =>
    verify(null, message, publicKeyObject(publicKey), signature),
  // From Node 24.7 on; a tenth of the time, and constant time by OpenSSL's care.
  mlKem768: typeof nodeCrypto.decapsulate === "function" ? mlKemInOpenssl : mlKemInJavaScript,
  equalConstantTime: (a, b) => timingSafeEqual(a, b),
}
