import { type GroupName, hashValue, type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  equalBytes,
  fixedBytes,
  list,
  struct,
  u32,
} from "@lockkeeper/encoding"
import { type HeaderDigests, headerDigestsCodec } from "../messages/echo.ts"
import type { Slot } from "../messages/header.ts"
import { LIMITS } from "../messages/limits.ts"
import type { OpeningStep } from "../messages/opening.ts"
import type { Expected, Round } from "../messages/round.ts"
import type { Signer } from "../messages/signature.ts"
import { type AbortReason, abort, done, type Outcome } from "../outcome.ts"
import { maxKeys } from "../reshare/limits.ts"
import { ascendingCodec, isAscendingSet } from "../reshare/params.ts"
import {
  GROUP_NAMES,
  groupNameCodec,
  type Sharing,
  sharingCodec,
  sharingDigest,
} from "../sharing/sharing.ts"
import { rootOf } from "../sharing/tree.ts"

/** What each hash of a repair is for; `hashValue` prefixes the project's name. */
const LABELS = { opening: "repair/1/opening", session: "repair/1/session" } as const

/** What a run is about; the session hashes it. */
export interface RepairParams {
  /** As many holders as the threshold says, strictly ascending. */
  readonly helpers: readonly Identifier[]
  /** Whose shares are restored: a holder that is none of the helpers, maybe with a new identity key. */
  readonly member: Identifier
  /** The roster in force, whose keys sign. */
  readonly rosterEpoch: number
  /** 1 for the first try; a try is never repeated under the same number. */
  readonly attempt: number
  /** Group of each sharing of the batch, in its order. */
  readonly groups: readonly GroupName[]
  /** Root of the tree over the batch: `sharingsRoot`. */
  readonly keys: Bytes
}

export interface RepairIdentity {
  readonly signer: Signer
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** The steps as they stand in headers. */
export const STEPS = { open: 1, split: 2, sum: 3, verdict: 4, answer: 5 } as const
export type RepairStep = keyof typeof STEPS

const MAX_GROUPS = 0xff

export const repairParamsCodec: Codec<RepairParams> = struct<RepairParams>({
  helpers: ascendingCodec,
  member: identifierCodec,
  rosterEpoch: u32,
  attempt: u32,
  groups: list(groupNameCodec, MAX_GROUPS),
  keys: fixedBytes(32),
})

/** A batch; it travels beside the parameters, which name it by its root. */
export const sharingsCodec: Codec<readonly Sharing[]> = list(sharingCodec, MAX_GROUPS)

/** What `RepairParams.keys` is of a batch. */
export function sharingsRoot(sharings: readonly Sharing[]): Bytes {
  return rootOf(sharings.map(sharingDigest))
}

/** Refuses parameters that no run may have, whatever its keys are. */
export function checkParams(params: RepairParams): Outcome<RepairParams> {
  const { helpers, member, groups } = params
  if (!isAscendingSet(helpers)) return abort("wrong-participants", { field: "helpers" })
  if (!isAscendingSet([member]) || helpers.includes(member)) {
    return abort("wrong-participants", { field: "member" })
  }
  if (helpers.length + 1 > LIMITS.participants) {
    return abort("wrong-participants", { field: "helpers" })
  }
  // A single helper would know the member's share.
  if (helpers.length < 2) return abort("wrong-threshold", { field: "helpers" })
  const fits = groups.length >= 1 && groups.length <= maxKeys(helpers.length, helpers.length)
  if (!fits || !groups.every((group) => GROUP_NAMES.includes(group))) {
    return abort("wrong-batch", { field: "groups" })
  }
  return done(params)
}

/** Refuses a batch that is not the one of the parameters, or whose entries do not fit them. */
export function checkSharings(params: RepairParams, sharings: readonly Sharing[]): Outcome<null> {
  if (sharings.length !== params.groups.length) return abort("wrong-batch", { field: "keys" })
  if (!equalBytes(sharingsRoot(sharings), params.keys))
    return abort("wrong-batch", { field: "keys" })
  for (const [index, sharing] of sharings.entries()) {
    const reason = misfit(params, index, sharing)
    if (reason) return abort(reason, { field: `keys.${index}` })
  }
  return done(null)
}

function misfit(params: RepairParams, index: number, sharing: Sharing): AbortReason | null {
  const { helpers, member, groups, rosterEpoch } = params
  if (sharing.group !== groups[index]) return "wrong-batch"
  if (sharing.minSigners !== helpers.length) return "wrong-threshold"
  const holds = (one: Identifier) => sharing.verifyingShares.has(one)
  if (!helpers.every(holds) || !holds(member)) return "wrong-participants"
  return sharing.rosterEpoch > rosterEpoch ? "wrong-roster-epoch" : null
}

/** Everyone who takes part, ascending. */
export function participantsOf({ helpers, member }: RepairParams): readonly Identifier[] {
  return [...helpers, member].sort((a, b) => a - b)
}

/** Names the request that openings answer, and with it the run before anyone has spoken. */
export function openingDigest(params: RepairParams): Bytes {
  return hashValue(LABELS.opening, repairParamsCodec, params)
}

export function openingStep(params: RepairParams): OpeningStep {
  const { attempt, rosterEpoch } = params
  const request = openingDigest(params)
  return { protocol: "repair", step: STEPS.open, attempt, rosterEpoch, request }
}

/** What the later steps' session is the hash of. */
export interface RepairRunId {
  readonly params: RepairParams
  /** Digest of every participant's opening header. */
  readonly openings: HeaderDigests
}

export const repairRunIdCodec: Codec<RepairRunId> = struct<RepairRunId>({
  params: repairParamsCodec,
  openings: headerDigestsCodec,
})

/**
 * Session of every later step. All helpers have signed openings for exactly this batch, and one of them
 * at least is honest: that is how a member that lost everything knows its keys again.
 */
export function runSession(run: RepairRunId): Bytes {
  return hashValue(LABELS.session, repairRunIdCodec, run)
}

/** Who speaks in a step. */
export function sendersOf(params: RepairParams, step: RepairStep): readonly Identifier[] {
  switch (step) {
    case "open":
      return participantsOf(params)
    case "verdict":
      return [params.member]
    case "split":
    case "sum":
    case "answer":
      return params.helpers
  }
}

export function slotOf(
  { attempt, rosterEpoch }: RepairParams,
  step: RepairStep,
  sessionId: Bytes,
  sender: Identifier,
): Slot {
  return { protocol: "repair", step: STEPS[step], attempt, sessionId, rosterEpoch, sender }
}

export function roundOf(
  { attempt, rosterEpoch }: RepairParams,
  step: Exclude<RepairStep, "open">,
  sessionId: Bytes,
  expected: Expected & { readonly previousDigest: Bytes | null },
): Round {
  return { protocol: "repair", step: STEPS[step], attempt, sessionId, rosterEpoch, ...expected }
}
