/**
 * Arithmetic modulo the order q of secp256k1 on flat arrays, for the oblivious transfers, where a
 * presignature takes thousands of products. A value is eight little-endian 32-bit words below 2^256
 * at rest, and twelve limbs of 22 bits in use: a double holds a sum of hundreds of products of two
 * limbs exactly. No branch and no address depends on a value; how long the processor takes for one
 * instruction is not in our hands.
 */

/**
 * Eight words for each value, least significant first. Values are below 2^256, not always below q.
 */
export type Words = Uint32Array<ArrayBuffer>

export const WORDS = 8
export const LIMBS = 12
export const LIMB_BITS = 22
export const RADIX = 2 ** LIMB_BITS
export const RADIX_INVERSE = 2 ** -LIMB_BITS
const MASK = RADIX - 1
// Limb 11 holds bits 242 and up, so 14 of its bits are below 2^256.
const TOP_BITS = 14

export const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** Limbs of a public integer below 2^264. */
export function limbsOfInteger(value: bigint): number[] {
  return Array.from({ length: LIMBS }, (_, k) =>
    Number((value >> BigInt(LIMB_BITS * k)) & BigInt(MASK)),
  )
}

// 2^256 - q, six limbs long: what a carry out of 256 bits is worth.
const COMPLEMENT = limbsOfInteger((1n << 256n) - ORDER)
const [C0, C1, C2, C3, C4, C5] = COMPLEMENT as [number, number, number, number, number, number]

/** Splits the eight words at `at` into limbs. */
export function unpack(words: Words, at: number, limbs: Float64Array): void {
  const w0 = words[at]!
  const w1 = words[at + 1]!
  const w2 = words[at + 2]!
  const w3 = words[at + 3]!
  const w4 = words[at + 4]!
  const w5 = words[at + 5]!
  const w6 = words[at + 6]!
  const w7 = words[at + 7]!
  limbs[0] = w0 & MASK
  limbs[1] = ((w0 >>> 22) | (w1 << 10)) & MASK
  limbs[2] = ((w1 >>> 12) | (w2 << 20)) & MASK
  limbs[3] = (w2 >>> 2) & MASK
  limbs[4] = ((w2 >>> 24) | (w3 << 8)) & MASK
  limbs[5] = ((w3 >>> 14) | (w4 << 18)) & MASK
  limbs[6] = (w4 >>> 4) & MASK
  limbs[7] = ((w4 >>> 26) | (w5 << 6)) & MASK
  limbs[8] = ((w5 >>> 16) | (w6 << 16)) & MASK
  limbs[9] = (w6 >>> 6) & MASK
  limbs[10] = ((w6 >>> 28) | (w7 << 4)) & MASK
  limbs[11] = w7 >>> 18
}

/**
 * Writes the value of the limbs modulo q to the words at `at`, canonically. A limb may be anything
 * above -2^22 and below 2^29, the last one from 0 to 2^20.
 */
export function reduce(limbs: Int32Array, words: Words, at: number): void {
  // v = low + high * 2^256 is low + high * (2^256 - q) modulo q. High leaves at least one in the
  // last limb, which outweighs all others when they are negative: the sum is in (0, 2q).
  const high = (limbs[11]! - 1) >> TOP_BITS
  const top = limbs[11]! - (high << TOP_BITS)
  // With 2^256 - q once more the sum reaches 2^256 exactly when it was not below q.
  const f = high + 1
  let carry = (limbs[0]! + f * C0) >> LIMB_BITS
  carry = (carry + limbs[1]! + f * C1) >> LIMB_BITS
  carry = (carry + limbs[2]! + f * C2) >> LIMB_BITS
  carry = (carry + limbs[3]! + f * C3) >> LIMB_BITS
  carry = (carry + limbs[4]! + f * C4) >> LIMB_BITS
  carry = (carry + limbs[5]! + f * C5) >> LIMB_BITS
  carry = (carry + limbs[6]!) >> LIMB_BITS
  carry = (carry + limbs[7]!) >> LIMB_BITS
  carry = (carry + limbs[8]!) >> LIMB_BITS
  carry = (carry + limbs[9]!) >> LIMB_BITS
  carry = (carry + limbs[10]!) >> LIMB_BITS
  const h = high + ((carry + top) >> TOP_BITS)
  const r0 = limbs[0]! + h * C0
  const r1 = (r0 >> LIMB_BITS) + limbs[1]! + h * C1
  const r2 = (r1 >> LIMB_BITS) + limbs[2]! + h * C2
  const r3 = (r2 >> LIMB_BITS) + limbs[3]! + h * C3
  const r4 = (r3 >> LIMB_BITS) + limbs[4]! + h * C4
  const r5 = (r4 >> LIMB_BITS) + limbs[5]! + h * C5
  const r6 = (r5 >> LIMB_BITS) + limbs[6]!
  const r7 = (r6 >> LIMB_BITS) + limbs[7]!
  const r8 = (r7 >> LIMB_BITS) + limbs[8]!
  const r9 = (r8 >> LIMB_BITS) + limbs[9]!
  const r10 = (r9 >> LIMB_BITS) + limbs[10]!
  const r11 = (r10 >> LIMB_BITS) + top
  words[at] = (r0 & MASK) | (r1 << 22)
  words[at + 1] = ((r1 & MASK) >>> 10) | (r2 << 12)
  words[at + 2] = ((r2 & MASK) >>> 20) | ((r3 & MASK) << 2) | (r4 << 24)
  words[at + 3] = ((r4 & MASK) >>> 8) | (r5 << 14)
  words[at + 4] = ((r5 & MASK) >>> 18) | ((r6 & MASK) << 4) | (r7 << 26)
  words[at + 5] = ((r7 & MASK) >>> 6) | (r8 << 16)
  words[at + 6] = ((r8 & MASK) >>> 16) | ((r9 & MASK) << 6) | (r10 << 28)
  words[at + 7] = ((r10 & MASK) >>> 4) | (r11 << 18)
}

/**
 * The same for limbs that are sums of products: doubles from 0 to 2^49. Each is split without
 * waiting for the one below, since a chain of carries through doubles costs several times one
 * through integers.
 *
 * @param limbs - scratch space.
 */
export function reduceSums(sums: Float64Array, limbs: Int32Array, words: Words, at: number): void {
  const t10 = sums[10]!
  const high = Math.floor((sums[11]! + Math.floor(t10 * RADIX_INVERSE)) / 2 ** TOP_BITS)
  const t0 = sums[0]! + high * C0
  const t1 = sums[1]! + high * C1
  const t2 = sums[2]! + high * C2
  const t3 = sums[3]! + high * C3
  const t4 = sums[4]! + high * C4
  const t5 = sums[5]! + high * C5
  const t6 = sums[6]!
  const t7 = sums[7]!
  const t8 = sums[8]!
  const t9 = sums[9]!
  const u0 = Math.floor(t0 * RADIX_INVERSE)
  const u1 = Math.floor(t1 * RADIX_INVERSE)
  const u2 = Math.floor(t2 * RADIX_INVERSE)
  const u3 = Math.floor(t3 * RADIX_INVERSE)
  const u4 = Math.floor(t4 * RADIX_INVERSE)
  const u5 = Math.floor(t5 * RADIX_INVERSE)
  const u6 = Math.floor(t6 * RADIX_INVERSE)
  const u7 = Math.floor(t7 * RADIX_INVERSE)
  const u8 = Math.floor(t8 * RADIX_INVERSE)
  const u9 = Math.floor(t9 * RADIX_INVERSE)
  const u10 = Math.floor(t10 * RADIX_INVERSE)
  limbs[0] = t0 - u0 * RADIX
  limbs[1] = t1 - u1 * RADIX + u0
  limbs[2] = t2 - u2 * RADIX + u1
  limbs[3] = t3 - u3 * RADIX + u2
  limbs[4] = t4 - u4 * RADIX + u3
  limbs[5] = t5 - u5 * RADIX + u4
  limbs[6] = t6 - u6 * RADIX + u5
  limbs[7] = t7 - u7 * RADIX + u6
  limbs[8] = t8 - u8 * RADIX + u7
  limbs[9] = t9 - u9 * RADIX + u8
  limbs[10] = t10 - u10 * RADIX + u9
  limbs[11] = sums[11]! - high * 2 ** TOP_BITS + u10
  reduce(limbs, words, at)
}
