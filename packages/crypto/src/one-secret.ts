import {
  type Bytes,
  bytes,
  type Codec,
  concat,
  fixedBytes,
  struct,
  text,
} from "@lockkeeper/encoding"
import type { Element, Group, Scalar } from "./groups/group.ts"
import { hashValueToScalar } from "./hash-value.ts"

/**
 * The claim that one secret lies behind several elements: publics[i] = s * bases[i] for all i. The
 * proof of it, Schnorr's for one base and Chaum and Pedersen's for more, is made non-interactive by
 * Fiat and Shamir's transformation.
 */
export interface OneSecretClaim {
  /** Which statement this is; separates the hashes of different kinds of statement. */
  readonly domain: "dleq" | "dleq-many" | "possession"
  readonly label: string
  readonly context: Bytes
  readonly bases: readonly Element[]
  readonly publics: readonly Element[]
  /** Bases and publics as the transcript has them, without ambiguity within the domain. */
  readonly statement: Bytes
}

export interface OneSecretProof {
  readonly challenge: Scalar
  readonly response: Scalar
}

export function oneSecretProofCodec(group: Group): Codec<OneSecretProof> {
  return struct<OneSecretProof>({ challenge: group.scalar, response: group.scalar })
}

interface Transcript {
  readonly group: string
  readonly label: string
  readonly context: Bytes
  /** The statement, then one commitment for each base. */
  readonly elements: Bytes
}

/** Elements are hashed as they are: a forged proof may lead to the identity, which has no codec. */
function transcriptOf(
  group: Group,
  { label, context, statement }: OneSecretClaim,
  commitments: readonly Element[],
): { readonly codec: Codec<Transcript>; readonly value: Transcript } {
  const elements = concat(statement, ...commitments)
  const codec = struct<Transcript>({
    group: text(32),
    label: text(256),
    context: bytes(65_536),
    elements: fixedBytes(elements.length),
  })
  return { codec, value: { group: group.name, label, context, elements } }
}

function challengeOf(group: Group, claim: OneSecretClaim, commitments: readonly Element[]): Scalar {
  const { codec, value } = transcriptOf(group, claim, commitments)
  return hashValueToScalar(group, `${claim.domain}/challenge`, codec, value)
}

interface NonceInput {
  readonly secret: Bytes
  readonly randomness: Bytes
  readonly statement: Transcript
}

/**
 * The nonce hashes secret, statement and randomness, so that repeated randomness reveals nothing
 * unless the whole statement repeats too.
 */
function nonceOf(group: Group, claim: OneSecretClaim, secret: Scalar, randomness: Bytes): Scalar {
  const unset = claim.bases.map(() => group.identity)
  const { codec, value } = transcriptOf(group, claim, unset)
  const input = struct<NonceInput>({
    secret: fixedBytes(32),
    randomness: fixedBytes(32),
    statement: codec,
  })
  const name = `${claim.domain}/nonce`
  return hashValueToScalar(group, name, input, { secret, randomness, statement: value })
}

/** @param randomness - 32 fresh uniform bytes. */
export function proveOneSecret(
  group: Group,
  claim: OneSecretClaim,
  secret: Scalar,
  randomness: Bytes,
): OneSecretProof {
  if (randomness.length !== 32) throw new RangeError("randomness is not 32 bytes")
  const nonce = nonceOf(group, claim, secret, randomness)
  // T_i = r * B_i
  const commitments = claim.bases.map((base) =>
    group.equal(base, group.generator) ? group.multiplyBase(nonce) : group.multiply(base, nonce),
  )
  const challenge = challengeOf(group, claim, commitments)
  // z = r + c * s
  const product = group.multiplyScalars(challenge, secret)
  const response = group.addScalars(nonce, product)
  nonce.fill(0)
  product.fill(0)
  return { challenge, response }
}

/** Whether the proof is valid for exactly this claim; never where an element is the identity. */
export function verifyOneSecret(
  group: Group,
  claim: OneSecretClaim,
  proof: OneSecretProof,
): boolean {
  const { bases, publics } = claim
  if ([...bases, ...publics].some((element) => group.isIdentity(element))) return false
  // T_i = z * B_i - c * P_i
  const scalars = [proof.response, group.negateScalar(proof.challenge)]
  const commitments = bases.map((base, i) =>
    group.linearCombination([base, publics[i] as Element], scalars),
  )
  return group.equalScalars(challengeOf(group, claim, commitments), proof.challenge)
}
