/**
 * One server's part of the distributed OPRF, and what the client makes of t of them. The proof and
 * the commitments travel beside KE2, in a frame the server signs, so that a wrong evaluation names
 * its author to anyone.
 */
import {
  type DleqProof,
  type DleqStatement,
  dleqProofCodec,
  dleqProve,
  dleqVerify,
  type Element,
  feldmanPublicShare,
  type Identifier,
  identifierCodec,
  interpolateElements,
  ristretto255,
  type Scalar,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  fixedBytes,
  list,
  struct,
  u32,
} from "@lockkeeper/encoding"
import { LIMITS } from "../messages/limits.ts"
import { type Signer, signatureCodec, signLabelled, verifyLabelled } from "../messages/signature.ts"
import { type Ke2, ke2Codec } from "./key-exchange.ts"
import { ELEMENT_LENGTH, EVALUATION, EVALUATION_PROOF, KE1_LENGTH } from "./labels.ts"
import { type Stretching, stretchingCodec } from "./stretching.ts"

/** Raw elements: what was signed must be shown as it was signed, also when it does not decode. */
const rawElement = fixedBytes(ELEMENT_LENGTH)
const vectorCodec = list(rawElement, LIMITS.participants)
const PROOF_LENGTH = 64

/** What an evaluation is for: everything of the statement that the proof is bound to. */
export interface EvaluationScope {
  /** All 96 bytes of the KE1 that is answered. */
  readonly ke1: Bytes
  readonly accountId: Bytes
  readonly rosterEpoch: number
  readonly identifier: Identifier
  /** The opaqueVersion as shown to the outside; see `shownVersion`. */
  readonly shownVersion: number
  readonly stretching: Stretching
  /** Feldman commitments to the OPRF key's polynomial, constant term first. */
  readonly vector: readonly Bytes[]
}

/** What a server signs in a login. */
export interface EvaluationStatement extends EvaluationScope {
  readonly evaluation: Bytes
  readonly proof: Bytes
}

const scopeFields = {
  ke1: fixedBytes(KE1_LENGTH),
  accountId: fixedBytes(32),
  rosterEpoch: u32,
  identifier: identifierCodec,
  shownVersion: u32,
  stretching: stretchingCodec,
  vector: vectorCodec,
}
const scopeCodec: Codec<EvaluationScope> = struct<EvaluationScope>(scopeFields)

export const evaluationStatementCodec: Codec<EvaluationStatement> = struct<EvaluationStatement>({
  ...scopeFields,
  evaluation: rawElement,
  proof: fixedBytes(PROOF_LENGTH),
})

/** The outer frame: what a server says about its evaluation, outside KE2 and its preamble. */
interface EvaluationFrame {
  readonly identifier: Identifier
  readonly rosterEpoch: number
  readonly shownVersion: number
  readonly stretching: Stretching
  readonly vector: readonly Bytes[]
  readonly proof: Bytes
  readonly signature: Bytes
}

/** The answer of one server to a KE1. */
export interface LoginResponse {
  readonly ke2: Ke2
  readonly frame: EvaluationFrame
}

export const loginResponseCodec: Codec<LoginResponse> = struct<LoginResponse>({
  ke2: ke2Codec,
  frame: struct<EvaluationFrame>({
    identifier: identifierCodec,
    rosterEpoch: u32,
    shownVersion: u32,
    stretching: stretchingCodec,
    vector: vectorCodec,
    proof: fixedBytes(PROOF_LENGTH),
    signature: signatureCodec,
  }),
})

/** The statement that a response's signature covers, in answer to `ke1` about `accountId`. */
export function statementOf(
  response: LoginResponse,
  ke1: Bytes,
  accountId: Bytes,
): EvaluationStatement {
  const { signature: _, ...frame } = response.frame
  const evaluation = response.ke2.credentialResponse.evaluatedElement
  return { ...frame, ke1, accountId, evaluation }
}

const proofCodec: Codec<DleqProof> = dleqProofCodec(ristretto255)

function dleqStatement(
  scope: EvaluationScope,
  elements: Pick<DleqStatement, "public" | "base2" | "public2">,
): DleqStatement {
  const context = encode(scopeCodec, scope)
  return { label: EVALUATION_PROOF, context, base: ristretto255.generator, ...elements }
}

/**
 * Evaluates with one share: Z_i = k_i * B, with a proof that Z_i and K_i = k_i * G share k_i.
 *
 * @param randomness - 32 fresh uniform bytes for the proof.
 */
export function evaluateShare(
  share: Scalar,
  blinded: Element,
  scope: EvaluationScope,
  randomness: Bytes,
): EvaluationStatement {
  const evaluation = ristretto255.multiply(blinded, share)
  const statement = dleqStatement(scope, {
    public: ristretto255.multiplyBase(share),
    base2: blinded,
    public2: evaluation,
  })
  const proof = dleqProve(ristretto255, { ...statement, secret: share, randomness })
  return { ...scope, evaluation, proof: encode(proofCodec, proof) }
}

export function signEvaluation(signer: Signer, statement: EvaluationStatement): Bytes {
  return signLabelled(signer, EVALUATION, evaluationStatementCodec, statement)
}

export function evaluationSigned(
  verifyKey: Uint8Array,
  statement: EvaluationStatement,
  signature: Bytes,
): boolean {
  return verifyLabelled(verifyKey, EVALUATION, evaluationStatementCodec, statement, signature)
}

/**
 * What is wrong with a statement by its own words, or null: elements that do not decode, or a proof
 * that fails against the public share that its own vector gives its author. Anyone can judge this,
 * and no honest server signs a statement that fails it.
 */
export function evaluationFault(statement: EvaluationStatement): string | null {
  const { ke1, identifier, vector, evaluation, proof } = statement
  let elements: Element[]
  try {
    elements = vector.map((raw) => ristretto255.decodeElement(raw))
  } catch (error) {
    return because("vector", error)
  }
  try {
    const checked = dleqStatement(scopeOf(statement), {
      public: feldmanPublicShare(ristretto255, elements, identifier),
      base2: ristretto255.decodeElement(ke1.subarray(0, ELEMENT_LENGTH)),
      public2: ristretto255.decodeElement(evaluation),
    })
    return dleqVerify(ristretto255, checked, decode(proofCodec, proof)) ? null : "proof: fails"
  } catch (error) {
    return because("evaluation", error)
  }
}

function scopeOf(statement: EvaluationStatement): EvaluationScope {
  const { evaluation: _, proof: __, ...scope } = statement
  return scope
}

function because(what: string, error: unknown): string {
  if (!(error instanceof DecodeError)) throw error
  return `${what}: ${error.message}`
}

/** k * B = sum of lambda_i * Z_i over exactly the evaluations given; they were checked before. */
export function combineEvaluations(evaluations: ReadonlyMap<Identifier, Bytes>): Element {
  const elements = new Map<Identifier, Element>()
  for (const [identifier, raw] of evaluations) {
    elements.set(identifier, ristretto255.decodeElement(raw))
  }
  return interpolateElements(ristretto255, elements)
}
