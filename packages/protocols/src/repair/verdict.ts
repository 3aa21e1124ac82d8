import { type Element, type Identifier, Secret } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Message, type Received, signMessage } from "../messages/message.ts"
import { collectRound } from "../messages/round.ts"
import { statementsOf } from "../messages/statement.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { faultless } from "../reshare/faults.ts"
import type { Sharing } from "../sharing/sharing.ts"
import { sumImage } from "./checks.ts"
import { judgeSplits, judgeSums } from "./faults.ts"
import { collectOpenings } from "./open.ts"
import { type RepairIdentity, roundOf, runSession, slotOf } from "./params.ts"
import { type VerdictPayload, verdictPayloadCodec } from "./payloads.ts"
import { addUp, openParts } from "./receive.ts"
import { imagesAt } from "./splits.ts"
import type { RepairOpened } from "./state.ts"

/** What the member is given: the other participants' messages of all steps so far. */
export interface RepairVerdictInput {
  readonly opens: readonly Message[]
  readonly splits: readonly Message[]
  readonly sums: readonly Message[]
}

/** A share that the member holds again. */
export interface RepairedShare {
  readonly sharing: Sharing
  readonly share: Secret
}

/**
 * Step 4, of the member: add up the sums to its shares, check each against its public image, and
 * confirm, or complain of the helpers whose sums are wrong (the last step of the RTS scheme). The run
 * is over for the member: the caller stores the shares in the transaction that stores the answer.
 */
export function repairVerdict(
  state: RepairOpened,
  { opens, splits, sums }: RepairVerdictInput,
  { signer, verifyKeys }: RepairIdentity,
): Outcome<{ readonly shares: readonly RepairedShare[] | null; readonly message: Message }> {
  const { params, sharings, identifier } = state
  const { helpers } = params
  if (identifier !== params.member) return abort("not-a-participant")
  const openings = collectOpenings(state, opens, verifyKeys)
  if (!openings.ok) return openings
  const { run } = openings.value
  const sessionId = runSession(run)
  const expected = { senders: helpers, verifyKeys, reader: identifier }
  const inSplit = { ...expected, previousDigest: echoDigest(run.openings) }
  const split = collectRound(roundOf(params, "split", sessionId, inSplit), splits)
  if (!split.ok) return split
  const inSum = { ...expected, previousDigest: echoOf(split.value) }
  const summed = collectRound(roundOf(params, "sum", sessionId, inSum), sums)
  if (!summed.ok) return summed
  const images = faultless(judgeSplits(run, split.value))
  if (!images.ok) return images
  const said = faultless(judgeSums(run, summed.value))
  if (!said.ok) return said
  if ([...said.value.values()].some(({ kind }) => kind === "complain")) {
    return abort("complaint-pending")
  }

  const added = addUp(state, openParts(state, summed.value), null, {
    // Compared with what the whole batch was vouched for, whatever the helpers published since.
    sum: (index) => sharings[index]!.verifyingShares.get(identifier) as Element,
    one: (helper, index) => {
      return sumImage(params, sharings[index]!, imagesAt(images.value, index), helper)
    },
  })
  if (!added.sums && added.complaints.length === 0) return abort("inconsistent-key")
  const payload: VerdictPayload = added.sums
    ? { kind: "confirm" }
    : { kind: "complain", complaints: added.complaints }
  const slot = slotOf(params, "verdict", sessionId, identifier)
  const broadcast = encode(verdictPayloadCodec, payload)
  const message = signMessage(signer, slot, { previousDigest: echoOf(summed.value), broadcast })
  const shares =
    added.sums?.map((share, index) => ({ sharing: sharings[index]!, share: new Secret(share) })) ??
    null
  return done({ shares, message })
}

function echoOf(messages: ReadonlyMap<Identifier, Received>) {
  return echoDigest(digestsOf(statementsOf(messages)))
}
