import type { Identifier } from "@lockkeeper/crypto"
import type { Slot } from "../messages/header.ts"
import type { Message, Received } from "../messages/message.ts"
import { collectRound, type Expected } from "../messages/round.ts"
import type { Outcome } from "../outcome.ts"

/** Every run here is a run of its own: it is never tried again under the same name. */
export const ATTEMPT = 1

/** A step 1, in which each sender speaks in a session that it has named itself. */
export interface FirstStep extends Expected {
  readonly step: number
  readonly rosterEpoch: number
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
  const place = { protocol: "dkls", attempt: ATTEMPT, sessionId: null } as const
  return collectRound({ ...first, ...place, previousDigest: null }, messages)
}
