import type { Identifier } from "@lockkeeper/crypto"
import { abortOver, type Named } from "../accusations.ts"
import { verifyDkgComplaint } from "../evidence/dkg-complaint.ts"
import { digestsOf } from "../messages/echo.ts"
import type { Received } from "../messages/message.ts"
import { statementOf, statementsOf } from "../messages/statement.ts"
import type { Abort } from "../outcome.ts"
import { checkAnswer } from "./checks.ts"
import type { DkgRunId } from "./params.ts"
import type { VerdictPayload } from "./payloads.ts"

/** Who complains of each dealer. */
export type Accusations = ReadonlyMap<Identifier, readonly Identifier[]>

export function accusationsOf(
  verdicts: ReadonlyMap<Identifier, VerdictPayload>,
): Map<Identifier, Identifier[]> {
  const accusations = new Map<Identifier, Identifier[]>()
  for (const [accuser, verdict] of verdicts) {
    if (verdict.kind !== "complain") continue
    for (const dealer of verdict.dealers) {
      accusations.set(dealer, [...(accusations.get(dealer) ?? []), accuser])
    }
  }
  return accusations
}

/** The run up to the complaints. */
export interface Disputed {
  readonly run: DkgRunId
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  readonly opens: ReadonlyMap<Identifier, Received>
  readonly reveals: ReadonlyMap<Identifier, Received>
  readonly verdicts: ReadonlyMap<Identifier, Received>
  readonly accusations: Accusations
}

/**
 * Ends a disputed run: each answered complaint names its dealer or its accuser; an unanswered one
 * names nobody unless minSigners participants made it.
 */
export function judgeAnswers(
  disputed: Disputed,
  answers: ReadonlyMap<Identifier, Received>,
): Abort {
  const named: Named[] = []
  const silent: Identifier[] = []
  for (const [dealer, accusers] of disputed.accusations) {
    const answer = answers.get(dealer)
    const unanswered = accusers.filter((accuser) => {
      const judged = answer && judgeOne(disputed, dealer, accuser, answer)
      if (judged) named.push(judged)
      return !judged
    })
    if (unanswered.length === 0) continue
    if (unanswered.length >= disputed.run.params.minSigners) {
      named.push(disqualify(disputed, dealer, unanswered))
    } else {
      silent.push(dealer)
    }
  }
  return abortOver(named, silent)
}

function judgeOne(
  { run, verifyKeys, opens, reveals, verdicts }: Disputed,
  dealer: Identifier,
  accuser: Identifier,
  answer: Received,
): Named | null {
  const reveal = reveals.get(dealer)!
  const evidence = {
    kind: "dkg-complaint" as const,
    run,
    open: statementOf(opens.get(accuser)!),
    reveal: statementOf(reveal),
    part: reveal.sealed.get(accuser)!,
    reveals: digestsOf(statementsOf(reveals)),
    verdict: statementOf(verdicts.get(accuser)!),
    answer: statementOf(answer),
  }
  const checked = checkAnswer(answer)
  // An answer that passes over this accuser is silence towards it.
  if (checked.ok && !checked.payload.randomness.has(accuser)) return null
  const verdict = verifyDkgComplaint(evidence, verifyKeys)
  if (!verdict.valid) throw new Error(`a checked run gave no verdict: ${verdict.why}`)
  if ("pair" in verdict) throw new Error("a complaint always has one loser")
  return { culprit: verdict.culprit, reason: verdict.reason, evidence }
}

function disqualify(
  { run, opens, verdicts }: Disputed,
  dealer: Identifier,
  accusers: readonly Identifier[],
): Named {
  const statements = [...accusers]
    .sort((a, b) => a - b)
    .slice(0, run.params.minSigners)
    .map((accuser) => statementOf(verdicts.get(accuser)!))
  const open = statementOf(opens.get(dealer)!)
  const evidence = { kind: "dkg-complaints" as const, run, open, verdicts: statements }
  return { culprit: dealer, reason: "too-many-complaints", evidence }
}
