import { aes128Permutation } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"

/** H(x, i) for many x at once; see `blockHash`. */
export type BlockHash = (
  inputs: Uint32Array<ArrayBuffer>,
  first: number,
  blocks: number,
) => Uint32Array<ArrayBuffer>

/**
 * The tweakable correlation-robust hash TMMO of Guo, Katz, Wang and Yu (eprint 2019/074): H(x, i) =
 * pi(pi(x) ^ i) ^ pi(x), where pi is AES-128 under a public key that no other batch has. In the
 * ideal-cipher model H(x, i) is pseudorandom for every x that the other end does not know, also
 * when those x differ by one secret offset from x that the other end chose.
 *
 * The hash takes four words for each 16-byte input and gives `blocks` times four words for each;
 * block b of input x has the tweak (first + x, b). The caller wipes what it gets.
 */
export function blockHash(key: Bytes): BlockHash {
  const permutation = aes128Permutation(key)
  const permute = (words: Uint32Array<ArrayBuffer>) => wordsOf(permutation(bytesOf(words)))
  let tweaked: Uint32Array<ArrayBuffer> = new Uint32Array(0)
  return (inputs, first, blocks) => {
    const permuted = permute(inputs)
    const size = inputs.length * blocks
    // A fresh array of tens of kilobytes costs as much as filling it.
    if (tweaked.length !== size) tweaked = new Uint32Array(size)
    tweak(permuted, first, blocks, tweaked)
    const hashed = permute(tweaked)
    spread(permuted, blocks, hashed)
    permuted.fill(0)
    tweaked.fill(0)
    return hashed
  }
}

function tweak(
  inputs: Uint32Array,
  first: number,
  blocks: number,
  tweaked: Uint32Array<ArrayBuffer>,
): void {
  for (let from = 0, at = 0, x = first; from < inputs.length; from += 4, x++) {
    const w0 = inputs[from]! ^ x
    const w1 = inputs[from + 1]!
    const w2 = inputs[from + 2]!
    const w3 = inputs[from + 3]!
    for (let b = 0; b < blocks; b++, at += 4) {
      tweaked[at] = w0
      tweaked[at + 1] = w1 ^ b
      tweaked[at + 2] = w2
      tweaked[at + 3] = w3
    }
  }
}

/** XORs each input's block into each of its output blocks. */
function spread(inputs: Uint32Array, blocks: number, outputs: Uint32Array): void {
  for (let from = 0, at = 0; from < inputs.length; from += 4) {
    const w0 = inputs[from]!
    const w1 = inputs[from + 1]!
    const w2 = inputs[from + 2]!
    const w3 = inputs[from + 3]!
    for (let b = 0; b < blocks; b++, at += 4) {
      outputs[at]! ^= w0
      outputs[at + 1]! ^= w1
      outputs[at + 2]! ^= w2
      outputs[at + 3]! ^= w3
    }
  }
}

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** Bytes as little-endian words, in place where their alignment allows it. */
export function wordsOf(bytes: Bytes): Uint32Array<ArrayBuffer> {
  // Every row, column and message passes here; on other processors all of them would read wrong.
  if (!LITTLE_ENDIAN) throw new Error("oblivious transfers need a little-endian processor")
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4)
}

export function bytesOf(words: Uint32Array<ArrayBuffer>): Bytes {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}
