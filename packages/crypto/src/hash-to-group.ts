import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import { symmetric } from "#symmetric"
import type { HashName } from "./backends/symmetric.ts"
import type { Element, Scalar } from "./groups/group.ts"
import { ristretto255, ristretto255FromUniform } from "./groups/ristretto255.ts"

const DIGEST_LENGTH = { sha256: 32, sha512: 64 } as const
const BLOCK_LENGTH = { sha256: 64, sha512: 128 } as const
const OVERSIZE_DST = utf8("H2C-OVERSIZE-DST-")

/**
 * expand_message_xmd of RFC 9380 Section 5.3.1. @param length - 1 to 255 digests.
 * @throws RangeError on an empty dst or another length.
 */
export function expandMessageXmd(
  hash: HashName,
  message: Uint8Array,
  dst: Uint8Array,
  length: number,
): Bytes {
  const blocks = Math.ceil(length / DIGEST_LENGTH[hash])
  if (length < 1 || blocks > 255) throw new RangeError(`expand_message of ${length} bytes`)
  if (dst.length === 0) throw new RangeError("expand_message without a domain separation tag")
  const tag = dst.length > 255 ? symmetric.hash(hash, [OVERSIZE_DST, dst]) : dst
  const dstPrime = concat(tag, Uint8Array.of(tag.length))
  const zeroBlock = new Uint8Array(BLOCK_LENGTH[hash])
  const size = Uint8Array.of(length >> 8, length & 255, 0)
  // b_0 = H(Z_pad || msg || l_i_b || 0 || DST'), b_i = H((b_0 xor b_(i-1)) || i || DST')
  const first = symmetric.hash(hash, [zeroBlock, message, size, dstPrime])
  let block: Bytes = new Uint8Array(first.length)
  const output: Bytes[] = []
  for (let i = 1; i <= blocks; i++) {
    const mixed = first.map((byte, at) => byte ^ (block[at] as number))
    block = symmetric.hash(hash, [mixed, Uint8Array.of(i), dstPrime])
    mixed.fill(0)
    output.push(block)
  }
  const joined = concat(...output)
  const expanded = joined.slice(0, length)
  // Passwords and nonces pass through here.
  for (const spent of [first, joined, ...output]) spent.fill(0)
  return expanded
}

/** HashToGroup of ristretto255-SHA512 (RFC 9497 Section 4.1, RFC 9380 Appendix B). */
export function hashToRistretto255(message: Uint8Array, dst: Uint8Array): Element {
  return ristretto255FromUniform(expandMessageXmd("sha512", message, dst, 64))
}

/** HashToScalar of ristretto255-SHA512 (RFC 9497 Section 4.1). */
export function hashToRistretto255Scalar(message: Uint8Array, dst: Uint8Array): Scalar {
  const expanded = expandMessageXmd("sha512", message, dst, 64)
  const scalar = ristretto255.scalarFromUniform(expanded)
  expanded.fill(0)
  return scalar
}
