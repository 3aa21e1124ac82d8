import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Message, signMessage } from "../messages/message.ts"
import { collectAvailable } from "../messages/round.ts"
import { statementsOf } from "../messages/statement.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { faultless, judgeVerdicts } from "./faults.ts"
import { type ReshareIdentity, receiversOf, roundOf, runSession, slotOf } from "./params.ts"
import { answerPayloadCodec } from "./payloads.ts"
import type { ReshareDealt, ReshareJudged } from "./state.ts"

/**
 * Answers signed complaints against this dealer: reveals, to everyone, how the disputed parts were
 * sealed and with it what it dealt to the accusers, who had that anyway. It is a share of this run's
 * polynomials only, which the next try does not use again, and only of accusers. A dealer answers once,
 * to the complaints it is shown first, and gives a repeat the same bytes; shares of its own that it
 * has confirmed it keeps.
 *
 * @param messages - the step 3 messages that complain of this dealer; any others are ignored.
 */
export function reshareAnswer(
  state: ReshareDealt | ReshareJudged,
  messages: readonly Message[],
  { signer, verifyKeys }: ReshareIdentity,
): Outcome<{ readonly message: Message }> {
  const { params, identifier, opens } = state
  const run = { params, openings: digestsOf(opens) }
  const sessionId = runSession(run)
  const collected = collectAvailable(
    roundOf(params, "verdict", sessionId, {
      senders: receiversOf(run).filter((holder) => holder !== identifier),
      verifyKeys,
      // A dealer that is no holder never saw what the others dealt.
      previousDigest: null,
      reader: identifier,
    }),
    messages,
  )
  if (!collected.ok) return collected
  const checked = faultless(judgeVerdicts(run, collected.value.received))
  if (!checked.ok) return checked

  const randomness = new Map<Identifier, Bytes>()
  for (const [accuser, verdict] of checked.value) {
    if (verdict.kind !== "complain") continue
    if (!verdict.complaints.some(({ dealer }) => dealer === identifier)) continue
    randomness.set(accuser, state.randomness.get(accuser)!.expose())
  }
  if (randomness.size === 0) return abort("not-accused")
  const slot = slotOf(params, "answer", sessionId, identifier)
  const broadcast = encode(answerPayloadCodec, { randomness })
  const previousDigest = echoDigest(digestsOf(statementsOf(collected.value.received)))
  return done({ message: signMessage(signer, slot, { previousDigest, broadcast }) })
}
