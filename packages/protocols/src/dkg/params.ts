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
  numberMap,
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
  /** The servers that deal shares and hold them, strictly ascending. */
  readonly participants: readonly Identifier[]
  /**
   * Identity keys of those who add a share of their own to what the servers share (an owner's device):
   * they deal nothing and are dealt nothing, and take part in every step but complaints.
   */
  readonly additive: ReadonlyMap<Identifier, Bytes>
  readonly rosterEpoch: number
  /** 1 for the first try; a try is never repeated under the same number. */
  readonly attempt: number
}

/** What a participant acts with; `verifyKeys` is the roster of `rosterEpoch`, without additive ones. */
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
  additive: numberMap(identifierCodec, fixedBytes(32), LIMITS.participants),
  rosterEpoch: u32,
  attempt: u32,
})

/**
 * Refuses parameters no run may have. A threshold of one is refused too: every share would be the
 * whole key. Identifiers are 16-bit and non-zero, so none equals another modulo a group order.
 */
export function checkParams(params: DkgParams): Outcome<DkgParams> {
  const { keyId, keyType, minSigners, participants, additive } = params
  if (keyId.length !== 32) return abort("malformed-payload", { field: "keyId" })
  if (!KEY_TYPES.includes(keyType)) return abort("wrong-key-type", { field: "keyType" })
  const valid = participants.every((i) => Number.isInteger(i) && i >= 1 && i <= 0xffff)
  const size = participants.length + additive.size
  if (!valid || !isAscending(participants) || size > LIMITS.participants) {
    return abort("wrong-participants", { field: "participants" })
  }
  if (participants.some((server) => additive.has(server))) {
    return abort("wrong-participants", { field: "additive" })
  }
  if (!Number.isInteger(minSigners) || minSigners < 2 || minSigners > participants.length) {
    return abort("wrong-threshold", { field: "minSigners" })
  }
  return done(params)
}

export function groupFor(params: DkgParams): Group {
  return groupByName(groupOf(params.keyType))
}

/** Servers and additive participants, ascending: whose messages each step but complaints needs. */
export function everyoneIn({ participants, additive }: DkgParams): readonly Identifier[] {
  return [...participants, ...additive.keys()].sort((a, b) => a - b)
}

export function othersThan(params: DkgParams, identifier: Identifier): readonly Identifier[] {
  return everyoneIn(params).filter((other) => other !== identifier)
}

/** Whom a participant deals a share to, or gets one from: nobody where it is additive. */
export function sharesWith(params: DkgParams, identifier: Identifier): readonly Identifier[] {
  const { participants, additive } = params
  return additive.has(identifier) ? [] : participants.filter((other) => other !== identifier)
}

/** Coefficients of what a participant contributes: additive ones add a constant alone. */
export function termsOf({ minSigners, additive }: DkgParams, identifier: Identifier): number {
  return additive.has(identifier) ? 1 : minSigners
}

/** Identity keys of everyone in a run, whose roster lists the servers. */
export function verifyKeysIn(
  { additive }: DkgParams,
  servers: ReadonlyMap<Identifier, Uint8Array>,
): ReadonlyMap<Identifier, Uint8Array> {
  if (additive.size === 0) return servers
  return new Map<Identifier, Uint8Array>([...additive, ...servers])
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
