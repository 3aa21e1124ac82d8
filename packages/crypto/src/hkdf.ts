import type { Bytes } from "@lockkeeper/encoding"
import { symmetric } from "#symmetric"
import type { HashName } from "./backends/symmetric.ts"

const LENGTHS = { sha256: 32, sha512: 64 } as const

function extract(hash: HashName, salt: Uint8Array, inputKey: Uint8Array): Bytes {
  return symmetric.hmac(hash, salt, [inputKey])
}

function expand(hash: HashName, key: Uint8Array, info: Uint8Array, length: number): Bytes {
  if (!Number.isInteger(length) || length < 0 || length > 255 * LENGTHS[hash]) {
    throw new RangeError(`HKDF output of ${length} bytes`)
  }
  const output = new Uint8Array(length)
  let block: Bytes = new Uint8Array(0)
  for (let offset = 0, counter = 1; offset < length; counter++) {
    // T(i) = HMAC(PRK, T(i-1) || info || i)
    const next = symmetric.hmac(hash, key, [block, info, Uint8Array.of(counter)])
    block.fill(0)
    block = next
    output.set(block.subarray(0, length - offset), offset)
    offset += block.length
  }
  block.fill(0)
  return output
}

/** The 32-byte pseudorandom key of RFC 5869 Section 2.2. An empty salt means zeros. */
export function hkdfSha256Extract(salt: Uint8Array, inputKey: Uint8Array): Bytes {
  return extract("sha256", salt, inputKey)
}

/** Output keying material of RFC 5869 Section 2.3. @param length - 0 to 8 160. */
export function hkdfSha256Expand(key: Uint8Array, info: Uint8Array, length: number): Bytes {
  return expand("sha256", key, info, length)
}

/** The 64-byte pseudorandom key of RFC 5869 Section 2.2. An empty salt means zeros. */
export function hkdfSha512Extract(salt: Uint8Array, inputKey: Uint8Array): Bytes {
  return extract("sha512", salt, inputKey)
}

/** Output keying material of RFC 5869 Section 2.3. @param length - 0 to 16 320. */
export function hkdfSha512Expand(key: Uint8Array, info: Uint8Array, length: number): Bytes {
  return expand("sha512", key, info, length)
}
