import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  oneOf,
  safeInteger,
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
  /** Who takes part in a signature; from version 4 on. */
  readonly signers: readonly Identifier[]
  /** What a policy made of it; null where none was asked, and before version 4. */
  readonly decision: EventDecision | null
}

/** What was asked of a policy, and what it said. */
export interface EventDecision {
  /** Digest of the content as it came, 32 bytes; of a charter where that was to be changed. */
  readonly content: Bytes
  /** Digest of what the server read in it; null where nothing could be read. */
  readonly intent: Bytes | null
  /** The same for people, cut short. */
  readonly what: string
  /** Who asks, as the directory has it. */
  readonly person: string
  readonly policyVersion: number
  /** Digest of the charter, 32 bytes. */
  readonly charter: Bytes
  /** The rules that decided. */
  readonly rules: readonly string[]
  readonly approvals: readonly EventApproval[]
}

export interface EventApproval {
  readonly person: string
  /** The key that signed it. */
  readonly credential: Bytes
  readonly verdict: "approve" | "veto"
}

/** Most rules and approvals that an event names: as many as a policy has. */
const MAX_RULES = 128
const MAX_EVENT_APPROVALS = 128

/** Longest account of what is signed in an event, bytes. */
export const MAX_WHAT = 512

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
 * those of version 2 no incidents, those of version 3 no signers and decisions.
 */
export const EVENT_VERSION = 4

const firstFields = struct<Omit<Event, "pair" | "incidents" | "note" | "signers" | "decision">>({
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

const decisionFields = struct<Pick<Event, "signers" | "decision">>({
  // One of them may be the owner's device.
  signers: list(identifierCodec, MAX_MEMBERS + 1),
  decision: nullable(
    struct<EventDecision>({
      content: fixedBytes(32),
      intent: nullable(fixedBytes(32)),
      what: text(MAX_WHAT),
      person: text(64),
      policyVersion: safeInteger,
      charter: fixedBytes(32),
      rules: list(text(64), MAX_RULES),
      approvals: list(
        struct<EventApproval>({
          person: text(64),
          credential: fixedBytes(32),
          verdict: oneOf("approve", "veto"),
        }),
        MAX_EVENT_APPROVALS,
      ),
    }),
  ),
})

const NO_INCIDENTS = { incidents: [], note: "" } as const
const NO_DECISION = { signers: [], decision: null } as const

export const eventCodec: Codec<Event> = {
  write(writer, event) {
    const { version, pair, incidents, note } = event
    if (version < 1 || version > EVENT_VERSION) throw new RangeError("event version")
    if (version === 1 && pair !== null) throw new RangeError("version 1 names no pair")
    if (version < 3 && (incidents.length > 0 || note !== "")) {
      throw new RangeError("incidents are of version 3")
    }
    if (version < 4 && (event.signers.length > 0 || event.decision !== null)) {
      throw new RangeError("signers and decisions are of version 4")
    }
    firstFields.write(writer, event)
    if (version === 1) return
    pairField.write(writer, pair === null ? null : { accuser: pair[0], accused: pair[1] })
    if (version >= 3) lastFields.write(writer, event)
    if (version >= 4) decisionFields.write(writer, event)
  },
  read(reader) {
    const start = reader.offset
    const event = firstFields.read(reader)
    if (event.version < 1 || event.version > EVENT_VERSION) {
      reader.fail("unknown version of an event", start)
    }
    const pair = event.version === 1 ? null : pairField.read(reader)
    const last = event.version < 3 ? NO_INCIDENTS : lastFields.read(reader)
    const decided = event.version < 4 ? NO_DECISION : decisionFields.read(reader)
    return {
      ...event,
      ...last,
      ...decided,
      pair: pair === null ? null : [pair.accuser, pair.accused],
    }
  },
}
