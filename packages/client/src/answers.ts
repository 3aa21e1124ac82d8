import { LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, DecodeError, decode } from "@lockkeeper/encoding"

/** A server's answer as values. @throws LockKeeperError `untrusted-server` when it is malformed. */
export function readAnswer<T>(server: Identifier, codec: Codec<T>, output: Bytes): T {
  return orMalformed(server, () => decode(codec, output))
}

/** Reads what a server sent. @throws LockKeeperError `untrusted-server` when it is malformed. */
export function orMalformed<T>(server: Identifier, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw new LockKeeperError("untrusted-server", "The server's answer is malformed.", {
      server,
      cause,
    })
  }
}
