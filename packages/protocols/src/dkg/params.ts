import {
  type Group,
  groupByName,
  hashValue,
  type Identifier,
  identifierCodec,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  fixedBytes,
  list,
  mapped,
  struct,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { groupOf, KEY_TYPES, type KeyType, keyTypeCodec } from "../key-types.ts"
import { type HeaderDigests, headerDigestsCodec } from "../messages/echo.ts"
import type { Slot } from "../messages/header.ts"
import { LIMITS } from "../messages/limits.ts"
import type { OpeningStep } from "../messages/opening.ts"
import type { Expected, Round } from "../messages/round.ts"
import type { Signer } from "../messages/signature.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { LABELS } from "./labels.ts"

/** What a run is about. Every participant checks it before it opens; the session hashes it. */
export interface DkgParams {
  /** 32 bytes, fresh for each key. */
  readonly keyId: Bytes
  readonly keyType: KeyType
  /** 2 to the number of participants. */
  readonly minSigners: number
  /** Strictly ascending; together the holders of the key. */
  readonly participants: readonly Identifier[]
  readonly rosterEpoch: number
  /** 1 for the first try; a try is never repeated under the same number. */
  readonly attempt: number
}

/** What a participant acts with; `verifyKeys` is the roster of `rosterEpoch`. */
export interface DkgIdentity {
  readonly signer: Signer
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** The steps as they stand in headers. */
export const STEPS = { open: 1, reveal: 2, verdict: 3, answer: 4 } as const
export type DkgStep = keyof typeof STEPS

export function isAscending(participants: readonly Identifier[]): boolean {
  return participants.every((identifier, i) => i === 0 || identifier > participants[i - 1]!)
}

const participantsCodec: Codec<readonly Identifier[]> = mapped(
  list(identifierCodec, LIMITS.participants),
  (participants: readonly Identifier[]) => participants,
  (raw, fail) => (isAscending(raw) ? raw : fail("participants not strictly ascending")),
)

export const dkgParamsCodec: Codec<DkgParams> = struct<DkgParams>({
  keyId: fixedBytes(32),
  keyType: keyTypeCodec,
  minSigners: u16,
  participants: participantsCodec,
  rosterEpoch: u32,
  attempt: u32,
})

/**
 * Refuses parameters no run may have. A threshold of one is refused too: every share would be the
 * whole key. Identifiers are 16-bit and non-zero, so none equals another modulo a group order.
 */
export function checkParams(params: DkgParams): Outcome<DkgParams> {
  const { keyId, keyType, minSigners, participants } = params
  if (keyId.length !== 32) return abort("malformed-payload", { field: "keyId" })
  if (!KEY_TYPES.includes(keyType)) return abort("wrong-key-type", { field: "keyType" })
  const valid = participants.every((i) => Number.isInteger(i) && i >= 1 && i <= 0xffff)
  if (!valid || !isAscending(participants) || participants.length > LIMITS.participants) {
    return abort("wrong-participants", { field: "participants" })
  }
  if (!Number.isInteger(minSigners) || minSigners < 2 || minSigners > participants.length) {
    return abort("wrong-threshold", { field: "minSigners" })
  }
  return done(params)
}

export function groupFor(params: DkgParams): Group {
  return groupByName(groupOf(params.keyType))
}

export function othersThan(params: DkgParams, identifier: Identifier): readonly Identifier[] {
  return params.participants.filter((other) => other !== identifier)
}

/** Names the request that openings answer. */
export function openingDigest(params: DkgParams): Bytes {
  return hashValue(LABELS.opening, dkgParamsCodec, params)
}

export function openingStep(params: DkgParams): OpeningStep {
  const { attempt, rosterEpoch } = params
  const request = openingDigest(params)
  return { protocol: "dkg", step: STEPS.open, attempt, rosterEpoch, request }
}

/** What the later steps' session is the hash of. */
export interface DkgRunId {
  readonly params: DkgParams
  /** Digest of every participant's opening header. */
  readonly openings: HeaderDigests
}

export const dkgRunIdCodec: Codec<DkgRunId> = struct<DkgRunId>({
  params: dkgParamsCodec,
  openings: headerDigestsCodec,
})

/**
 * Session of every later step. Each opening header holds a fresh nonce of its sender, so no message
 * of another run fits, and participants who were shown different openings are in different sessions.
 */
export function runSession(run: DkgRunId): Bytes {
  return hashValue(LABELS.session, dkgRunIdCodec, run)
}

/** The slot of one sender's message. */
export function slotOf(
  params: DkgParams,
  step: DkgStep,
  sessionId: Bytes,
  sender: Identifier,
): Slot {
  const { attempt, rosterEpoch } = params
  return { protocol: "dkg", step: STEPS[step], attempt, sessionId, rosterEpoch, sender }
}

/** The round in which `senders` send their message of a later `step`. */
export function roundOf(
  params: DkgParams,
  step: Exclude<DkgStep, "open">,
  sessionId: Bytes,
  expected: Expected & { readonly previousDigest: Bytes | null },
): Round {
  const { attempt, rosterEpoch } = params
  return { protocol: "dkg", step: STEPS[step], attempt, sessionId, rosterEpoch, ...expected }
}
