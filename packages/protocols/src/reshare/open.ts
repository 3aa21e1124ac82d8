import {
  type Element,
  groupByName,
  hashValueToScalar,
  type Identifier,
  type Scalar,
  Secret,
  xwingKeyPair,
} from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes, fixedBytes, struct, u16 } from "@lockkeeper/encoding"
import type { Message } from "../messages/message.ts"
import { signOpening } from "../messages/opening.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { encodeDeal, vectorsCommitment } from "./checks.ts"
import { checkKeys, checkKnown, type KnownSharing, type ReshareKey } from "./keys.ts"
import { LABELS } from "./labels.ts"
import {
  checkParams,
  isDealer,
  isHolder,
  openingDigest,
  openingStep,
  participantsOf,
  type ReshareIdentity,
  type ReshareParams,
} from "./params.ts"
import { openPayloadCodec } from "./payloads.ts"
import type { Dealing, ReshareOpened } from "./state.ts"

/** Bytes of randomness that `reshareOpen` takes: nonce, sealing seed, blinding, dealing seed. */
export const OPEN_RANDOMNESS_LENGTH = 128

/** A batch as one participant is asked to take part in it. */
export interface ReshareRequest {
  readonly params: ReshareParams
  readonly keys: readonly ReshareKey[]
  /** What this participant knows of each key, null for one it has never held. */
  readonly known: readonly (KnownSharing | null)[]
}

/**
 * Step 1: check what the run is about, and speak up under a fresh nonce; a holder with a key that its
 * shares are sealed to, a dealer with the hash of its commitments to all its polynomials. A dealer's
 * opening vouches for the batch: it signs a request that hashes every key as this dealer holds it.
 *
 * @param randomness - `OPEN_RANDOMNESS_LENGTH` fresh uniform bytes; never reused.
 */
export function reshareOpen(
  { params, keys, known }: ReshareRequest,
  identifier: Identifier,
  { signer, verifyKeys }: ReshareIdentity,
  randomness: Bytes,
): Outcome<{ readonly state: ReshareOpened; readonly message: Message }> {
  if (randomness.length !== OPEN_RANDOMNESS_LENGTH) {
    throw new RangeError(`reshareOpen takes ${OPEN_RANDOMNESS_LENGTH} bytes of randomness`)
  }
  const checked = checkParams(params)
  if (!checked.ok) return checked
  if (!participantsOf(params).includes(identifier)) return abort("not-a-participant")
  const distinct = distinctKeys(participantsOf(params), verifyKeys)
  if (!distinct.ok) return distinct
  const listed = checkKeys(params, keys)
  if (!listed.ok) return listed
  const fit = checkKnown(params, keys, identifier, known)
  if (!fit.ok) return fit

  const nonce = randomness.slice(0, 32)
  const sealingSeed = isHolder(params, identifier)
    ? Secret.copyOf(randomness.subarray(32, 64))
    : null
  const begun = isDealer(params, identifier)
    ? beginDealing(params, identifier, randomness.subarray(64))
    : null
  const sealingKey = sealingSeed && xwingKeyPair(sealingSeed.expose()).publicKey
  const commitment = begun?.commitment ?? null
  const broadcast = encode(openPayloadCodec, { sealingKey, commitment })
  const draft = { sender: identifier, nonce, broadcast }
  const message = signOpening(signer, openingStep(params), draft)
  const opening = { header: message.header, broadcast }
  const dealing = begun?.dealing ?? null
  return done({ state: { params, keys, identifier, sealingSeed, dealing, opening }, message })
}

/** One identity key under two identifiers would be one server with two shares. */
export function distinctKeys(
  participants: readonly Identifier[],
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<null> {
  const seen: Uint8Array[] = []
  for (const participant of participants) {
    const key = verifyKeys.get(participant)
    const field = `participants.${participant}`
    if (!key || seen.some((other) => equalBytes(other, key))) {
      return abort("wrong-participants", { field })
    }
    seen.push(key)
  }
  return done(null)
}

function beginDealing(
  params: ReshareParams,
  identifier: Identifier,
  randomness: Uint8Array,
): { readonly dealing: Dealing; readonly commitment: Bytes } {
  const blinding = new Uint8Array(randomness.subarray(0, 32))
  const seed = Secret.copyOf(randomness.subarray(32, 64))
  const openingId = openingDigest(params)
  const vectors = params.groups.map((name, index) => {
    const group = groupByName(name)
    return coefficientsOf(params, openingId, seed, index).map((coefficient): Element => {
      const element = group.multiplyBase(coefficient)
      coefficient.fill(0)
      return element
    })
  })
  const commitment = vectorsCommitment(params, identifier, vectors, blinding)
  const broadcast = encodeDeal(params, vectors, blinding)
  return { dealing: { seed, blinding, broadcast }, commitment }
}

interface CoefficientInput {
  readonly seed: Bytes
  readonly openingId: Bytes
  readonly index: number
  readonly degree: number
}

const coefficientCodec = struct<CoefficientInput>({
  seed: fixedBytes(32),
  openingId: fixedBytes(32),
  index: u16,
  degree: u16,
})

/**
 * a_1 .. a_(t'-1) of the polynomial for one key, from the run's seed: so the state between the steps
 * keeps 32 bytes for all of them. The constant term is the dealer's weighted share.
 */
export function coefficientsOf(
  params: ReshareParams,
  openingId: Bytes,
  seed: Secret,
  index: number,
): Scalar[] {
  const group = groupByName(params.groups[index]!)
  return Array.from({ length: params.minSigners - 1 }, (_, k) => {
    const input = { seed: seed.expose(), openingId, index, degree: k + 1 }
    return hashValueToScalar(group, LABELS.coefficient, coefficientCodec, input)
  })
}
