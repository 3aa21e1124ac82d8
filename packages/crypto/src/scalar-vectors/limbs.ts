/**
 * Arithmetic modulo the order q of secp256k1 on flat arrays, for the oblivious transfers, where a
 * presignature takes thousands of products. A value is eight little-endian 32-bit words below 2^256
 * at rest, and twelve limbs of 22 bits in use: a double holds a sum of hundreds of products of two
 * limbs exactly. No branch and no address depends on a value; how long the processor takes for one
 * instruction is not in our hands.
 */

/** Eight words for each value, least significant first. Values are below 2^256, not always below q. */
export type Words = Uint32Array<ArrayBuffer>

export const WORDS = 8
export const LIMBS = 12
export const LIMB_BITS = 22
export const RADIX = 2 ** LIMB_BITS
export const RADIX_INVERSE = 2 ** -LIMB_BITS
const MASK = RADIX - 1
// Limb 11 holds bits 242 and up, so 14 of its bits are below 2^256.
const TOP_BITS = 14
const TOP_MASK = (1 << TOP_BITS) - 1
const TOP = 2 ** TOP_BITS

export const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** Limbs of a public integer below 2^264. */
export function limbsOfInteger(value: bigint): Float64Array<ArrayBuffer> {
  const limbs = new Float64Array(LIMBS)
  for (let k = 0; k < LIMBS; k++) {
    limbs[k] = Number((value >> BigInt(LIMB_BITS * k)) & BigInt(MASK))
  }
  return limbs
}

/** 2^256 - q: what a carry out of 256 bits is worth. */
export const COMPLEMENT = limbsOfInteger((1n << 256n) - ORDER)
/** 2q, to keep differences of two values below 2^256 positive. */
export const TWICE_ORDER = limbsOfInteger(2n * ORDER)

/** Splits the eight words at `at` into limbs. */
export function unpack(words: Words, at: number, limbs: Float64Array): void {
  const w0 = words[at] as number
  const w1 = words[at + 1] as number
  const w2 = words[at + 2] as number
  const w3 = words[at + 3] as number
  const w4 = words[at + 4] as number
  const w5 = words[at + 5] as number
  const w6 = words[at + 6] as number
  const w7 = words[at + 7] as number
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

/** Joins limbs, each below 2^22 and in sum below 2^256, to the eight words at `at`. */
export function pack(limbs: Int32Array, words: Words, at: number): void {
  const l = limbs as unknown as readonly number[] & { length: 12 }
  words[at] = (l[0] as number) | ((l[1] as number) << 22)
  words[at + 1] = ((l[1] as number) >>> 10) | ((l[2] as number) << 12)
  words[at + 2] = ((l[2] as number) >>> 20) | ((l[3] as number) << 2) | ((l[4] as number) << 24)
  words[at + 3] = ((l[4] as number) >>> 8) | ((l[5] as number) << 14)
  words[at + 4] = ((l[5] as number) >>> 18) | ((l[6] as number) << 4) | ((l[7] as number) << 26)
  words[at + 5] = ((l[7] as number) >>> 6) | ((l[8] as number) << 16)
  words[at + 6] = ((l[8] as number) >>> 16) | ((l[9] as number) << 6) | ((l[10] as number) << 28)
  words[at + 7] = ((l[10] as number) >>> 4) | ((l[11] as number) << 18)
}

/** Moves what exceeds 22 bits of limbs 0 to 10 upwards; limb 11 keeps whatever is above. */
function carry(limbs: Float64Array): void {
  let excess = 0
  for (let k = 0; k < LIMBS - 1; k++) {
    const sum = (limbs[k] as number) + excess
    excess = Math.floor(sum * RADIX_INVERSE)
    limbs[k] = sum - excess * RADIX
  }
  limbs[LIMBS - 1] = (limbs[LIMBS - 1] as number) + excess
}

/** v = low + high * 2^256 becomes low + high * (2^256 - q), which is the same modulo q. */
function foldTop(limbs: Float64Array): void {
  const top = limbs[LIMBS - 1] as number
  const high = Math.floor(top / TOP)
  limbs[LIMBS - 1] = top - high * TOP
  for (let k = 0; k < 6; k++) {
    limbs[k] = (limbs[k] as number) + high * (COMPLEMENT[k] as number)
  }
}

const reduced = new Int32Array(LIMBS)
const less = new Int32Array(LIMBS)

/**
 * Writes the value of the limbs modulo q to the words at `at`, canonically. The limbs, which may
 * be any doubles below 2^49 of a positive sum below 2^284, are overwritten.
 */
export function reduce(limbs: Float64Array, words: Words, at: number): void {
  carry(limbs)
  foldTop(limbs)
  carry(limbs)
  // Now below 2^256 + 2^160, so below 2q. v - q = v + (2^256 - q) - 2^256, kept if not negative.
  let plain = 0
  let lowered = 0
  for (let k = 0; k < LIMBS; k++) {
    plain += limbs[k] as number
    lowered += (limbs[k] as number) + (COMPLEMENT[k] as number)
    reduced[k] = plain & MASK
    less[k] = lowered & MASK
    plain >>= LIMB_BITS
    lowered >>= LIMB_BITS
  }
  const keep = -((less[LIMBS - 1] as number) >>> TOP_BITS)
  less[LIMBS - 1] = (less[LIMBS - 1] as number) & TOP_MASK
  for (let k = 0; k < LIMBS; k++) {
    const value = reduced[k] as number
    reduced[k] = value ^ ((value ^ (less[k] as number)) & keep)
  }
  pack(reduced, words, at)
}
