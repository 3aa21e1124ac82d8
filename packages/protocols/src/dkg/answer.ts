import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Message, signMessage } from "../messages/message.ts"
import { collectAvailable } from "../messages/round.ts"
import { statementsOf } from "../messages/statement.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { checkVerdicts } from "./faults.ts"
import {
  type DkgIdentity,
  othersThan,
  roundOf,
  runSession,
  slotOf,
  verifyKeysIn,
} from "./params.ts"
import { answerPayloadCodec } from "./payloads.ts"
import type { DkgJudged } from "./state.ts"

/**
 * Answers signed complaints against this participant: reveals, to everyone, how the disputed parts
 * were sealed and with it the accusers' shares, which the accusers had anyway. Where GJKR publishes
 * the share, this publishes the proof of which share was sent, so that a dealer cannot mend it.
 *
 * The run is over for whoever answers: there is no next state, and the caller erases this one in the
 * transaction that stores the answer, so that a key whose share was published is never activated.
 *
 * @param messages - the step 3 messages that complain of this participant; any others are ignored.
 */
export function dkgAnswer(
  state: DkgJudged,
  messages: readonly Message[],
  { signer, verifyKeys }: DkgIdentity,
): Outcome<{ readonly message: Message }> {
  const { params, identifier, opens, reveals } = state
  const run = { params, openings: digestsOf(opens) }
  const keys = verifyKeysIn(params, verifyKeys)
  const sessionId = runSession(run)
  const collected = collectAvailable(
    roundOf(params, "verdict", sessionId, {
      senders: othersThan(params, identifier),
      verifyKeys: keys,
      previousDigest: echoDigest(digestsOf(reveals)),
      reader: identifier,
    }),
    messages,
  )
  if (!collected.ok) return collected
  const checked = checkVerdicts(run, collected.value.received)
  if (!checked.ok) return checked

  const randomness = new Map<Identifier, Bytes>()
  for (const [accuser, verdict] of checked.value) {
    if (verdict.kind !== "complain" || !verdict.dealers.includes(identifier)) continue
    randomness.set(accuser, state.randomness.get(accuser)!.expose())
  }
  if (randomness.size === 0) return abort("not-accused")
  const slot = slotOf(params, "answer", sessionId, identifier)
  const broadcast = encode(answerPayloadCodec, { randomness })
  const previousDigest = echoDigest(digestsOf(statementsOf(collected.value.received)))
  return done({ message: signMessage(signer, slot, { previousDigest, broadcast }) })
}
