import { type Bytes, type Codec, DecodeError, decode } from "@lockkeeper/encoding"

/** Null for what no codec takes: a server refuses it before it looks at it. */
export function decodedOrNull<T>(codec: Codec<T>, encoded: Bytes): T | null {
  try {
    return decode(codec, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
