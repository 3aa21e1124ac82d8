import { type GroupName, hashValue, type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  fixedBytes,
  list,
  mapped,
  oneOf,
  struct,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { type HeaderDigests, headerDigestsCodec } from "../messages/echo.ts"
import type { Slot } from "../messages/header.ts"
import { LIMITS } from "../messages/limits.ts"
import type { OpeningStep } from "../messages/opening.ts"
import type { Expected, Round } from "../messages/round.ts"
import type { Signer } from "../messages/signature.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { GROUP_NAMES, groupNameCodec } from "../sharing/sharing.ts"
import { LABELS } from "./labels.ts"
import { maxKeys } from "./limits.ts"
import { quorumOf } from "./quorum.ts"

/**
 * What a run is about; the session hashes it. A refresh is a reshare to the same holders with the same
 * threshold, and has a name of its own so that neither passes for the other.
 */
export interface ReshareParams {
  readonly kind: "refresh" | "reshare"
  /** As many old holders as the old threshold says, strictly ascending. */
  readonly dealers: readonly Identifier[]
  /** Who holds the new shares, strictly ascending: n' of them, also those that are down just now. */
  readonly holders: readonly Identifier[]
  /** t', 2 to n'. */
  readonly minSigners: number
  /** The roster of the holders. Dealers that left it are known to everyone from the one before. */
  readonly rosterEpoch: number
  /** 1 for the first try; a try is never repeated under the same number. */
  readonly attempt: number
  /** Group of each sharing of the batch, in its order. */
  readonly groups: readonly GroupName[]
  /** Root of the tree over the batch: `keysRoot`. */
  readonly keys: Bytes
}

/** What a participant acts with: keys of the new roster, and of dealers that are not in it. */
export interface ReshareIdentity {
  readonly signer: Signer
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** The steps as they stand in headers. */
export const STEPS = { open: 1, deal: 2, verdict: 3, answer: 4 } as const
export type ReshareStep = keyof typeof STEPS

function isAscending(identifiers: readonly Identifier[]): boolean {
  return identifiers.every((identifier, i) => i === 0 || identifier > identifiers[i - 1]!)
}

export const ascendingCodec: Codec<readonly Identifier[]> = mapped(
  list(identifierCodec, LIMITS.participants),
  (identifiers: readonly Identifier[]) => identifiers,
  (raw, fail) => (isAscending(raw) ? raw : fail("identifiers not strictly ascending")),
)

const MAX_GROUPS = 0xff

export const reshareParamsCodec: Codec<ReshareParams> = struct<ReshareParams>({
  kind: oneOf("refresh", "reshare"),
  dealers: ascendingCodec,
  holders: ascendingCodec,
  minSigners: u16,
  rosterEpoch: u32,
  attempt: u32,
  groups: list(groupNameCodec, MAX_GROUPS),
  keys: fixedBytes(32),
})

export function isAscendingSet(identifiers: readonly Identifier[]): boolean {
  const valid = identifiers.every((i) => Number.isInteger(i) && i >= 1 && i <= 0xffff)
  return valid && isAscending(identifiers)
}

/** Refuses parameters that no run may have, whatever its keys are. */
export function checkParams(params: ReshareParams): Outcome<ReshareParams> {
  const { dealers, holders, minSigners, groups } = params
  if (!isAscendingSet(dealers)) return abort("wrong-participants", { field: "dealers" })
  if (!isAscendingSet(holders)) return abort("wrong-participants", { field: "holders" })
  if (participantsOf(params).length > LIMITS.participants) {
    return abort("wrong-participants", { field: "holders" })
  }
  // Below two every share would be the whole key.
  if (dealers.length < 2) return abort("wrong-threshold", { field: "dealers" })
  if (!Number.isInteger(minSigners) || minSigners < 2 || minSigners > holders.length) {
    return abort("wrong-threshold", { field: "minSigners" })
  }
  if (params.kind === "refresh" && minSigners !== dealers.length) {
    return abort("wrong-threshold", { field: "minSigners" })
  }
  const fits = groups.length >= 1 && groups.length <= maxKeys(dealers.length, minSigners)
  if (!fits || !groups.every((group) => GROUP_NAMES.includes(group))) {
    return abort("wrong-batch", { field: "groups" })
  }
  return done(params)
}

/** Everyone who takes part: dealers and holders, ascending. */
export function participantsOf({ dealers, holders }: ReshareParams): readonly Identifier[] {
  return [...new Set([...dealers, ...holders])].sort((a, b) => a - b)
}

export function isDealer({ dealers }: ReshareParams, identifier: Identifier): boolean {
  return dealers.includes(identifier)
}

export function isHolder({ holders }: ReshareParams, identifier: Identifier): boolean {
  return holders.includes(identifier)
}

/** How many holders have to confirm. */
export function quorumFor({ minSigners, holders }: ReshareParams): number {
  return quorumOf(minSigners, holders.length)
}

/** Names the request that openings answer, and with it the run before anyone has spoken. */
export function openingDigest(params: ReshareParams): Bytes {
  return hashValue(LABELS.opening, reshareParamsCodec, params)
}

export function openingStep(params: ReshareParams): OpeningStep {
  const { kind, attempt, rosterEpoch } = params
  const request = openingDigest(params)
  return { protocol: kind, step: STEPS.open, attempt, rosterEpoch, request }
}

/** What the later steps' session is the hash of. */
export interface ReshareRunId {
  readonly params: ReshareParams
  /** Digest of the opening header of every dealer and of each holder that takes part. */
  readonly openings: HeaderDigests
}

export const reshareRunIdCodec: Codec<ReshareRunId> = struct<ReshareRunId>({
  params: reshareParamsCodec,
  openings: headerDigestsCodec,
})

/**
 * Session of every later step. All dealers have signed openings for exactly these parameters and this
 * batch, and one of them at least is honest: that is how a holder that never held the keys knows them.
 */
export function runSession(run: ReshareRunId): Bytes {
  return hashValue(LABELS.session, reshareRunIdCodec, run)
}

/** The holders that are dealt to, ascending: those that opened. */
export function receiversOf({ params, openings }: ReshareRunId): readonly Identifier[] {
  return params.holders.filter((holder) => openings.has(holder))
}

/** Why these openings make no run, or null: a dealer is missing, or too few holders are there. */
export function missingFrom(run: ReshareRunId): readonly Identifier[] | null {
  const silent = participantsOf(run.params).filter((one) => !run.openings.has(one))
  const dealers = run.params.dealers.every((dealer) => run.openings.has(dealer))
  return dealers && receiversOf(run).length >= quorumFor(run.params) ? null : silent
}

/** The slot of one sender's message. */
export function slotOf(
  params: ReshareParams,
  step: ReshareStep,
  sessionId: Bytes,
  sender: Identifier,
): Slot {
  const { kind, attempt, rosterEpoch } = params
  return { protocol: kind, step: STEPS[step], attempt, sessionId, rosterEpoch, sender }
}

/** The round in which `senders` send their message of a later `step`. */
export function roundOf(
  params: ReshareParams,
  step: Exclude<ReshareStep, "open">,
  sessionId: Bytes,
  expected: Expected & { readonly previousDigest: Bytes | null },
): Round {
  const { kind, attempt, rosterEpoch } = params
  return { protocol: kind, step: STEPS[step], attempt, sessionId, rosterEpoch, ...expected }
}
