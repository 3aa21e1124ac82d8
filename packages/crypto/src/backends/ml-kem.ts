import type { Bytes } from "@lockkeeper/encoding"
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js"

/**
 * The parts of ML-KEM-768 (FIPS 203) that a platform may do natively, from the 64-byte seed d || z.
 * Encapsulation is not among them: no platform takes its randomness from the caller.
 */
export interface MlKem768 {
  publicKey(seed: Uint8Array): Bytes
  /** Implicit rejection: a wrong ciphertext gives another secret, never an error. */
  decapsulate(seed: Uint8Array, ciphertext: Uint8Array): Bytes
}

/** In JavaScript, where nothing faster is at hand. */
export const mlKemInJavaScript: MlKem768 = {
  publicKey(seed) {
    const { publicKey, secretKey } = ml_kem768.keygen(seed)
    secretKey.fill(0)
    return publicKey as Bytes
  },
  decapsulate(seed, ciphertext) {
    const { secretKey } = ml_kem768.keygen(seed)
    const sharedSecret = ml_kem768.decapsulate(ciphertext, secretKey)
    secretKey.fill(0)
    return sharedSecret as Bytes
  },
}
