import { type Bytes, encode, fixedBytes, list, struct } from "@lockkeeper/encoding"
import type { Element, Group, Scalar } from "./groups/group.ts"
import {
  type OneSecretClaim,
  type OneSecretProof,
  proveOneSecret,
  verifyOneSecret,
} from "./one-secret.ts"

/** Most pairs of one proof. */
export const DLEQ_PAIRS_MAX = 16

/** public = s * base, with the same s in every pair of a statement. */
export interface DleqPair {
  readonly base: Element
  readonly public: Element
}

/** Several pairs that claim one discrete logarithm. */
export interface DleqManyStatement {
  /** Protocol and purpose; separates proofs of different uses. */
  readonly label: string
  /** Session, sender and whatever else the proof must not be replayed outside of; to 64 KiB. */
  readonly context: Bytes
  /** 2 to 16; their order counts. */
  readonly pairs: readonly DleqPair[]
}

function claimOf(group: Group, { label, context, pairs }: DleqManyStatement): OneSecretClaim {
  if (pairs.length < 2 || pairs.length > DLEQ_PAIRS_MAX) {
    throw new RangeError(`a statement of ${pairs.length} pairs`)
  }
  const element = fixedBytes(group.elementLength)
  const pair = struct<{ base: Bytes; public: Bytes }>({ base: element, public: element })
  return {
    domain: "dleq-many",
    label,
    context,
    bases: pairs.map(({ base }) => base),
    publics: pairs.map((pair) => pair.public),
    statement: encode(list(pair, DLEQ_PAIRS_MAX), pairs),
  }
}

/**
 * Proves that one secret lies behind all pairs: `dleqProve` with more of them. The proof is two
 * scalars however many there are, and each pair costs the prover one multiplication and the verifier
 * two; a pair over the generator costs a cheaper one in place of one of them.
 *
 * @param randomness - 32 fresh uniform bytes.
 * @throws RangeError outside 2 to 16 pairs.
 */
export function dleqProveMany(
  group: Group,
  input: DleqManyStatement & { readonly secret: Scalar; readonly randomness: Bytes },
): OneSecretProof {
  return proveOneSecret(group, claimOf(group, input), input.secret, input.randomness)
}

/**
 * Whether the proof is valid for exactly these pairs in this order, label and context. The codec of
 * its proofs is `dleqProofCodec`.
 *
 * @throws RangeError outside 2 to 16 pairs.
 */
export function dleqVerifyMany(
  group: Group,
  statement: DleqManyStatement,
  proof: OneSecretProof,
): boolean {
  return verifyOneSecret(group, claimOf(group, statement), proof)
}
