import { type Bytes, bytes, type Codec, fixedBytes, struct, text } from "@lockkeeper/encoding"
import type { Element, Group, Scalar } from "./groups/group.ts"
import { hashValueToScalar } from "./hash-value.ts"

/** Two pairs that claim one discrete logarithm: public = s * base and public2 = s * base2. */
export interface DleqStatement {
  /** Protocol and purpose; separates proofs of different uses. */
  readonly label: string
  /** Session, sender and whatever else the proof must not be replayed outside of; to 64 KiB. */
  readonly context: Bytes
  readonly base: Element
  readonly public: Element
  readonly base2: Element
  readonly public2: Element
}

/** A Chaum-Pedersen proof made non-interactive by Fiat-Shamir. */
export interface DleqProof {
  readonly challenge: Scalar
  readonly response: Scalar
}

export function dleqProofCodec(group: Group): Codec<DleqProof> {
  return struct<DleqProof>({ challenge: group.scalar, response: group.scalar })
}

interface Transcript extends DleqStatement {
  readonly group: string
  readonly commitment: Element
  readonly commitment2: Element
}

/** Elements are hashed as they are: a forged proof may lead to the identity, which has no codec. */
function transcriptCodec(group: Group): Codec<Transcript> {
  const element = fixedBytes(group.elementLength) as Codec<Element>
  return struct<Transcript>({
    group: text(32),
    label: text(256),
    context: bytes(65_536),
    base: element,
    public: element,
    base2: element,
    public2: element,
    commitment: element,
    commitment2: element,
  })
}

interface NonceInput {
  readonly secret: Bytes
  readonly randomness: Bytes
  readonly statement: Transcript
}

function challengeOf(group: Group, transcript: Transcript): Scalar {
  return hashValueToScalar(group, "dleq/challenge", transcriptCodec(group), transcript)
}

/**
 * Proves the statement (Chaum-Pedersen, CRYPTO 1992). The nonce hashes secret, statement and
 * randomness, so that repeated randomness reveals nothing unless the whole statement repeats too.
 *
 * @param randomness - 32 fresh uniform bytes.
 */
export function dleqProve(
  group: Group,
  input: DleqStatement & { readonly secret: Scalar; readonly randomness: Bytes },
): DleqProof {
  const { secret, randomness, ...statement } = input
  if (randomness.length !== 32) throw new RangeError("randomness is not 32 bytes")
  const open = { ...statement, group: group.name }
  const codec = struct<NonceInput>({
    secret: fixedBytes(32),
    randomness: fixedBytes(32),
    statement: transcriptCodec(group),
  })
  const unset = { commitment: group.identity, commitment2: group.identity }
  const nonceInput = { secret, randomness, statement: { ...open, ...unset } }
  const nonce = hashValueToScalar(group, "dleq/nonce", codec, nonceInput)
  const challenge = challengeOf(group, {
    ...open,
    commitment: group.equal(statement.base, group.generator)
      ? group.multiplyBase(nonce)
      : group.multiply(statement.base, nonce),
    commitment2: group.multiply(statement.base2, nonce),
  })
  // z = r + c * s
  const product = group.multiplyScalars(challenge, secret)
  const response = group.addScalars(nonce, product)
  nonce.fill(0)
  product.fill(0)
  return { challenge, response }
}

/** Whether the proof is valid for exactly this statement, label and context. */
export function dleqVerify(group: Group, statement: DleqStatement, proof: DleqProof): boolean {
  const { base, base2 } = statement
  if ([base, base2, statement.public, statement.public2].some((e) => group.isIdentity(e))) {
    return false
  }
  // R = z * B - c * P
  const scalars = [proof.response, group.negateScalar(proof.challenge)]
  const { label, context } = statement
  const challenge = challengeOf(group, {
    label,
    context,
    base,
    base2,
    public: statement.public,
    public2: statement.public2,
    group: group.name,
    commitment: group.linearCombination([base, statement.public], scalars),
    commitment2: group.linearCombination([base2, statement.public2], scalars),
  })
  return group.equalScalars(challenge, proof.challenge)
}
