import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { digestsOf } from "../messages/echo.ts"
import type { Message } from "../messages/message.ts"
import { openingRound } from "../messages/opening.ts"
import { collectRound } from "../messages/round.ts"
import { statementsOf } from "../messages/statement.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { type BatchCertificate, certificatesOf, type ReshareCertificate } from "./certificate.ts"
import type { ReshareWaiting } from "./coordinator.ts"
import { faultless, judgeDeals, judgeOpens } from "./faults.ts"
import { headOf } from "./keys.ts"
import { isHolder, openingStep, type ReshareParams } from "./params.ts"
import { outcomeRoot, publicOutcome } from "./result.ts"

type VerifyKeys = ReadonlyMap<Identifier, Uint8Array>

/**
 * The key of a holder's opening, for what others have to tell that holder alone beside the shares. Whoever
 * has it may: it need not take part in the run.
 */
export function holderSealingKey(
  params: ReshareParams,
  holder: Identifier,
  opening: Message,
  verifyKeys: VerifyKeys,
): Outcome<Bytes> {
  if (!isHolder(params, holder)) return abort("not-a-participant", { field: "member" })
  const expected = { senders: [holder], verifyKeys, reader: "all-parts" as const }
  const collected = collectRound(openingRound(openingStep(params), expected), [opening])
  if (!collected.ok) return collected
  const judged = faultless(judgeOpens(params, collected.value))
  if (!judged.ok) return judged
  return done(judged.value.get(holder)!.sealingKey as Bytes)
}

/**
 * What proves each new sharing by itself, for members that hold no new share: the coordinator computes the
 * outcome as the holders did.
 *
 * @param waiting - with which the verdicts were asked for.
 */
export function certificatesFor(
  { params, keys, opens, deals }: ReshareWaiting,
  certificate: BatchCertificate,
): Outcome<readonly ReshareCertificate[]> {
  const run = { params, openings: digestsOf(statementsOf(opens)) }
  const dealt = faultless(judgeDeals(run, statementsOf(opens), deals))
  if (!dealt.ok) return dealt
  const outcome = publicOutcome(params, keys.map(headOf), [...dealt.value.values()])
  if (!outcome.ok) return outcome
  if (!equalBytes(outcomeRoot(outcome.value), certificate.root)) return abort("wrong-batch")
  return done(
    certificatesOf(
      certificate,
      outcome.value.map(({ sharing }) => sharing),
    ),
  )
}
