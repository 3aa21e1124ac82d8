import { hashValue, type Identifier, identifierCodec } from "@lockkeeper/crypto"
import { type Bytes, type Codec, fixedBytes, list, struct } from "@lockkeeper/encoding"
import { type HeaderDigests, headerDigestsCodec } from "../../messages/echo.ts"
import type { Slot } from "../../messages/header.ts"
import { LIMITS } from "../../messages/limits.ts"
import { abort, done, type Outcome } from "../../outcome.ts"
import { setupParamsCodec } from "../codec.ts"
import { ATTEMPT } from "../first-step.ts"
import { LABELS } from "../labels.ts"
import { isAscending } from "../presign/params.ts"
import type { SetupParams, SetupStep } from "../types.ts"

/** Headers of setup count on from here, so that none is a header of presigning. */
const FIRST_HEADER_STEP = 11

export function headerStep(step: SetupStep): number {
  return FIRST_HEADER_STEP + step - 1
}

export function checkSetupParams(
  params: SetupParams,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<SetupParams> {
  const { setupId, participants } = params
  if (setupId.length !== 32) return abort("wrong-params", { field: "setupId" })
  if (participants.length < 2 || !isAscending(participants, LIMITS.participants)) {
    return abort("wrong-participants", { field: "participants" })
  }
  const unknown = participants.find((participant) => !verifyKeys.has(participant))
  return unknown === undefined
    ? done(params)
    : abort("unknown-sender", { field: `participants.${unknown}` })
}

/** Names what a run was asked for. */
export function setupParamsDigest(params: SetupParams): Bytes {
  return hashValue(LABELS.setupParams, setupParamsCodec, params)
}

interface SetupRun {
  readonly params: SetupParams
  readonly openings: HeaderDigests
}

const setupRunCodec: Codec<SetupRun> = struct<SetupRun>({
  params: setupParamsCodec,
  openings: headerDigestsCodec,
})

/** Session of the steps after the first: every opening header covers a fresh nonce of its sender. */
export function setupSession(run: SetupRun): Bytes {
  return hashValue(LABELS.setupSession, setupRunCodec, run)
}

/** The slot of every sender's message of one step after the first. */
export function setupSlot(
  { rosterEpoch }: SetupParams,
  step: SetupStep,
  sessionId: Bytes,
): Omit<Slot, "sender"> {
  return { protocol: "dkls", step: headerStep(step), attempt: ATTEMPT, sessionId, rosterEpoch }
}

interface BaseOtPlace {
  readonly sessionId: Bytes
  readonly sender: Identifier
  readonly receiver: Identifier
}

const baseOtPlaceCodec = struct<BaseOtPlace>({
  sessionId: fixedBytes(32),
  sender: identifierCodec,
  receiver: identifierCodec,
})

/** What the base transfers of one ordered pair are bound to. */
export function baseOtContext(place: BaseOtPlace): Bytes {
  return hashValue(LABELS.baseOt, baseOtPlaceCodec, place)
}

/** Two participants, the smaller identifier first. */
export interface Pair {
  readonly low: Identifier
  readonly high: Identifier
}

export function pairOf(a: Identifier, b: Identifier): Pair {
  return { low: Math.min(a, b), high: Math.max(a, b) }
}

interface PairInSession extends Pair {
  readonly sessionId: Bytes
}

export const pairInSessionCodec: Codec<PairInSession> = struct<PairInSession>({
  sessionId: fixedBytes(32),
  low: identifierCodec,
  high: identifierCodec,
})

/**
 * Names one pair's setup. The session is the hash of everyone's openings, and an end signs one
 * exchange for it, so two honest ends with one digest hold two halves of one setup.
 */
export function pairDigest(pair: PairInSession): Bytes {
  return hashValue(LABELS.pair, pairInSessionCodec, pair)
}

const outcomeCodec = struct<{ readonly sessionId: Bytes; readonly pairs: readonly Pair[] }>({
  sessionId: fixedBytes(32),
  pairs: list(struct<Pair>({ low: identifierCodec, high: identifierCodec }), 300),
})

/** What everyone confirms: which pairs this session sets up. */
export function setupOutcome(sessionId: Bytes, pairs: readonly Pair[]): Bytes {
  return hashValue(LABELS.setupConfirmation, outcomeCodec, { sessionId, pairs })
}
