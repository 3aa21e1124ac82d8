import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import { shake256 } from "@noble/hashes/sha3.js"
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js"
import { symmetric } from "#symmetric"
import { sodium } from "./backends/sodium.ts"
import { sha3_256 } from "./hash.ts"
import { Secret } from "./secret.ts"

/** X-Wing: X25519 and ML-KEM-768 in one KEM, draft-connolly-cfrg-xwing-kem. */
export const XWING_PUBLIC_KEY_LENGTH = 1216
export const XWING_CIPHERTEXT_LENGTH = 1120
export const XWING_SEED_LENGTH = 32
export const XWING_RANDOMNESS_LENGTH = 64

const ML_KEM_PUBLIC_LENGTH = 1184
const ML_KEM_CIPHERTEXT_LENGTH = 1088
const ML_KEM_Q = 3329
const LABEL = utf8("\\.//^\\")

/** x25519, or null for a point of small order, where the shared secret would be zero. */
function x25519(scalar: Uint8Array, point: Uint8Array): Bytes | null {
  try {
    return sodium.crypto_scalarmult(scalar, point) as Bytes
  } catch {
    return null
  }
}

/** The ML-KEM seed and the X25519 scalar of an X-Wing seed, as wipeable bytes. */
function expandSeed(seed: Uint8Array) {
  const expanded = shake256(seed, { dkLen: 96 })
  return { expanded, mlKemSeed: expanded.subarray(0, 64), scalar: expanded.subarray(64) }
}

/** SHA3-256(ss_M || ss_X || ct_X || pk_X || label), wiping the inputs that are secret. */
function combine(
  mlKemSecret: Uint8Array,
  x25519Secret: Uint8Array,
  x25519Ciphertext: Uint8Array,
  x25519Public: Uint8Array,
): Secret {
  const shared = sha3_256(mlKemSecret, x25519Secret, x25519Ciphertext, x25519Public, LABEL)
  mlKemSecret.fill(0)
  x25519Secret.fill(0)
  return new Secret(shared)
}

/** The key pair of a seed (draft Section 5.2). The secret key is a copy of the seed. */
export function xwingKeyPair(seed: Uint8Array): { publicKey: Bytes; secretKey: Secret } {
  if (seed.length !== XWING_SEED_LENGTH) throw new RangeError("X-Wing seed is not 32 bytes")
  const { expanded, mlKemSeed, scalar } = expandSeed(seed)
  const mlKemPublic = symmetric.mlKem768.publicKey(mlKemSeed)
  const publicKey = concat(mlKemPublic, sodium.crypto_scalarmult_base(scalar))
  expanded.fill(0)
  return { publicKey, secretKey: Secret.copyOf(seed) }
}

/**
 * Encapsulates to a public key (draft Section 5.4), deterministically: whoever has `randomness`
 * can recompute both results, which is how a disputed ciphertext is judged.
 *
 * @param randomness - 64 fresh uniform bytes; used again they give the same shared secret.
 * @throws RangeError on a public key that `isXwingPublicKey` refuses.
 */
export function xwingEncapsulate(
  publicKey: Uint8Array,
  randomness: Uint8Array,
): { sharedSecret: Secret; ciphertext: Bytes } {
  if (randomness.length !== XWING_RANDOMNESS_LENGTH) {
    throw new RangeError("X-Wing randomness is not 64 bytes")
  }
  const mlKemPublic = publicKey.subarray(0, ML_KEM_PUBLIC_LENGTH)
  const x25519Public = publicKey.subarray(ML_KEM_PUBLIC_LENGTH)
  const scalar = randomness.subarray(32)
  const wellFormed = publicKey.length === XWING_PUBLIC_KEY_LENGTH && isReduced(mlKemPublic)
  const x25519Secret = wellFormed ? x25519(scalar, x25519Public) : null
  if (x25519Secret === null) throw new RangeError("invalid X-Wing public key")
  const mlKem = ml_kem768.encapsulate(mlKemPublic, randomness.subarray(0, 32))
  const x25519Ciphertext = sodium.crypto_scalarmult_base(scalar)
  return {
    ciphertext: concat(mlKem.cipherText, x25519Ciphertext),
    sharedSecret: combine(mlKem.sharedSecret, x25519Secret, x25519Ciphertext, x25519Public),
  }
}

/** Whether every 12-bit coefficient is below q: the modulus check of FIPS 203 Section 7.2. */
function isReduced(mlKemPublic: Uint8Array): boolean {
  // The last 32 bytes are a seed, not coefficients.
  for (let i = 0; i + 2 < mlKemPublic.length - 32; i += 3) {
    const [a, b, c] = mlKemPublic.subarray(i, i + 3) as unknown as [number, number, number]
    if ((a | ((b & 15) << 8)) >= ML_KEM_Q || ((b >> 4) | (c << 4)) >= ML_KEM_Q) return false
  }
  return true
}

/**
 * Whether one can encapsulate to these bytes: right length, ML-KEM coefficients reduced, X25519
 * part not of small order (stricter than the draft). A peer's key is checked when it arrives.
 */
export function isXwingPublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== XWING_PUBLIC_KEY_LENGTH) return false
  if (!isReduced(publicKey.subarray(0, ML_KEM_PUBLIC_LENGTH))) return false
  // Clamping makes any scalar a multiple of the cofactor, so small order shows as zero.
  return x25519(new Uint8Array(32), publicKey.subarray(ML_KEM_PUBLIC_LENGTH)) !== null
}

/**
 * The shared secret (draft Section 5.5), or null on a wrong length or a small-order X25519 part. A
 * ciphertext changed otherwise gives another secret, not null: only what is sealed with it shows.
 */
export function xwingDecapsulate(secretKey: Secret, ciphertext: Uint8Array): Secret | null {
  if (secretKey.length !== XWING_SEED_LENGTH) throw new RangeError("X-Wing seed is not 32 bytes")
  if (ciphertext.length !== XWING_CIPHERTEXT_LENGTH) return null
  const { expanded, mlKemSeed, scalar } = expandSeed(secretKey.expose())
  const x25519Ciphertext = ciphertext.subarray(ML_KEM_CIPHERTEXT_LENGTH)
  const x25519Public = sodium.crypto_scalarmult_base(scalar) as Bytes
  const x25519Secret = x25519(scalar, x25519Ciphertext)
  const mlKemCiphertext = ciphertext.subarray(0, ML_KEM_CIPHERTEXT_LENGTH)
  const mlKemSecret = symmetric.mlKem768.decapsulate(mlKemSeed, mlKemCiphertext)
  expanded.fill(0)
  if (x25519Secret === null) return null
  return combine(mlKemSecret, x25519Secret, x25519Ciphertext, x25519Public)
}
