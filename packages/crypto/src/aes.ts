import type { Bytes } from "@lockkeeper/encoding"
import { symmetric } from "#symmetric"

const KEY_LENGTH = 16
const BLOCK_LENGTH = 16

function checkKey(key: Uint8Array): void {
  if (key.length !== KEY_LENGTH) throw new RangeError("AES-128 key is not 16 bytes")
}

/** A permutation of every 16-byte block of its input. @throws RangeError on a part of a block. */
export type BlockPermutation = (blocks: Uint8Array) => Bytes

/**
 * AES-128 under one key, block by block (FIPS 197): a building block for hashes, never a way to
 * encrypt. One call over a large buffer costs a fraction of many small ones.
 *
 * @throws RangeError on another key length.
 */
export function aes128Permutation(key: Uint8Array): BlockPermutation {
  checkKey(key)
  const permute = symmetric.aesPermutation(key)
  return (blocks) => {
    if (blocks.length % BLOCK_LENGTH !== 0) throw new RangeError("AES input ends inside a block")
    return permute(blocks)
  }
}

/**
 * The first `length` bytes of AES-128-CTR key stream under `key` from counter zero (SP 800-38A). Two
 * uses of one key give the same bytes.
 */
export function aes128KeyStream(key: Uint8Array, length: number): Bytes {
  const counters = new Uint8Array(Math.ceil(length / BLOCK_LENGTH) * BLOCK_LENGTH)
  const view = new DataView(counters.buffer)
  for (let counter = 0, at = 12; at < counters.length; counter++, at += BLOCK_LENGTH) {
    view.setUint32(at, counter)
  }
  return aes128Permutation(key)(counters).slice(0, length)
}
