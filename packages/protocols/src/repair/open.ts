import { type Identifier, Secret, xwingKeyPair } from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes } from "@lockkeeper/encoding"
import { digestsOf } from "../messages/echo.ts"
import type { Message } from "../messages/message.ts"
import { openingRound, signOpening } from "../messages/opening.ts"
import { collectRound } from "../messages/round.ts"
import { type Statement, statementsOf } from "../messages/statement.ts"
import { type AbortReason, abort, done, type Outcome } from "../outcome.ts"
import { faultless } from "../reshare/faults.ts"
import { distinctKeys } from "../reshare/open.ts"
import { type Sharing, sharingDigest } from "../sharing/sharing.ts"
import { continues } from "../sharing/sources.ts"
import { judgeOpens } from "./faults.ts"
import {
  checkParams,
  checkSharings,
  openingStep,
  participantsOf,
  type RepairIdentity,
  type RepairParams,
  type RepairRunId,
} from "./params.ts"
import { openPayloadCodec } from "./payloads.ts"
import type { RepairOpened } from "./state.ts"

/** Bytes of randomness that `repairOpen` takes: nonce and sealing seed. */
export const OPEN_RANDOMNESS_LENGTH = 64

/** A batch as one participant is asked to take part in it. */
export interface RepairRequest {
  readonly params: RepairParams
  readonly sharings: readonly Sharing[]
  /** What this participant knows of each; the member may know nothing any more. */
  readonly known: readonly (Sharing | null)[]
}

export interface UnfitSharing {
  readonly index: number
  readonly reason: AbortReason
}

/**
 * The entries that this participant must not go on with: a helper helps only with what it holds
 * itself, in the generation in force; a member takes no share of a generation it has left behind.
 */
export function unfitSharings(
  { params, sharings, known }: RepairRequest,
  identifier: Identifier,
): readonly UnfitSharing[] {
  if (known.length !== sharings.length) throw new RangeError("what is known is not of this batch")
  return sharings.flatMap((sharing, index) => {
    const reason = unfit(params, sharing, identifier, known[index] ?? null)
    return reason ? [{ index, reason }] : []
  })
}

function unfit(
  params: RepairParams,
  sharing: Sharing,
  identifier: Identifier,
  known: Sharing | null,
): AbortReason | null {
  if (known && equalBytes(sharingDigest(known), sharingDigest(sharing))) return null
  if (identifier !== params.member) {
    if (!known) return "wrong-key"
    return known.keyEpoch === sharing.keyEpoch ? "inconsistent-key" : "wrong-key-epoch"
  }
  const later = known ? continues(known, sharing) : done(null)
  return later.ok ? null : later.abort.reason
}

/**
 * Step 1: check what the run is about, and publish a key to seal to, under a fresh nonce. A helper's
 * opening vouches for the batch: it signs a request that hashes every sharing as this helper holds it.
 *
 * @param randomness - `OPEN_RANDOMNESS_LENGTH` fresh uniform bytes; never reused.
 */
export function repairOpen(
  request: RepairRequest,
  identifier: Identifier,
  { signer, verifyKeys }: RepairIdentity,
  randomness: Bytes,
): Outcome<{ readonly state: RepairOpened; readonly message: Message }> {
  if (randomness.length !== OPEN_RANDOMNESS_LENGTH) {
    throw new RangeError(`repairOpen takes ${OPEN_RANDOMNESS_LENGTH} bytes of randomness`)
  }
  const { params, sharings } = request
  const checked = checkParams(params)
  if (!checked.ok) return checked
  if (!participantsOf(params).includes(identifier)) return abort("not-a-participant")
  const distinct = distinctKeys(participantsOf(params), verifyKeys)
  if (!distinct.ok) return distinct
  const listed = checkSharings(params, sharings)
  if (!listed.ok) return listed
  const first = unfitSharings(request, identifier)[0]
  if (first) return abort(first.reason, { field: `keys.${first.index}` })

  const nonce = randomness.slice(0, 32)
  const sealingSeed = Secret.copyOf(randomness.subarray(32, 64))
  const sealingKey = xwingKeyPair(sealingSeed.expose()).publicKey
  const broadcast = encode(openPayloadCodec, { sealingKey })
  const draft = { sender: identifier, nonce, broadcast }
  const message = signOpening(signer, openingStep(params), draft)
  const opening = { header: message.header, broadcast }
  return done({ state: { params, sharings, identifier, sealingSeed, opening }, message })
}

/** The openings of a run, as one participant has them. */
export interface Openings {
  readonly run: RepairRunId
  readonly opens: ReadonlyMap<Identifier, Statement>
}

export function collectOpenings(
  { params, identifier, opening }: RepairOpened,
  messages: readonly Message[],
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<Openings> {
  const senders = participantsOf(params).filter((other) => other !== identifier)
  const expected = { senders, verifyKeys, reader: identifier }
  const collected = collectRound(openingRound(openingStep(params), expected), messages)
  if (!collected.ok) return collected
  const checked = faultless(judgeOpens(params, collected.value))
  if (!checked.ok) return checked
  const opens = new Map<Identifier, Statement>(statementsOf(collected.value))
  opens.set(identifier, opening)
  return done({ run: { params, openings: digestsOf(opens) }, opens })
}
