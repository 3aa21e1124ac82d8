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
  /** Two servers of which one is at fault, and it cannot be told which; from version 2 on. */
  readonly pair: readonly [Identifier, Identifier] | null
  readonly accountId: Bytes | null
  readonly requestDigest: Bytes | null
  readonly keyId: Bytes | null
}

/** What events are written as today. Entries of version 1 stay readable: they name no pair. */
export const EVENT_VERSION = 2

const firstFields = struct<Omit<Event, "pair">>({
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

const pairField = nullable(
  struct<{ accuser: Identifier; accused: Identifier }>({
    accuser: identifierCodec,
    accused: identifierCodec,
  }),
)

export const eventCodec: Codec<Event> = {
  write(writer, event) {
    const { pair } = event
    if (event.version < 1 || event.version > EVENT_VERSION) throw new RangeError("event version")
    if (event.version === 1 && pair !== null) throw new RangeError("version 1 names no pair")
    firstFields.write(writer, event)
    if (event.version === 1) return
    pairField.write(writer, pair === null ? null : { accuser: pair[0], accused: pair[1] })
  },
  read(reader) {
    const start = reader.offset
    const event = firstFields.read(reader)
    if (event.version < 1 || event.version > EVENT_VERSION) {
      reader.fail("unknown version of an event", start)
    }
    const pair = event.version === 1 ? null : pairField.read(reader)
    return { ...event, pair: pair === null ? null : [pair.accuser, pair.accused] }
  },
}
