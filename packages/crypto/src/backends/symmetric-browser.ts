import { type Bytes, concat } from "@lockkeeper/encoding"
import { ecb, gcm } from "@noble/ciphers/aes.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { sha3_256 } from "@noble/hashes/sha3.js"
import { mlKemInJavaScript } from "./ml-kem.ts"
import { sodium } from "./sodium.ts"
import type { SymmetricBackend } from "./symmetric.ts"

const hashes = { sha256, sha512, "sha3-256": sha3_256 } as const

export const symmetric: SymmetricBackend = {
  name: "libsodium and noble",
  hash(name, parts) {
    const state = hashes[name].create()
    for (const part of parts) state.update(part)
    return state.digest() as Bytes
  },
  hmac(name, key, parts) {
    const state = hmac.create(hashes[name], key)
    for (const part of parts) state.update(part)
    return state.digest() as Bytes
  },
  aesGcmSeal: (key, nonce, aad, plaintext) => gcm(key, nonce, aad).encrypt(plaintext) as Bytes,
  aesGcmOpen(key, nonce, aad, sealed) {
    if (sealed.length < 16) return null
    try {
      return gcm(key, nonce, aad).decrypt(sealed) as Bytes
    } catch {
      return null
    }
  },
  chachaSeal: (key, nonce, aad, plaintext) =>
    sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, aad, null, nonce, key) as Bytes,
  chachaOpen(key, nonce, aad, sealed) {
    if (sealed.length < 16) return null
    try {
      return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
        null,
        sealed,
        aad,
        nonce,
        key,
      ) as Bytes
    } catch {
      return null
    }
  },
  aesPermutation: (key) => (blocks) => ecb(key, { disablePadding: true }).encrypt(blocks) as Bytes,
  ed25519Signer(seed) {
    const pair = sodium.crypto_sign_seed_keypair(seed)
    return {
      publicKey: pair.publicKey as Bytes,
      sign: (message) => sodium.crypto_sign_detached(message, pair.privateKey) as Bytes,
    }
  },
  ed25519Verify(publicKey, message, signature) {
    return sodium.crypto_sign_verify_detached(signature, message, publicKey)
  },
  mlKem768: mlKemInJavaScript,
  equalConstantTime: (a, b) => sodium.memcmp(concat(a), concat(b)),
}
