import {
  feldmanCommit,
  type Identifier,
  type Scalar,
  Secret,
  xwingKeyPair,
} from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes } from "@lockkeeper/encoding"
import type { Message } from "../messages/message.ts"
import { signOpening } from "../messages/opening.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { vectorCommitment } from "./checks.ts"
import {
  checkParams,
  type DkgIdentity,
  type DkgParams,
  everyoneIn,
  groupFor,
  openingStep,
  termsOf,
  verifyKeysIn,
} from "./params.ts"
import { openPayloadCodec } from "./payloads.ts"
import type { DkgOpened } from "./state.ts"

/** Bytes of randomness that `dkgOpen` takes: nonce, sealing seed, blinding, 64 per coefficient. */
export function openRandomnessLength(params: DkgParams, identifier: Identifier): number {
  return 96 + 64 * termsOf(params, identifier)
}

/** The public vector of a polynomial whose coefficients are held as secrets. */
export function vectorOf(params: DkgParams, coefficients: readonly Secret[]) {
  return feldmanCommit(
    groupFor(params),
    coefficients.map((coefficient) => coefficient.expose() as Scalar),
  )
}

/**
 * Step 1: choose a polynomial and publish only the hash of its commitments, under a nonce and with a
 * key to seal shares to (FROST KeyGen round 1, after a commit phase as in GJKR). Everyone's polynomial
 * is fixed before anyone's contribution is seen, so none can be chosen to steer the sum.
 *
 * An additive participant's polynomial is a constant: its share of the key.
 *
 * @param randomness - `openRandomnessLength(params, identifier)` fresh uniform bytes; never reused.
 */
export function dkgOpen(
  params: DkgParams,
  identifier: Identifier,
  { signer, verifyKeys }: DkgIdentity,
  randomness: Bytes,
): Outcome<{ readonly state: DkgOpened; readonly message: Message }> {
  const checked = checkParams(params)
  if (!checked.ok) return checked
  if (!everyoneIn(params).includes(identifier)) return abort("not-a-participant")
  const known = distinctKeys(params, verifyKeys)
  if (!known.ok) return known
  const length = openRandomnessLength(params, identifier)
  if (randomness.length !== length) {
    throw new RangeError(`dkgOpen takes ${length} bytes of randomness`)
  }
  const group = groupFor(params)
  const nonce = randomness.slice(0, 32)
  const sealingSeed = Secret.copyOf(randomness.subarray(32, 64))
  const blinding = randomness.slice(64, 96)
  const coefficients: Secret[] = []
  for (let offset = 96; offset < randomness.length; offset += 64) {
    coefficients.push(new Secret(group.scalarFromUniform(randomness.subarray(offset, offset + 64))))
  }

  const commitment = vectorCommitment(params, identifier, vectorOf(params, coefficients), blinding)
  const sealingKey = xwingKeyPair(sealingSeed.expose()).publicKey
  const broadcast = encode(openPayloadCodec, { sealingKey, commitment })
  const draft = { sender: identifier, nonce, broadcast }
  const message = signOpening(signer, openingStep(params), draft)
  const opening = { header: message.header, broadcast }
  const state = { params, identifier, coefficients, blinding, sealingSeed, opening }
  return done({ state, message })
}

/** One identity key under two identifiers would be one server with two shares. */
function distinctKeys(
  params: DkgParams,
  servers: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<null> {
  const verifyKeys = verifyKeysIn(params, servers)
  const seen: Uint8Array[] = []
  for (const participant of everyoneIn(params)) {
    const key = verifyKeys.get(participant)
    const field = `participants.${participant}`
    if (!key || seen.some((other) => equalBytes(other, key))) {
      return abort("wrong-participants", { field })
    }
    seen.push(key)
  }
  return done(null)
}
