import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import type { AbortReason } from "../outcome.ts"
import { type Header, type Slot, slotMismatch } from "./header.ts"
import { type Message, signMessage } from "./message.ts"
import type { Expected, Round } from "./round.ts"
import type { Signer } from "./signature.ts"

/**
 * The first step of a run. Nobody has spoken yet, so each sender speaks in a session that is a fresh
 * nonce of its own: a participant that has forgotten a run, since its database was put back, opens
 * another one and never signs two headers for one slot.
 */
export interface OpeningStep extends Omit<Slot, "sender" | "sessionId"> {
  /** Hash of what the run is about; stands where a later message echoes the step before. */
  readonly request: Bytes
}

export interface OpeningDraft {
  readonly sender: Identifier
  /** 32 fresh uniform bytes. Two openings under one nonce are proven equivocation. */
  readonly nonce: Bytes
  readonly broadcast: Bytes
}

export function signOpening(
  signer: Signer,
  { request, ...place }: OpeningStep,
  { sender, nonce, broadcast }: OpeningDraft,
): Message {
  const slot = { ...place, sessionId: nonce, sender }
  return signMessage(signer, slot, { previousDigest: request, broadcast })
}

/** The round in which `senders` open. Openings that answer another request are none of it. */
export function openingRound({ request, ...place }: OpeningStep, expected: Expected): Round {
  return { ...place, sessionId: null, previousDigest: request, ...expected }
}

/**
 * What makes `header` no opening of this step, or null; senders are not compared. A faulty opening
 * is held against its signer under the one request that it answers, and under no other.
 */
export function openingMismatch(
  header: Header,
  { request, ...place }: OpeningStep,
): AbortReason | "of another run" | null {
  const misplaced = slotMismatch(header, { ...place, sessionId: header.sessionId })
  if (misplaced) return misplaced
  return equalBytes(header.previousDigest, request) ? null : "of another run"
}
