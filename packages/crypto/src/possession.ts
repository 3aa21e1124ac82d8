import { type Bytes, bytes, type Codec, fixedBytes, struct, text } from "@lockkeeper/encoding"
import type { Element, Group, Scalar } from "./groups/group.ts"
import { hashValueToScalar } from "./hash-value.ts"

/** What is proved: knowledge of s with public = s * generator, for one purpose and session. */
export interface PossessionStatement {
  readonly label: string
  /** Session and sender at least: a proof is copied freely within what the context allows. */
  readonly context: Bytes
  readonly public: Element
}

/** Schnorr's proof of knowledge made non-interactive by Fiat-Shamir. */
export interface PossessionProof {
  readonly challenge: Scalar
  readonly response: Scalar
}

export function possessionProofCodec(group: Group): Codec<PossessionProof> {
  return struct<PossessionProof>({ challenge: group.scalar, response: group.scalar })
}

interface Transcript extends PossessionStatement {
  readonly group: string
  readonly commitment: Element
}

function transcriptCodec(group: Group): Codec<Transcript> {
  const element = fixedBytes(group.elementLength) as Codec<Element>
  return struct<Transcript>({
    group: text(32),
    label: text(256),
    context: bytes(65_536),
    public: element,
    commitment: element,
  })
}

interface NonceInput {
  readonly secret: Bytes
  readonly randomness: Bytes
  readonly statement: Transcript
}

function challengeOf(group: Group, transcript: Transcript): Scalar {
  return hashValueToScalar(group, "possession/challenge", transcriptCodec(group), transcript)
}

/**
 * Proves possession of `secret` (Schnorr, J. Cryptology 1991). The nonce is hedged: it hashes the
 * secret, the statement and the randomness.
 *
 * @param randomness - 32 fresh uniform bytes.
 */
export function provePossession(
  group: Group,
  input: PossessionStatement & { readonly secret: Scalar; readonly randomness: Bytes },
): PossessionProof {
  const { secret, randomness, ...statement } = input
  if (randomness.length !== 32) throw new RangeError("randomness is not 32 bytes")
  const codec = struct<NonceInput>({
    secret: fixedBytes(32),
    randomness: fixedBytes(32),
    statement: transcriptCodec(group),
  })
  const open = { ...statement, group: group.name }
  const nonceInput = { secret, randomness, statement: { ...open, commitment: group.identity } }
  const nonce = hashValueToScalar(group, "possession/nonce", codec, nonceInput)
  const challenge = challengeOf(group, { ...open, commitment: group.multiplyBase(nonce) })
  // z = r + c * s
  const product = group.multiplyScalars(challenge, secret)
  const response = group.addScalars(nonce, product)
  nonce.fill(0)
  product.fill(0)
  return { challenge, response }
}

/** Whether the proof is valid for exactly this statement; never for the identity. */
export function verifyPossession(
  group: Group,
  statement: PossessionStatement,
  proof: PossessionProof,
): boolean {
  if (group.isIdentity(statement.public)) return false
  // R = z * G - c * P
  const commitment = group.linearCombination(
    [group.generator, statement.public],
    [proof.response, group.negateScalar(proof.challenge)],
  )
  const { label, context } = statement
  const transcript = { label, context, public: statement.public, group: group.name, commitment }
  return group.equalScalars(challengeOf(group, transcript), proof.challenge)
}
