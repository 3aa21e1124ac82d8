import { LockKeeperError } from "@lockkeeper/api"
import { type Bytes, type Codec, DecodeError, decode, decodeShared } from "@lockkeeper/encoding"

/** Runs a decoder and turns its refusal into one that names the field. */
export function decodeField<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new LockKeeperError("invalid-request", `${name} is malformed.`, {
      field: error.path === "" ? name : `${name}.${error.path}`,
      remedy: "Encode it canonically.",
      cause: error,
    })
  }
}

export function decodeAs<T>(name: string, codec: Codec<T>, bytes: Uint8Array): T {
  return decodeField(name, () => decode(codec, bytes))
}

/** Likewise, with long byte strings as views of `bytes`. */
export function decodeSharedAs<T>(name: string, codec: Codec<T>, bytes: Bytes): T {
  return decodeField(name, () => decodeShared(codec, bytes))
}
