import { LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, DecodeError, decode } from "@lockkeeper/encoding"

/** A server's answer as values. @throws LockKeeperError `untrusted-server` when it is malformed. */
export function readAnswer<T>(server: Identifier, codec: Codec<T>, output: Bytes): T {
  try {
    return decode(codec, output)
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw new LockKeeperError("untrusted-server", "The server's answer is malformed.", {
      server,
      cause,
    })
  }
}
