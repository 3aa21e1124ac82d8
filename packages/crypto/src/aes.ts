import type { Bytes } from "@lockkeeper/encoding"
import { symmetric } from "#symmetric"

const KEY_LENGTH = 16
const BLOCK_LENGTH = 16

function checkKey(key: Uint8Array): void {
  if (key.length !== KEY_LENGTH) throw new RangeError("AES-128 key is not 16 bytes")
}

/**
 * The AES-128 permutation of every 16-byte block (FIPS 197): a building block for hashes, never a way
 * to encrypt. One call over a large buffer costs a fraction of many small ones.
 *
 * @throws RangeError on another key length or a part of a block.
 */
export function aes128Ecb(key: Uint8Array, blocks: Uint8Array): Bytes {
  checkKey(key)
  if (blocks.length % BLOCK_LENGTH !== 0) throw new RangeError("AES input ends inside a block")
  return symmetric.aesEcb(key, blocks)
}

/**
 * The first `length` bytes of AES-128-CTR key stream under `key` from counter zero (SP 800-38A). Two
 * uses of one key give the same bytes.
 */
export function aes128KeyStream(key: Uint8Array, length: number): Bytes {
  checkKey(key)
  return symmetric.aesCtr(key, new Uint8Array(BLOCK_LENGTH), length)
}
