import {
  evaluatePolynomial,
  type Identifier,
  provePossession,
  type Scalar,
  Secret,
  XWING_RANDOMNESS_LENGTH,
} from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Message, signMessage } from "../messages/message.ts"
import { openingRound } from "../messages/opening.ts"
import { collectRound } from "../messages/round.ts"
import { sealFirst } from "../messages/sealing.ts"
import { type Statement, statementsOf } from "../messages/statement.ts"
import { done, type Outcome } from "../outcome.ts"
import { possessionStatement } from "./checks.ts"
import { checkOpens } from "./faults.ts"
import { vectorOf } from "./open.ts"
import {
  type DkgIdentity,
  type DkgParams,
  groupFor,
  openingStep,
  othersThan,
  runSession,
  sharesWith,
  slotOf,
  verifyKeysIn,
} from "./params.ts"
import { revealPayloadCodec } from "./payloads.ts"
import type { DkgOpened, DkgRevealed } from "./state.ts"

/** Bytes of randomness that `dkgReveal` takes: the proof's nonce, and 64 for each share dealt. */
export function revealRandomnessLength(params: DkgParams, identifier: Identifier): number {
  return 32 + XWING_RANDOMNESS_LENGTH * sharesWith(params, identifier).length
}

/**
 * Step 2: reveal the commitment vector with a proof of possession of its constant term, bound to
 * session and sender, and seal to each other participant its share (FROST KeyGen, Figure 1,
 * round 1 steps 2 to 5 and round 2 step 1).
 *
 * @param messages - the step 1 message of every other participant.
 * @param randomness - `revealRandomnessLength(params, identifier)` fresh uniform bytes; never reused.
 */
export function dkgReveal(
  state: DkgOpened,
  messages: readonly Message[],
  { signer, verifyKeys }: DkgIdentity,
  randomness: Bytes,
): Outcome<{ readonly state: DkgRevealed; readonly message: Message }> {
  const { params, identifier, coefficients, blinding, sealingSeed } = state
  const length = revealRandomnessLength(params, identifier)
  if (randomness.length !== length) {
    throw new RangeError(`dkgReveal takes ${length} bytes of randomness`)
  }
  const senders = othersThan(params, identifier)
  const keys = verifyKeysIn(params, verifyKeys)
  const expected = { senders, verifyKeys: keys, reader: identifier }
  const collected = collectRound(openingRound(openingStep(params), expected), messages)
  if (!collected.ok) return collected
  const checked = checkOpens(params, collected.value)
  if (!checked.ok) return checked

  const opens = new Map<number, Statement>(statementsOf(collected.value))
  opens.set(identifier, state.opening)
  const openings = digestsOf(opens)
  const sessionId = runSession({ params, openings })
  const slot = slotOf(params, "reveal", sessionId, identifier)
  const group = groupFor(params)
  const scalars = coefficients.map((coefficient) => coefficient.expose() as Scalar)

  const kept = new Map<number, Secret>()
  const sealed = new Map<number, Bytes>()
  sharesWith(params, identifier).forEach((recipient, i) => {
    const start = 32 + i * XWING_RANDOMNESS_LENGTH
    const encapsulation = randomness.slice(start, start + XWING_RANDOMNESS_LENGTH)
    const share = evaluatePolynomial(group, scalars, recipient)
    const { sealingKey } = checked.value.get(recipient)!
    const { part, channel } = sealFirst({ slot, recipient }, sealingKey, encapsulation, share)
    sealed.set(recipient, part)
    kept.set(recipient, new Secret(encapsulation))
    channel.key.wipe()
    share.fill(0)
  })

  const vector = vectorOf(params, coefficients)
  const possession = provePossession(group, {
    ...possessionStatement(sessionId, identifier, vector[0]!),
    secret: scalars[0]!,
    randomness: randomness.slice(0, 32),
  })
  const broadcast = encode(revealPayloadCodec(group), { vector, blinding, possession })
  const previousDigest = echoDigest(openings)
  const message = signMessage(signer, slot, { previousDigest, broadcast, sealed })
  const ownShare = new Secret(evaluatePolynomial(group, scalars, identifier))
  const reveal = { header: message.header, broadcast }
  const next = { params, identifier, ownShare, sealingSeed, randomness: kept, opens, reveal }
  return done({ state: next, message })
}
