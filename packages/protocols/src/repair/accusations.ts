import type { Identifier } from "@lockkeeper/crypto"
import { type Accusations, abortOver, type Named } from "../accusations.ts"
import { type ListedSharing, verifyRepairComplaint } from "../evidence/repair-complaint.ts"
import { digestsOf } from "../messages/echo.ts"
import type { Received } from "../messages/message.ts"
import { statementOf, statementsOf } from "../messages/statement.ts"
import type { Abort } from "../outcome.ts"
import type { Messages } from "../reshare/faults.ts"
import { WHOLE_PART } from "../reshare/payloads.ts"
import { type Sharing, sharingDigest } from "../sharing/sharing.ts"
import { pathsOf } from "../sharing/tree.ts"
import { checkAnswer } from "./checks.ts"
import type { RepairRunId } from "./params.ts"

/** The run up to the complaints. */
export interface Disputed {
  readonly run: RepairRunId
  readonly sharings: readonly Sharing[]
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  readonly about: "split" | "sum"
  readonly opens: Messages
  readonly splits: Messages
  /** The messages with the disputed parts. */
  readonly said: Messages
  readonly complaints: Messages
  readonly accusations: Accusations
}

/**
 * Ends a disputed run: each answered complaint names the helper or its accuser, an unanswered one
 * nobody, since the coordinator may have dropped the answer.
 */
export function judgeAnswers(disputed: Disputed, answers: Messages): Abort {
  const named: Named[] = []
  const silent: Identifier[] = []
  for (const [helper, accusers] of disputed.accusations) {
    const answer = answers.get(helper)
    let unanswered = false
    for (const [accuser, index] of accusers) {
      const judged = answer && judgeOne(disputed, { helper, accuser, index }, answer)
      if (judged) named.push(judged)
      else unanswered = true
    }
    if (unanswered) silent.push(helper)
  }
  return abortOver(named, silent)
}

function judgeOne(
  { run, sharings, verifyKeys, about, opens, splits, said, complaints }: Disputed,
  { helper, accuser, index }: { helper: Identifier; accuser: Identifier; index: number },
  answer: Received,
): Named | null {
  const message = said.get(helper)!
  const evidence = {
    kind: "repair-complaint" as const,
    ...{ run, about },
    open: statementOf(opens.get(accuser)!),
    said: statementOf(message),
    part: message.sealed.get(accuser)!,
    seen: digestsOf(statementsOf(said)),
    complaint: statementOf(complaints.get(accuser)!),
    answer: statementOf(answer),
    splits: about === "sum" && index !== WHOLE_PART ? statementsOf(splits) : new Map(),
    listed: index === WHOLE_PART ? null : listedSharing(sharings, index),
  }
  const checked = checkAnswer(answer)
  // An answer that passes over this accuser is silence towards it.
  if (checked.ok && !checked.payload.randomness.has(accuser)) return null
  const verdict = verifyRepairComplaint(evidence, verifyKeys)
  if (!verdict.valid) throw new Error(`a checked run gave no verdict: ${verdict.why}`)
  if ("pair" in verdict) throw new Error("a complaint always has one loser")
  return { culprit: verdict.culprit, reason: verdict.reason, evidence }
}

function listedSharing(sharings: readonly Sharing[], index: number): ListedSharing {
  return { sharing: sharings[index]!, path: pathsOf(sharings.map(sharingDigest))[index]! }
}
