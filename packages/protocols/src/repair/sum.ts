import { type Identifier, Secret, XWING_RANDOMNESS_LENGTH } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Message, signMessage } from "../messages/message.ts"
import { collectRound } from "../messages/round.ts"
import { sealFirst } from "../messages/sealing.ts"
import { type Statement, statementsOf } from "../messages/statement.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { faultless } from "../reshare/faults.ts"
import { packScalars } from "../sharing/packed.ts"
import { sumImage, summandImage } from "./checks.ts"
import { judgeSplits } from "./faults.ts"
import { type RepairIdentity, roundOf, runSession, slotOf } from "./params.ts"
import { openPayloadCodec, type SumPayload, sumPayloadCodec } from "./payloads.ts"
import { addUp, openParts } from "./receive.ts"
import { imagesAt, ownSplit } from "./splits.ts"
import type { RepairSplit, RepairSummed } from "./state.ts"

/** Bytes of randomness that `repairSum` takes. */
export const SUM_RANDOMNESS_LENGTH = XWING_RANDOMNESS_LENGTH

/**
 * Step 3, of a helper: check the summands it got, and seal their sum to the member, or complain of the
 * helpers whose summands are wrong (the second round of the RTS scheme).
 *
 * @param messages - the step 2 message of every other helper, with its part for this one.
 * @param randomness - `SUM_RANDOMNESS_LENGTH` fresh uniform bytes; never reused.
 */
export function repairSum(
  state: RepairSplit,
  messages: readonly Message[],
  { signer, verifyKeys }: RepairIdentity,
  randomness: Bytes,
): Outcome<{ readonly state: RepairSummed; readonly message: Message }> {
  if (randomness.length !== SUM_RANDOMNESS_LENGTH) {
    throw new RangeError(`repairSum takes ${SUM_RANDOMNESS_LENGTH} bytes of randomness`)
  }
  const { params, sharings, identifier, opens } = state
  const run = { params, openings: digestsOf(opens) }
  const sessionId = runSession(run)
  const collected = collectRound(
    roundOf(params, "split", sessionId, {
      senders: params.helpers.filter((helper) => helper !== identifier),
      verifyKeys,
      previousDigest: echoDigest(run.openings),
      reader: identifier,
    }),
    messages,
  )
  if (!collected.ok) return collected
  const checked = faultless(judgeSplits(run, collected.value))
  if (!checked.ok) return checked

  const splits = new Map(checked.value).set(identifier, ownSplit(params, state.split))
  const { sums, complaints } = addUp(state, openParts(state, collected.value), state.ownSummands, {
    sum: (index) => sumImage(params, sharings[index]!, imagesAt(splits, index), identifier),
    one: (helper, index) => {
      const images = splits.get(helper)![index]!
      return summandImage(params, sharings[index]!, { helper, images }, identifier)
    },
  })
  if (!sums && complaints.length === 0) return abort("inconsistent-key")
  const payload: SumPayload = sums ? { kind: "sum" } : { kind: "complain", complaints }

  const slot = slotOf(params, "sum", sessionId, identifier)
  const kept = new Map(state.randomness)
  const sealed = new Map<Identifier, Bytes>()
  if (sums) {
    const { member: recipient } = params
    const { sealingKey } = decode(openPayloadCodec, opens.get(recipient)!.broadcast)
    const packed = packScalars(sums)
    const { part, channel } = sealFirst({ slot, recipient }, sealingKey, randomness, packed)
    sealed.set(recipient, part)
    kept.set(recipient, Secret.copyOf(randomness))
    channel.key.wipe()
    for (const secret of [packed, ...sums]) secret.fill(0)
  }
  const statements = new Map<Identifier, Statement>(statementsOf(collected.value))
  statements.set(identifier, state.split)
  const previousDigest = echoDigest(digestsOf(statements))
  const broadcast = encode(sumPayloadCodec, payload)
  const message = signMessage(signer, slot, { previousDigest, broadcast, sealed })
  return done({ state: { params, identifier, randomness: kept, opens }, message })
}
