import { aes128Ecb } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"

/**
 * The tweakable correlation-robust hash TMMO of Guo, Katz, Wang and Yu (eprint 2019/074, Section
 * 7.4): H(x, i) = pi(pi(x) ^ i) ^ pi(x), where pi is AES-128 under a public key that no other batch
 * has. In the ideal-cipher model H(x, i) is pseudorandom for every x that the other end does not know,
 * also when those x differ by one secret offset and the other end chose one of each two.
 *
 * @param inputs - 16-byte blocks as four words each.
 * @param blocks - output blocks for each input; block b of input x has the tweak (first + x, b).
 * @returns four words for each output block, input by input. The caller wipes them.
 */
export function blockHash(
  key: Bytes,
  inputs: Uint32Array<ArrayBuffer>,
  first: number,
  blocks: number,
): Uint32Array<ArrayBuffer> {
  const permuted = permute(key, inputs)
  const masked = new Uint32Array(permuted.length * blocks)
  spread(permuted, blocks, masked)
  for (let at = 0, x = first; at < masked.length; x++) {
    for (let b = 0; b < blocks; b++, at += 4) {
      masked[at] = (masked[at] as number) ^ x
      masked[at + 1] = (masked[at + 1] as number) ^ b
    }
  }
  const hashed = permute(key, masked)
  spread(permuted, blocks, hashed)
  permuted.fill(0)
  masked.fill(0)
  return hashed
}

/** XORs each input's block into each of its output blocks. */
function spread(inputs: Uint32Array, blocks: number, outputs: Uint32Array): void {
  for (let from = 0, at = 0; from < inputs.length; from += 4) {
    const w0 = inputs[from] as number
    const w1 = inputs[from + 1] as number
    const w2 = inputs[from + 2] as number
    const w3 = inputs[from + 3] as number
    for (let b = 0; b < blocks; b++, at += 4) {
      outputs[at] = (outputs[at] as number) ^ w0
      outputs[at + 1] = (outputs[at + 1] as number) ^ w1
      outputs[at + 2] = (outputs[at + 2] as number) ^ w2
      outputs[at + 3] = (outputs[at + 3] as number) ^ w3
    }
  }
}

function permute(key: Bytes, words: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const blocks = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
  return wordsOf(aes128Ecb(key, blocks))
}

/** Bytes as little-endian words, in place where their alignment allows it. */
export function wordsOf(bytes: Bytes): Uint32Array<ArrayBuffer> {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4)
}

export function bytesOf(words: Uint32Array<ArrayBuffer>): Bytes {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

// Rows, columns and messages are read as words in place, which only little-endian machines can.
if (bytesOf(Uint32Array.of(1))[0] !== 1) throw new Error("big-endian processors are not supported")
