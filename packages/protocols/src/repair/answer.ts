import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Message, signMessage } from "../messages/message.ts"
import { collectAvailable } from "../messages/round.ts"
import { statementsOf } from "../messages/statement.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { faultless } from "../reshare/faults.ts"
import { judgeSums, judgeVerdicts } from "./faults.ts"
import { type RepairIdentity, roundOf, runSession, sendersOf, slotOf } from "./params.ts"
import { answerPayloadCodec, type SumPayload, type VerdictPayload } from "./payloads.ts"
import type { RepairSplit, RepairSummed } from "./state.ts"

/**
 * Answers signed complaints against this helper: reveals, to everyone, how the disputed parts were
 * sealed. An accuser had what it says it had not; and a run that is answered for is over: the caller
 * erases the state in the transaction that stores the answer.
 *
 * @param about - "split": helpers complain of summands, in step 3; "sum": the member, in step 4.
 * @param messages - the messages that complain of this helper; any others are ignored.
 */
export function repairAnswer(
  state: RepairSplit | RepairSummed,
  about: "split" | "sum",
  messages: readonly Message[],
  { signer, verifyKeys }: RepairIdentity,
): Outcome<{ readonly message: Message }> {
  const { params, identifier, opens } = state
  const run = { params, openings: digestsOf(opens) }
  const sessionId = runSession(run)
  const step = about === "split" ? "sum" : "verdict"
  const collected = collectAvailable(
    roundOf(params, step, sessionId, {
      senders: sendersOf(params, step).filter((one) => one !== identifier),
      verifyKeys,
      previousDigest: null,
      reader: identifier,
    }),
    messages,
  )
  if (!collected.ok) return collected
  const { received } = collected.value
  const checked = faultless<SumPayload | VerdictPayload>(
    about === "split" ? judgeSums(run, received) : judgeVerdicts(run, received),
  )
  if (!checked.ok) return checked
  const randomness = new Map<Identifier, Bytes>()
  for (const [accuser, payload] of checked.value) {
    if (payload.kind !== "complain") continue
    if (!payload.complaints.some(({ dealer }) => dealer === identifier)) continue
    // None is kept for the member before the sum was sealed.
    const used = state.randomness.get(accuser)
    if (used) randomness.set(accuser, used.expose())
  }
  if (randomness.size === 0) return abort("not-accused")
  const slot = slotOf(params, "answer", sessionId, identifier)
  const broadcast = encode(answerPayloadCodec, { randomness })
  const previousDigest = echoDigest(digestsOf(statementsOf(received)))
  return done({ message: signMessage(signer, slot, { previousDigest, broadcast }) })
}
