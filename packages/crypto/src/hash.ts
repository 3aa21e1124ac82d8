import type { Bytes } from "@lockkeeper/encoding"
import { symmetric } from "#symmetric"

/** SHA-256 of the parts one after the other (FIPS 180-4). For structures use `hashValue`. */
export function sha256(...parts: readonly Uint8Array[]): Bytes {
  return symmetric.hash("sha256", parts)
}

/** SHA-512 of the parts one after the other (FIPS 180-4). For structures use `hashValue`. */
export function sha512(...parts: readonly Uint8Array[]): Bytes {
  return symmetric.hash("sha512", parts)
}

/** SHA3-256 of the parts one after the other (FIPS 202). */
export function sha3_256(...parts: readonly Uint8Array[]): Bytes {
  return symmetric.hash("sha3-256", parts)
}

/** HMAC-SHA-256 over the parts one after the other (RFC 2104). */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  return symmetric.hmac("sha256", key, parts)
}

/** HMAC-SHA-512 over the parts one after the other (RFC 2104). */
export function hmacSha512(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  return symmetric.hmac("sha512", key, parts)
}

/** Equality in time that depends on the lengths only. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && symmetric.equalConstantTime(a, b)
}

/** The library that runs hashes, AEAD and identity signatures, for `version` and `doctor`. */
export const symmetricBackend: string = symmetric.name
