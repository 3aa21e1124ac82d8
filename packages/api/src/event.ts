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
  u32,
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
  /** The account that asked, or an operator's id: the note then says of which server. */
  readonly accountId: Bytes | null
  readonly requestDigest: Bytes | null
  readonly keyId: Bytes | null
  /** What was recorded, or decided, about servers that broke a protocol; from version 3 on. */
  readonly incidents: readonly EventIncident[]
  /** Of which server the operator is who asked, or what was given as the reason, or empty; from
   * version 3 on. */
  readonly note: string
}

export interface EventIncident {
  /** How the server's records number it. */
  readonly number: number
  /** SHA-256 of the evidence it rests on. */
  readonly evidence: Bytes
}

/** Most incidents that one event names. */
export const MAX_EVENT_INCIDENTS = 16

/** Longest note of an operator, bytes of UTF-8. */
export const MAX_NOTE = 256

/**
 * What events are written as today. Earlier entries stay readable: those of version 1 name no pair,
 * those of version 2 no incidents.
 */
export const EVENT_VERSION = 3

const firstFields = struct<Omit<Event, "pair" | "incidents" | "note">>({
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

const lastFields = struct<Pick<Event, "incidents" | "note">>({
  incidents: list(
    struct<EventIncident>({ number: u32, evidence: fixedBytes(32) }),
    MAX_EVENT_INCIDENTS,
  ),
  note: text(MAX_NOTE),
})

const NO_INCIDENTS = { incidents: [], note: "" } as const

export const eventCodec: Codec<Event> = {
  write(writer, event) {
    const { version, pair, incidents, note } = event
    if (version < 1 || version > EVENT_VERSION) throw new RangeError("event version")
    if (version === 1 && pair !== null) throw new RangeError("version 1 names no pair")
    if (version < 3 && (incidents.length > 0 || note !== "")) {
      throw new RangeError("incidents are of version 3")
    }
    firstFields.write(writer, event)
    if (version === 1) return
    pairField.write(writer, pair === null ? null : { accuser: pair[0], accused: pair[1] })
    if (version === 3) lastFields.write(writer, event)
  },
  read(reader) {
    const start = reader.offset
    const event = firstFields.read(reader)
    if (event.version < 1 || event.version > EVENT_VERSION) {
      reader.fail("unknown version of an event", start)
    }
    const pair = event.version === 1 ? null : pairField.read(reader)
    const last = event.version < 3 ? NO_INCIDENTS : lastFields.read(reader)
    return { ...event, ...last, pair: pair === null ? null : [pair.accuser, pair.accused] }
  },
}
