import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { digestsOf } from "../messages/echo.ts"
import type { Message } from "../messages/message.ts"
import { openingRound } from "../messages/opening.ts"
import { collectRound } from "../messages/round.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { faultless } from "../reshare/faults.ts"
import { judgeOpens, judgeVerdicts } from "./faults.ts"
import { openingStep, type RepairParams, roundOf, runSession } from "./params.ts"
import type { RepairSplit, RepairSummed } from "./state.ts"

type VerifyKeys = ReadonlyMap<Identifier, Uint8Array>

/**
 * The key of the member's opening, for what a holder has to tell the member alone beside the shares.
 * Any holder may: it need not be a helper.
 */
export function memberSealingKey(
  params: RepairParams,
  opening: Message,
  verifyKeys: VerifyKeys,
): Outcome<Bytes> {
  const { member } = params
  const expected = { senders: [member], verifyKeys, reader: "all-parts" as const }
  const collected = collectRound(openingRound(openingStep(params), expected), [opening])
  if (!collected.ok) return collected
  const judged = faultless(judgeOpens(params, collected.value))
  if (!judged.ok) return judged
  return done(judged.value.get(member)!.sealingKey)
}

/**
 * Whether the member has signed that it holds its shares again: then a helper's state is of no use to
 * anyone any more, and its caller erases it.
 */
export function repairFinished(
  { params, identifier, opens }: RepairSplit | RepairSummed,
  verdict: Message,
  verifyKeys: VerifyKeys,
): Outcome<null> {
  const run = { params, openings: digestsOf(opens) }
  const round = roundOf(params, "verdict", runSession(run), {
    ...{ senders: [params.member], verifyKeys, previousDigest: null, reader: identifier },
  })
  const collected = collectRound(round, [verdict])
  if (!collected.ok) return collected
  const judged = faultless(judgeVerdicts(run, collected.value))
  if (!judged.ok) return judged
  const isConfirmed = judged.value.get(params.member)!.kind === "confirm"
  return isConfirmed ? done(null) : abort("complaint-pending")
}
