import { type Bytes, DecodeError } from "@lockkeeper/encoding"

const BUCKET = 256

/** Content behind its u32 length, zero-filled to a multiple of 256 bytes, so that sizes say little. */
export function pad(content: Uint8Array): Bytes {
  const padded = new Uint8Array(Math.ceil((content.length + 4) / BUCKET) * BUCKET)
  new DataView(padded.buffer).setUint32(0, content.length)
  padded.set(content, 4)
  return padded
}

/** The content of `pad`'s output, and of nothing else, where it lies. @throws DecodeError */
export function unpad(padded: Uint8Array): Bytes {
  if (padded.length < BUCKET || padded.length % BUCKET !== 0) {
    throw new DecodeError("padded length is not a multiple of 256", padded.length)
  }
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0)
  if (Math.ceil((length + 4) / BUCKET) * BUCKET !== padded.length) {
    throw new DecodeError("padding is not minimal", 0)
  }
  for (let i = 4 + length; i < padded.length; i++) {
    if (padded[i] !== 0) throw new DecodeError("padding is not zero", i)
  }
  return padded.subarray(4, 4 + length) as Bytes
}
