import {
  evaluatePolynomial,
  type Group,
  groupByName,
  type Identifier,
  lagrangeCoefficient,
  type Scalar,
  Secret,
  XWING_RANDOMNESS_LENGTH,
} from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Message, signMessage } from "../messages/message.ts"
import { openingRound } from "../messages/opening.ts"
import { collectAvailable } from "../messages/round.ts"
import { sealFirst } from "../messages/sealing.ts"
import { type Statement, statementsOf } from "../messages/statement.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { packScalars, scalarAt } from "../sharing/packed.ts"
import { faultless, judgeOpens } from "./faults.ts"
import { checkKnown, type KnownSharing } from "./keys.ts"
import { coefficientsOf } from "./open.ts"
import {
  missingFrom,
  openingDigest,
  openingStep,
  participantsOf,
  type ReshareIdentity,
  type ReshareRunId,
  receiversOf,
  runSession,
  slotOf,
} from "./params.ts"
import { openPayloadCodec } from "./payloads.ts"
import type { ReshareDealt, ReshareOpened } from "./state.ts"

/** Bytes of randomness that `reshareDeal` takes: 64 for each other holder that opened. */
export function dealRandomnessLength(state: ReshareOpened): number {
  return XWING_RANDOMNESS_LENGTH * state.params.holders.length
}

/** A holder's side of one sharing of any kind: all that a refresh or reshare needs of it. */
export interface Resharable extends KnownSharing {
  /** 32 bytes, a scalar of the sharing's group. */
  readonly share: Secret
}

/** The openings of a run, as one participant has them. */
export interface Openings {
  readonly run: ReshareRunId
  readonly opens: ReadonlyMap<Identifier, Statement>
}

/** Collects the openings of everyone else; holders may be missing as long as a quorum is there. */
export function collectOpenings(
  { params, identifier, opening }: Pick<ReshareOpened, "params" | "identifier" | "opening">,
  messages: readonly Message[],
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<Openings> {
  const senders = participantsOf(params).filter((other) => other !== identifier)
  const expected = { senders, verifyKeys, reader: identifier }
  const collected = collectAvailable(openingRound(openingStep(params), expected), messages)
  if (!collected.ok) return collected
  const { received } = collected.value
  const checked = faultless(judgeOpens(params, received))
  if (!checked.ok) return checked
  const opens = new Map<Identifier, Statement>(statementsOf(received)).set(identifier, opening)
  const run = { params, openings: digestsOf(opens) }
  const silent = missingFrom(run)
  return silent ? abort("missing-messages", { silent }) : done({ run, opens })
}

/**
 * Step 2, of a dealer: for each key choose f_i with f_i(0) = lambda_i * s_i and degree t' - 1, reveal
 * the commitments that step 1 hashed, and seal f_i(j) to each holder j (Desmedt and Jajodia, with
 * Feldman's commitments). New shares are then simply sums, and the sums' constant term is the key.
 *
 * @param messages - the step 1 messages of the others.
 * @param held - this dealer's share of each key of the batch.
 * @param randomness - `dealRandomnessLength(state)` fresh uniform bytes; never reused.
 */
export function reshareDeal(
  state: ReshareOpened,
  messages: readonly Message[],
  held: readonly Resharable[],
  { signer, verifyKeys }: ReshareIdentity,
  randomness: Bytes,
): Outcome<{ readonly state: ReshareDealt; readonly message: Message }> {
  if (randomness.length !== dealRandomnessLength(state)) {
    throw new RangeError(`reshareDeal takes ${dealRandomnessLength(state)} bytes of randomness`)
  }
  const { params, keys, identifier, dealing, sealingSeed } = state
  if (!dealing) return abort("not-a-dealer")
  // A key may have been refreshed by another run since this one began.
  const fit = checkKnown(params, keys, identifier, held)
  if (!fit.ok) return fit
  const openings = collectOpenings(state, messages, verifyKeys)
  if (!openings.ok) return openings
  const { run, opens } = openings.value
  const receivers = receiversOf(run)
  const shares = evaluateAll(state, dealing.seed, held, receivers)

  const slot = slotOf(params, "deal", runSession(run), identifier)
  const kept = new Map<Identifier, Secret>()
  const sealed = new Map<Identifier, Bytes>()
  receivers.forEach((recipient, i) => {
    if (recipient === identifier) return
    const payload = shares.get(recipient)!
    const start = i * XWING_RANDOMNESS_LENGTH
    const encapsulation = randomness.slice(start, start + XWING_RANDOMNESS_LENGTH)
    const { sealingKey } = decode(openPayloadCodec, opens.get(recipient)!.broadcast)
    const { part, channel } = sealFirst({ slot, recipient }, sealingKey!, encapsulation, payload)
    sealed.set(recipient, part)
    kept.set(recipient, new Secret(encapsulation))
    channel.key.wipe()
    payload.fill(0)
  })
  dealing.seed.wipe()
  const { broadcast } = dealing
  const previousDigest = echoDigest(run.openings)
  const message = signMessage(signer, slot, { previousDigest, broadcast, sealed })
  const own = shares.get(identifier)
  const ownShares = own ? new Secret(own) : null
  const deal = { header: message.header, broadcast }
  return done({
    state: { params, keys, identifier, sealingSeed, ownShares, randomness: kept, opens, deal },
    message,
  })
}

/** For each receiver its shares of all keys, packed. */
function evaluateAll(
  { params, identifier }: ReshareOpened,
  seed: Secret,
  held: readonly Resharable[],
  receivers: readonly Identifier[],
): Map<Identifier, Bytes> {
  const openingId = openingDigest(params)
  const dealt = new Map<Identifier, Scalar[]>(receivers.map((receiver) => [receiver, []]))
  params.groups.forEach((name, index) => {
    const group = groupByName(name)
    const constant = weighted(group, identifier, params.dealers, held[index]!.share)
    const polynomial = [constant, ...coefficientsOf(params, openingId, seed, index)]
    for (const receiver of receivers) {
      dealt.get(receiver)!.push(evaluatePolynomial(group, polynomial, receiver))
    }
    for (const scalar of polynomial) scalar.fill(0)
  })
  return new Map([...dealt].map(([receiver, scalars]) => [receiver, wipedAfterPacking(scalars)]))
}

function wipedAfterPacking(scalars: readonly Scalar[]): Bytes {
  const packed = packScalars(scalars)
  for (const scalar of scalars) scalar.fill(0)
  return packed
}

/** lambda_i * s_i */
function weighted(
  group: Group,
  dealer: Identifier,
  dealers: readonly Identifier[],
  share: Secret,
): Scalar {
  const scalar = scalarAt(group, share.expose(), 0)
  if (!scalar) throw new Error("a share that is held is a scalar of its group")
  const product = group.multiplyScalars(scalar, lagrangeCoefficient(group, dealer, dealers))
  scalar.fill(0)
  return product
}
