import { type Element, type Identifier, type Scalar, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { confirmAddition, confirmKey, type PublicKeyPackage } from "../keys.ts"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Message, type Received, signMessage } from "../messages/message.ts"
import { collectRound } from "../messages/round.ts"
import { openFirst } from "../messages/sealing.ts"
import { statementsOf } from "../messages/statement.ts"
import { done, type Outcome } from "../outcome.ts"
import { isShare } from "./checks.ts"
import { checkReveals } from "./faults.ts"
import {
  type DkgIdentity,
  type DkgParams,
  groupFor,
  othersThan,
  roundOf,
  runSession,
  sharesWith,
  slotOf,
  verifyKeysIn,
} from "./params.ts"
import {
  decodeOrNull,
  type RevealPayload,
  revealPayloadCodec,
  type VerdictPayload,
  verdictPayloadCodec,
} from "./payloads.ts"
import { publicResult } from "./result.ts"
import type { DkgJudged, DkgPending, DkgRevealed } from "./state.ts"

/**
 * Step 3: check every reveal, open the own shares, and either confirm the key by signing its public
 * package or complain of the dealers whose share is missing or wrong (FROST KeyGen round 2 steps 2
 * to 4, with GJKR's complaints).
 *
 * What is wrong in public aborts here with its culprit. A dealing that is wrong for this participant
 * alone cannot be proven without the dealer, so it becomes a signed complaint.
 *
 * @param messages - the step 2 message of every other participant, with its part for this one.
 */
export function dkgVerdict(
  state: DkgRevealed,
  messages: readonly Message[],
  { signer, verifyKeys }: DkgIdentity,
): Outcome<{ readonly state: DkgJudged; readonly message: Message }> {
  const { params, identifier, opens } = state
  const openings = digestsOf(opens)
  const run = { params, openings }
  const sessionId = runSession(run)
  const collected = collectRound(
    roundOf(params, "reveal", sessionId, {
      senders: othersThan(params, identifier),
      verifyKeys: verifyKeysIn(params, verifyKeys),
      previousDigest: echoDigest(openings),
      reader: identifier,
    }),
    messages,
  )
  if (!collected.ok) return collected
  const checked = checkReveals(run, opens, collected.value)
  if (!checked.ok) return checked

  const own = decode(revealPayloadCodec(groupFor(params)), state.reveal.broadcast)
  const vectors = vectorsOf(new Map([...checked.value, [identifier, own]]))
  const result = publicResult(params, vectors)
  if (!result.ok) return result
  const confirm = params.additive.has(identifier) ? confirmAddition : confirmKey
  const dealt = receiveShares(state, collected.value, checked.value, result.value)
  const pending: DkgPending | null = dealt.signingShare && {
    signingShare: dealt.signingShare,
    public: result.value,
    confirmation: confirm(signer, result.value),
  }
  const payload: VerdictPayload = pending
    ? { kind: "confirm", confirmation: pending.confirmation }
    : { kind: "complain", dealers: dealt.complaints }

  const reveals = statementsOf(collected.value).set(identifier, state.reveal)
  const slot = slotOf(params, "verdict", sessionId, identifier)
  const broadcast = encode(verdictPayloadCodec, payload)
  const previousDigest = echoDigest(digestsOf(reveals))
  const message = signMessage(signer, slot, { previousDigest, broadcast })
  const { randomness } = state
  return done({ state: { params, identifier, randomness, opens, reveals, pending }, message })
}

export function vectorsOf(
  payloads: ReadonlyMap<Identifier, RevealPayload>,
): Map<Identifier, readonly Element[]> {
  return new Map([...payloads].map(([dealer, { vector }]) => [dealer, vector]))
}

interface Dealt {
  readonly signingShare: Secret | null
  readonly complaints: readonly Identifier[]
}

/**
 * s_i = sum over dealers of f_j(i), and an additive participant's share is its own. The sum is checked against the outcome first; single shares only
 * when it is wrong. Errors that cancel out in the sum harm nobody: the key is the sum.
 */
function receiveShares(
  state: DkgRevealed,
  messages: ReadonlyMap<Identifier, Received>,
  reveals: ReadonlyMap<Identifier, RevealPayload>,
  result: PublicKeyPackage,
): Dealt {
  const { params, identifier } = state
  const group = groupFor(params)
  const shares = new Map<Identifier, Bytes | null>()
  for (const dealer of sharesWith(params, identifier)) {
    const { header, sealed } = messages.get(dealer)!
    const place = { slot: header, recipient: identifier }
    const opened = openFirst(place, state.sealingSeed, sealed.get(identifier)!)
    opened?.channel.key.wipe()
    shares.set(dealer, opened?.payload ?? null)
  }
  const sum = sumOf(params, state.ownShare, [...shares.values()])
  const expected =
    result.verifyingShares.get(identifier) ?? result.additive.get(identifier)!.publicShare
  const right = sum !== null && group.equal(group.multiplyBase(sum), expected)
  const complaints: Identifier[] = []
  if (!right) {
    for (const [dealer, share] of shares) {
      const { vector } = reveals.get(dealer)!
      if (share === null || !isShare(group, vector, identifier, share)) complaints.push(dealer)
    }
  }
  if (!right && complaints.length === 0) throw new Error("the own dealing does not fit its vector")
  for (const share of shares.values()) share?.fill(0)
  return {
    signingShare: right ? new Secret(sum) : null,
    complaints: complaints.sort((a, b) => a - b),
  }
}

/** The sum, or null when a dealer's part did not open or is no reduced scalar. */
function sumOf(params: DkgParams, own: Secret, shares: readonly (Bytes | null)[]): Scalar | null {
  const group = groupFor(params)
  let sum = group.addScalars(group.zero, own.expose() as Scalar)
  for (const share of shares) {
    const scalar = share && decodeOrNull(group.scalar, share)
    if (scalar === null) return null
    sum = group.addScalars(sum, scalar)
  }
  return sum
}
