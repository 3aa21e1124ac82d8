import { groupByName, type Identifier, type Scalar, Secret } from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Message, type Received, signMessage } from "../messages/message.ts"
import { collectRound } from "../messages/round.ts"
import { openFirst } from "../messages/sealing.ts"
import { type Statement, statementsOf } from "../messages/statement.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { packScalars, SCALAR_LENGTH, scalarAt } from "../sharing/packed.ts"
import { confirmOutcome } from "./certificate.ts"
import { areShares, type Dealt, isDealtShare, vectorsIn } from "./checks.ts"
import { collectOpenings, type Openings } from "./deal.ts"
import { faultless, judgeDeals } from "./faults.ts"
import { checkKnown, headOf, type KnownSharing, type ReshareKey } from "./keys.ts"
import { isHolder, type ReshareIdentity, roundOf, runSession, slotOf } from "./params.ts"
import { type Complaint, type VerdictPayload, verdictPayloadCodec, WHOLE_PART } from "./payloads.ts"
import { outcomeRoot, publicOutcome } from "./result.ts"
import type {
  ReshareDealt,
  Reshared,
  ReshareJudged,
  ReshareOpened,
  ResharePending,
} from "./state.ts"

/** What a holder is given for its verdict. */
export interface VerdictInput {
  /** The openings of the others; none for a dealer, which has them. */
  readonly opens: readonly Message[]
  /** The dealings of all dealers but itself, with its part of each. */
  readonly deals: readonly Message[]
  /** As in `reshareOpen`, read again: another run may have confirmed these keys meanwhile. */
  readonly known: readonly (KnownSharing | null)[]
}

/**
 * Step 3, of a holder: check every dealing, add up the new shares, and either confirm all new sharings
 * with one signature or complain of the dealers whose shares are wrong.
 *
 * What is wrong in public aborts here with its culprit. A dealing that is wrong for this holder alone
 * cannot be proven without the dealer, so it becomes a signed complaint. The caller stores the next
 * state durably before the message leaves: a confirmation says "I hold these shares", and others
 * erase theirs on its strength; and it keeps them when the run goes no further.
 */
export function reshareVerdict(
  state: ReshareOpened | ReshareDealt,
  { opens, deals, known }: VerdictInput,
  { signer, verifyKeys }: ReshareIdentity,
): Outcome<{ readonly state: ReshareJudged; readonly message: Message }> {
  const { params, keys, identifier } = state
  if (!isHolder(params, identifier)) return abort("not-a-participant")
  const fit = checkKnown(params, keys, identifier, known)
  if (!fit.ok) return fit
  const openings = openingsOf(state, opens, verifyKeys)
  if (!openings.ok) return openings
  const { run } = openings.value
  const sessionId = runSession(run)
  const collected = collectRound(
    roundOf(params, "deal", sessionId, {
      senders: params.dealers.filter((dealer) => dealer !== identifier),
      verifyKeys,
      previousDigest: echoDigest(run.openings),
      reader: identifier,
    }),
    deals,
  )
  if (!collected.ok) return collected
  const checked = faultless(judgeDeals(run, openings.value.opens, collected.value))
  if (!checked.ok) return checked

  const dealings = new Map(checked.value)
  const statements = new Map<Identifier, Statement>(statementsOf(collected.value))
  if ("deal" in state) {
    dealings.set(identifier, vectorsIn(params, state.deal.broadcast))
    statements.set(identifier, state.deal)
  }
  const outcome = publicOutcome(params, keys.map(headOf), [...dealings.values()])
  if (!outcome.ok) return outcome
  const received = receiveShares(state, collected.value, dealings, outcome.value)
  if (!received.ok) return received
  const { shares, complaints } = received.value
  const pending = shares && confirmShares(signer, params.rosterEpoch, outcome.value, shares)
  const payload: VerdictPayload = pending
    ? { kind: "confirm", root: pending.root, confirmation: pending.confirmation }
    : { kind: "complain", complaints }

  const slot = slotOf(params, "verdict", sessionId, identifier)
  const broadcast = encode(verdictPayloadCodec, payload)
  const previousDigest = echoDigest(digestsOf(statements))
  const message = signMessage(signer, slot, { previousDigest, broadcast })
  const randomness = "deal" in state ? state.randomness : new Map<Identifier, Secret>()
  const next = { params, identifier, randomness, opens: openings.value.opens, pending }
  return done({ state: next, message })
}

function openingsOf(
  state: ReshareOpened | ReshareDealt,
  messages: readonly Message[],
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<Openings> {
  if ("deal" in state) {
    const { params, opens } = state
    return done({ run: { params, openings: digestsOf(opens) }, opens })
  }
  // A dealer that has not dealt has nothing to judge by: its own dealing is missing.
  return state.dealing ? abort("missing-messages") : collectOpenings(state, messages, verifyKeys)
}

function confirmShares(
  signer: ReshareIdentity["signer"],
  rosterEpoch: number,
  reshared: readonly Reshared[],
  shares: Secret,
): ResharePending {
  const root = outcomeRoot(reshared)
  const statement = { rosterEpoch, size: reshared.length, root }
  return { reshared, shares, root, confirmation: confirmOutcome(signer, statement) }
}

interface ReceivedShares {
  /** Null when something is wrong; then there are complaints. */
  readonly shares: Secret | null
  readonly complaints: readonly Complaint[]
}

/** A dealer's opened part: a share for each key, or null when it is none. */
type Parts = ReadonlyMap<Identifier, Bytes | null>

/**
 * s'_j = sum over dealers of f_i(j), for each key. The sum is checked against the outcome first;
 * single shares only when it is wrong. Errors that cancel out in the sum harm nobody.
 */
function receiveShares(
  state: ReshareOpened | ReshareDealt,
  messages: ReadonlyMap<Identifier, Received>,
  dealings: ReadonlyMap<Identifier, Dealt>,
  outcome: readonly Reshared[],
): Outcome<ReceivedShares> {
  const { params, keys, identifier } = state
  const parts = openParts(state, messages)
  const own = "ownShares" in state ? state.ownShares : null
  const complaints = new Map<Identifier, number>()
  for (const [dealer, part] of parts) if (!part) complaints.set(dealer, WHOLE_PART)
  const sums: Scalar[] = []
  for (const [index, key] of keys.entries()) {
    const { sharing } = outcome[index]!
    const sum = sumAt(sharing.group, index, own, parts)
    sums.push(sum)
    const group = groupByName(sharing.group)
    const expected = sharing.verifyingShares.get(identifier)!
    if (complaints.size === 0 && equalBytes(group.multiplyBase(sum), expected)) continue
    for (const [dealer, part] of parts) {
      if (!part || complaints.has(dealer)) continue
      const share = part.subarray(index * SCALAR_LENGTH, (index + 1) * SCALAR_LENGTH)
      const vector = dealings.get(dealer)![index]!
      const owed = { sharing: key.sharing, dealers: params.dealers }
      if (!isDealtShare(owed, { dealer, vector }, identifier, share as Bytes)) {
        complaints.set(dealer, index)
      }
    }
    // The shares are right for what was listed, so the list contradicts itself: all dealers vouched
    // for it, and at least one of them is honest, unless as many as the threshold are not.
    if (complaints.size === 0) {
      return abort("inconsistent-key", { field: `keys.${index}` })
    }
  }
  const right = complaints.size === 0
  const shares = right ? new Secret(packScalars(sums)) : null
  for (const secret of [...sums, ...parts.values()]) secret?.fill(0)
  const sorted = [...complaints].sort(([a], [b]) => a - b)
  return done({ shares, complaints: sorted.map(([dealer, index]) => ({ dealer, index })) })
}

/** What each other dealer sealed to this holder, if it opens and is a scalar for each key. */
function openParts(
  { params, identifier, sealingSeed }: ReshareOpened | ReshareDealt,
  messages: ReadonlyMap<Identifier, Received>,
): Parts {
  const parts = new Map<Identifier, Bytes | null>()
  for (const [dealer, { header, sealed }] of messages) {
    const place = { slot: header, recipient: identifier }
    const opened = openFirst(place, sealingSeed!, sealed.get(identifier)!)
    opened?.channel.key.wipe()
    parts.set(dealer, opened && areShares(params.groups, opened.payload) ? opened.payload : null)
  }
  return parts
}

function sumAt(
  name: ReshareKey["sharing"]["group"],
  index: number,
  own: Secret | null,
  parts: Parts,
): Scalar {
  const group = groupByName(name)
  let sum = group.addScalars(group.zero, group.zero)
  const packed = [...(own ? [own.expose()] : []), ...parts.values()]
  for (const shares of packed) {
    const scalar = shares && scalarAt(group, shares, index)
    if (!scalar) continue
    const next = group.addScalars(sum, scalar)
    sum.fill(0)
    scalar.fill(0)
    sum = next
  }
  return sum
}
