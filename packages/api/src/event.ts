import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  oneOf,
  struct,
  text,
  u8,
  u16,
} from "@lockkeeper/encoding"
import { MAX_MEMBERS } from "./roster.ts"

/** What a server's log says about one step of one request. Holds no secret and no message. */
export interface Event {
  readonly version: number
  /** The operation, for example `sign`, `login`, `account.register`. */
  readonly operation: string
  readonly step: number
  readonly outcome: "done" | "refused" | "aborted"
  /** Error code or abort reason; empty when done. */
  readonly reason: string
  /** Servers proven at fault. */
  readonly culprits: readonly Identifier[]
  readonly accountId: Bytes | null
  readonly requestDigest: Bytes | null
  readonly keyId: Bytes | null
}

export const eventCodec: Codec<Event> = struct<Event>({
  version: u8,
  operation: text(64),
  step: u16,
  outcome: oneOf("done", "refused", "aborted"),
  reason: text(128),
  culprits: list(identifierCodec, MAX_MEMBERS),
  accountId: nullable(fixedBytes(32)),
  requestDigest: nullable(fixedBytes(32)),
  keyId: nullable(fixedBytes(32)),
})
