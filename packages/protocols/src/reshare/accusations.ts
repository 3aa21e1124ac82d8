import type { Identifier } from "@lockkeeper/crypto"
import { type Accusations, abortOver, type Named } from "../accusations.ts"
import { type ListedKey, verifyReshareComplaint } from "../evidence/reshare-complaint.ts"
import { digestsOf } from "../messages/echo.ts"
import type { Received } from "../messages/message.ts"
import { statementOf, statementsOf } from "../messages/statement.ts"
import type { Abort } from "../outcome.ts"
import { pathsOf } from "../sharing/tree.ts"
import { checkAnswer } from "./checks.ts"
import { keyDigest, type ReshareKey } from "./keys.ts"
import type { ReshareRunId } from "./params.ts"
import { WHOLE_PART } from "./payloads.ts"

/** The run up to the complaints. */
export interface Disputed {
  readonly run: ReshareRunId
  readonly keys: readonly ReshareKey[]
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  readonly opens: ReadonlyMap<Identifier, Received>
  readonly deals: ReadonlyMap<Identifier, Received>
  readonly verdicts: ReadonlyMap<Identifier, Received>
  readonly accusations: Accusations
}

/**
 * Ends a disputed run: each answered complaint names its dealer or its accuser; an unanswered one
 * names nobody unless t' holders made it.
 */
export function judgeAnswers(
  disputed: Disputed,
  answers: ReadonlyMap<Identifier, Received>,
): Abort {
  const named: Named[] = []
  const silent: Identifier[] = []
  for (const [dealer, accusers] of disputed.accusations) {
    const answer = answers.get(dealer)
    const unanswered: Identifier[] = []
    for (const [accuser, index] of accusers) {
      const judged = answer && judgeOne(disputed, { dealer, accuser, index }, answer)
      if (judged) named.push(judged)
      else unanswered.push(accuser)
    }
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
  { run, keys, verifyKeys, opens, deals, verdicts }: Disputed,
  { dealer, accuser, index }: { dealer: Identifier; accuser: Identifier; index: number },
  answer: Received,
): Named | null {
  const deal = deals.get(dealer)!
  const evidence = {
    kind: "reshare-complaint" as const,
    run,
    open: statementOf(opens.get(accuser)!),
    deal: statementOf(deal),
    part: deal.sealed.get(accuser)!,
    deals: digestsOf(statementsOf(deals)),
    verdict: statementOf(verdicts.get(accuser)!),
    answer: statementOf(answer),
    listed: index === WHOLE_PART ? null : listedKey(keys, index),
  }
  const checked = checkAnswer(answer)
  // An answer that passes over this accuser is silence towards it.
  if (checked.ok && !checked.payload.randomness.has(accuser)) return null
  const verdict = verifyReshareComplaint(evidence, verifyKeys)
  // A faulty dealing names its dealer by itself; the coordinator checks those before it judges.
  if (!verdict.valid) throw new Error(`a checked run gave no verdict: ${verdict.why}`)
  if ("pair" in verdict) throw new Error("a complaint always has one loser")
  return { culprit: verdict.culprit, reason: verdict.reason, evidence }
}

function listedKey(keys: readonly ReshareKey[], index: number): ListedKey {
  return { key: keys[index]!, path: pathsOf(keys.map(keyDigest))[index]! }
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
  const evidence = { kind: "reshare-complaints" as const, run, open, verdicts: statements }
  return { culprit: dealer, reason: "too-many-complaints", evidence }
}
