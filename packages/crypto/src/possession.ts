import type { Bytes, Codec } from "@lockkeeper/encoding"
import type { Element, Group, Scalar } from "./groups/group.ts"
import {
  type OneSecretClaim,
  type OneSecretProof,
  oneSecretProofCodec,
  proveOneSecret,
  verifyOneSecret,
} from "./one-secret.ts"

/** What is proved: knowledge of s with public = s * generator, for one purpose and session. */
export interface PossessionStatement {
  readonly label: string
  /** Session and sender at least: a proof is copied freely within what the context allows. */
  readonly context: Bytes
  readonly public: Element
}

/** Schnorr's proof of knowledge made non-interactive by Fiat-Shamir. */
export type PossessionProof = OneSecretProof

export function possessionProofCodec(group: Group): Codec<PossessionProof> {
  return oneSecretProofCodec(group)
}

function claimOf(group: Group, { label, context, ...statement }: PossessionStatement) {
  const claim: OneSecretClaim = {
    domain: "possession",
    label,
    context,
    bases: [group.generator],
    publics: [statement.public],
    statement: statement.public,
  }
  return claim
}

/**
 * Proves possession of `secret` (Schnorr, J. Cryptology 1991).
 *
 * @param randomness - 32 fresh uniform bytes.
 */
export function provePossession(
  group: Group,
  input: PossessionStatement & { readonly secret: Scalar; readonly randomness: Bytes },
): PossessionProof {
  return proveOneSecret(group, claimOf(group, input), input.secret, input.randomness)
}

/** Whether the proof is valid for exactly this statement; never for the identity. */
export function verifyPossession(
  group: Group,
  statement: PossessionStatement,
  proof: PossessionProof,
): boolean {
  return verifyOneSecret(group, claimOf(group, statement), proof)
}
