import {
  type Element,
  groupByName,
  hashValueToScalar,
  type Identifier,
  type Scalar,
  Secret,
  XWING_RANDOMNESS_LENGTH,
} from "@lockkeeper/crypto"
import { type Bytes, decode, encode, fixedBytes, struct, u16 } from "@lockkeeper/encoding"
import { echoDigest } from "../messages/echo.ts"
import { type Message, signMessage } from "../messages/message.ts"
import { sealFirst } from "../messages/sealing.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { packScalars, scalarAt } from "../sharing/packed.ts"
import { weightOf } from "./checks.ts"
import { collectOpenings } from "./open.ts"
import { type RepairIdentity, type RepairParams, runSession, slotOf } from "./params.ts"
import { openPayloadCodec, splitPayloadCodec } from "./payloads.ts"
import type { RepairOpened, RepairSplit } from "./state.ts"

/** Bytes of randomness that `repairSplit` takes: a seed, and 64 for each other helper. */
export function splitRandomnessLength({ helpers }: RepairParams): number {
  return 32 + XWING_RANDOMNESS_LENGTH * (helpers.length - 1)
}

/**
 * Step 2, of a helper: split lambda_i(m) * s_i of each key into a random summand for each helper,
 * publish their images, and seal to each other helper its summands (the first round of the RTS
 * scheme, as in ZF frost, to which the images are added).
 *
 * @param messages - the step 1 messages of the others.
 * @param shares - this helper's share of each key of the batch.
 * @param randomness - `splitRandomnessLength(params)` fresh uniform bytes; never reused.
 */
export function repairSplit(
  state: RepairOpened,
  messages: readonly Message[],
  shares: readonly Secret[],
  { signer, verifyKeys }: RepairIdentity,
  randomness: Bytes,
): Outcome<{ readonly state: RepairSplit; readonly message: Message }> {
  const { params, sharings, identifier, sealingSeed } = state
  if (randomness.length !== splitRandomnessLength(params)) {
    throw new RangeError(`repairSplit takes ${splitRandomnessLength(params)} bytes of randomness`)
  }
  if (!params.helpers.includes(identifier)) return abort("not-a-dealer")
  if (shares.length !== params.groups.length) throw new RangeError("a share for each key")
  const openings = collectOpenings(state, messages, verifyKeys)
  if (!openings.ok) return openings
  const { run, opens } = openings.value
  const { images, summands } = splitAll(params, identifier, shares, randomness.slice(0, 32))

  const slot = slotOf(params, "split", runSession(run), identifier)
  const kept = new Map<Identifier, Secret>()
  const sealed = new Map<Identifier, Bytes>()
  const others = params.helpers.filter((helper) => helper !== identifier)
  others.forEach((recipient, i) => {
    const start = 32 + i * XWING_RANDOMNESS_LENGTH
    const encapsulation = randomness.slice(start, start + XWING_RANDOMNESS_LENGTH)
    const { sealingKey } = decode(openPayloadCodec, opens.get(recipient)!.broadcast)
    const payload = summands.get(recipient)!
    const { part, channel } = sealFirst({ slot, recipient }, sealingKey, encapsulation, payload)
    sealed.set(recipient, part)
    kept.set(recipient, new Secret(encapsulation))
    channel.key.wipe()
    payload.fill(0)
  })
  const broadcast = encode(splitPayloadCodec(params), images)
  const previousDigest = echoDigest(run.openings)
  const message = signMessage(signer, slot, { previousDigest, broadcast, sealed })
  const ownSummands = new Secret(summands.get(identifier)!)
  const split = { header: message.header, broadcast }
  return done({
    state: {
      params,
      sharings,
      identifier,
      sealingSeed,
      ownSummands,
      randomness: kept,
      opens,
      split,
    },
    message,
  })
}

const summandCodec = struct<{
  readonly seed: Bytes
  readonly index: number
  readonly place: number
}>({ seed: fixedBytes(32), index: u16, place: u16 })

/** For each key the images, and for each helper its summands of all keys, packed. */
function splitAll(
  params: RepairParams,
  identifier: Identifier,
  shares: readonly Secret[],
  seed: Bytes,
): { readonly images: Element[][]; readonly summands: ReadonlyMap<Identifier, Bytes> } {
  const { helpers, groups } = params
  const dealt = new Map<Identifier, Scalar[]>(helpers.map((helper) => [helper, []]))
  const images = groups.map((name, index) => {
    const group = groupByName(name)
    const share = scalarAt(group, shares[index]!.expose(), 0)
    if (!share) throw new Error("a share that is held is a scalar of its group")
    let rest = group.multiplyScalars(share, weightOf(group, params, identifier))
    share.fill(0)
    const published = helpers.slice(0, -1).map((helper, place): Element => {
      const summand = hashValueToScalar(group, "repair/1/summand", summandCodec, {
        seed,
        index,
        place,
      })
      dealt.get(helper)!.push(summand)
      const left = group.subtractScalars(rest, summand)
      rest.fill(0)
      rest = left
      return group.multiplyBase(summand)
    })
    dealt.get(helpers.at(-1)!)!.push(rest)
    return published
  })
  seed.fill(0)
  const summands = new Map<Identifier, Bytes>()
  for (const [helper, scalars] of dealt) {
    summands.set(helper, packScalars(scalars))
    for (const scalar of scalars) scalar.fill(0)
  }
  return { images, summands }
}
