import type { Bytes } from "@lockkeeper/encoding"
import type { MlKem768 } from "./ml-kem.ts"

export type HashName = "sha256" | "sha512"

/** Hashes, AEAD and Ed25519 of one platform. Lengths are checked by the callers in `src`. */
export interface SymmetricBackend {
  readonly name: string
  hash(name: HashName | "sha3-256", parts: readonly Uint8Array[]): Bytes
  hmac(name: HashName, key: Uint8Array, parts: readonly Uint8Array[]): Bytes
  /** Ciphertext followed by the 16-byte tag. */
  aesGcmSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Bytes
  aesGcmOpen(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Bytes | null
  chachaSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Bytes
  chachaOpen(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Bytes | null
  /** AES-128 of each 16-byte block, without chaining or padding; one key for many calls. */
  aesPermutation(key: Uint8Array): (blocks: Uint8Array) => Bytes
  /** RFC 8032 key and signer of a 32-byte seed. */
  ed25519Signer(seed: Uint8Array): { publicKey: Bytes; sign(message: Uint8Array): Bytes }
  /** RFC 8032 verification without cofactor; `src/signature.ts` adds the stricter checks. */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  readonly mlKem768: MlKem768
  equalConstantTime(a: Uint8Array, b: Uint8Array): boolean
}
