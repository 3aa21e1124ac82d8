import type { Identifier } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import { equivocationOf } from "../evidence/equivocation.ts"
import { type Slot, slotMismatch } from "../messages/header.ts"
import { type Message, openMessage, type Reader, type Received } from "../messages/message.ts"
import { abort, done, type Outcome } from "../outcome.ts"

/** Every run here is a run of its own: it is never tried again under the same name. */
export const ATTEMPT = 1

/** A step 1, in which each sender speaks in a session that it has named itself. */
export interface FirstStep {
  readonly step: number
  readonly rosterEpoch: number
  readonly senders: readonly Identifier[]
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  readonly reader: Reader
}

export function firstSlot(
  { step, rosterEpoch }: Pick<FirstStep, "step" | "rosterEpoch">,
  nonce: Slot["sessionId"],
  sender: Identifier,
): Slot {
  return { protocol: "dkls", step, attempt: ATTEMPT, sessionId: nonce, rosterEpoch, sender }
}

/**
 * Collects a first step. The session of each message is its sender's fresh nonce, so that a
 * participant that has forgotten a run opens another one and never signs two headers for one slot.
 * For the same reason two openings of one sender prove nothing, unless both have one nonce.
 */
export function collectFirst(
  first: FirstStep,
  messages: readonly Message[],
): Outcome<ReadonlyMap<Identifier, Received>> {
  const received = new Map<Identifier, Received>()
  for (const message of messages) {
    const opened = openMessage(message, first.verifyKeys, first.reader)
    if (!opened.ok) return opened
    const { header } = opened.value
    const { sender, sessionId } = header
    const misplaced = slotMismatch(header, firstSlot(first, sessionId, sender))
    if (misplaced) return abort(misplaced)
    if (!first.senders.includes(sender)) return abort("unknown-sender", { field: "sender" })
    const earlier = received.get(sender)
    if (earlier) return spokenTwice(earlier, opened.value)
    received.set(sender, opened.value)
  }
  const silent = first.senders.filter((sender) => !received.has(sender))
  return silent.length > 0 ? abort("missing-messages", { silent }) : done(received)
}

/** Nobody honest draws a nonce twice, so whoever opens twice with one has signed two headers for a slot. */
function spokenTwice(earlier: Received, later: Received): Outcome<never> {
  const isSameSlot = slotMismatch(earlier.header, later.header) === null
  if (!isSameSlot || equalBytes(earlier.digest, later.digest)) return abort("duplicate-sender")
  const evidence = [equivocationOf(earlier.signed, later.signed)]
  return abort("equivocation", { culprits: [later.header.sender], evidence })
}
