import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { equivocationOf } from "../evidence/equivocation.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { type Slot, slotMismatch } from "./header.ts"
import { type Message, openMessage, type Reader, type Received } from "./message.ts"

/** Whose messages a collector expects in a step, and for whom it reads them. */
export interface Expected {
  /** Whose messages belong here; servers and additive participants alike. */
  readonly senders: readonly Identifier[]
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  readonly reader: Reader
}

/** One step of one run as its collector expects it. */
export interface Round extends Omit<Slot, "sender" | "sessionId">, Expected {
  /** Null in a first step whose senders each speak in a session that they have named themselves. */
  readonly sessionId: Bytes | null
  /** The digest every header must echo, or null where senders may rightly differ. */
  readonly previousDigest: Bytes | null
}

export interface Collected {
  readonly received: ReadonlyMap<Identifier, Received>
  /** Senders without a message, ascending. */
  readonly silent: readonly Identifier[]
}

/** One message of the round, whatever the others are. Blames nobody. */
export function openInRound(round: Round, message: Message): Outcome<Received> {
  const opened = openMessage(message, round.verifyKeys, round.reader)
  if (!opened.ok) return opened
  const { header } = opened.value
  const reason = slotMismatch(header, { ...round, sessionId: round.sessionId ?? header.sessionId })
  if (reason) return abort(reason)
  if (!round.senders.includes(header.sender)) return abort("unknown-sender", { field: "sender" })
  return opened
}

/**
 * Whether one sender signed two different headers for one place. It did not where it named two
 * sessions: whoever has forgotten a run opens another one.
 */
export function areForOnePlace(a: Received, b: Received): boolean {
  return !equalBytes(a.digest, b.digest) && slotMismatch(a.header, b.header) === null
}

/**
 * Collects a step whose senders may be silent: refuses unknown, duplicate and equivocating senders,
 * messages of another slot, and headers that echo something else than what this collector saw.
 * Only equivocation names anyone, since only it is proven by signatures alone.
 */
export function collectAvailable(round: Round, messages: readonly Message[]): Outcome<Collected> {
  const received = new Map<Identifier, Received>()
  for (const message of messages) {
    const opened = openInRound(round, message)
    if (!opened.ok) return opened
    const { header, signed } = opened.value
    const earlier = received.get(header.sender)
    if (earlier && !areForOnePlace(earlier, opened.value)) return abort("duplicate-sender")
    if (earlier) {
      const evidence = [equivocationOf(earlier.signed, signed)]
      return abort("equivocation", { culprits: [header.sender], evidence })
    }
    received.set(header.sender, opened.value)
  }
  if (round.previousDigest) {
    for (const { header } of received.values()) {
      if (!equalBytes(header.previousDigest, round.previousDigest)) return abort("echo-mismatch")
    }
  }
  const silent = round.senders.filter((sender) => !received.has(sender))
  return done({ received, silent: silent.sort((a, b) => a - b) })
}

/** Collects a step that needs every sender; missing ones are listed as silent, not as culprits. */
export function collectRound(
  round: Round,
  messages: readonly Message[],
): Outcome<ReadonlyMap<Identifier, Received>> {
  const collected = collectAvailable(round, messages)
  if (!collected.ok) return collected
  const { received, silent } = collected.value
  return silent.length > 0 ? abort("missing-messages", { silent }) : done(received)
}
