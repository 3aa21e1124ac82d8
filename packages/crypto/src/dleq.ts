import { type Bytes, type Codec, concat } from "@lockkeeper/encoding"
import type { Element, Group, Scalar } from "./groups/group.ts"
import {
  type OneSecretClaim,
  type OneSecretProof,
  oneSecretProofCodec,
  proveOneSecret,
  verifyOneSecret,
} from "./one-secret.ts"

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
export type DleqProof = OneSecretProof

export function dleqProofCodec(group: Group): Codec<DleqProof> {
  return oneSecretProofCodec(group)
}

function claimOf({ label, context, ...statement }: DleqStatement): OneSecretClaim {
  const { base, base2 } = statement
  return {
    domain: "dleq",
    label,
    context,
    bases: [base, base2],
    publics: [statement.public, statement.public2],
    statement: concat(base, statement.public, base2, statement.public2),
  }
}

/**
 * Proves the statement (Chaum-Pedersen, CRYPTO 1992).
 *
 * @param randomness - 32 fresh uniform bytes.
 */
export function dleqProve(
  group: Group,
  input: DleqStatement & { readonly secret: Scalar; readonly randomness: Bytes },
): DleqProof {
  return proveOneSecret(group, claimOf(input), input.secret, input.randomness)
}

/** Whether the proof is valid for exactly this statement, label and context. */
export function dleqVerify(group: Group, statement: DleqStatement, proof: DleqProof): boolean {
  return verifyOneSecret(group, claimOf(statement), proof)
}
