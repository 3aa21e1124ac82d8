import {
  type Identifier,
  identifierCodec,
  type Secret,
  XWING_RANDOMNESS_LENGTH,
  XWING_SEED_LENGTH,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  numberMap,
  struct,
} from "@lockkeeper/encoding"
import { type PublicKeyPackage, publicKeyPackageCodec, secretCodec } from "../keys.ts"
import { LIMITS } from "../messages/limits.ts"
import { signatureCodec } from "../messages/signature.ts"
import { type Statement, statementCodec, statementsCodec } from "../messages/statement.ts"
import { type DkgParams, dkgParamsCodec } from "./params.ts"

// Each state is the only input its next step accepts. All hold secrets: a server seals the encoding,
// takes it in the transaction that stores the answer, and never runs a step twice.

/** After step 1: the polynomial, the key its shares come back sealed to, and what was published. */
export interface DkgOpened {
  readonly params: DkgParams
  readonly identifier: Identifier
  readonly coefficients: readonly Secret[]
  readonly blinding: Bytes
  readonly sealingSeed: Secret
  readonly opening: Statement
}

/** After step 2: the polynomial is gone but for the own share. */
export interface DkgRevealed {
  readonly params: DkgParams
  readonly identifier: Identifier
  readonly ownShare: Secret
  readonly sealingSeed: Secret
  /** Encapsulation randomness by recipient: the answer to its complaint. */
  readonly randomness: ReadonlyMap<Identifier, Secret>
  readonly opens: ReadonlyMap<Identifier, Statement>
  readonly reveal: Statement
}

/** The key that a confirming participant has computed and signed, not yet active. */
export interface DkgPending {
  readonly signingShare: Secret
  readonly public: PublicKeyPackage
  readonly confirmation: Bytes
}

/** After step 3: waits either for everyone's confirmation or for a complaint to answer. */
export interface DkgJudged {
  readonly params: DkgParams
  readonly identifier: Identifier
  readonly randomness: ReadonlyMap<Identifier, Secret>
  readonly opens: ReadonlyMap<Identifier, Statement>
  readonly reveals: ReadonlyMap<Identifier, Statement>
  /** Null when this participant complained: then this run gives it no key. */
  readonly pending: DkgPending | null
}

const randomnessCodec = numberMap(
  identifierCodec,
  secretCodec(XWING_RANDOMNESS_LENGTH),
  LIMITS.participants,
)

export const dkgOpenedCodec: Codec<DkgOpened> = struct<DkgOpened>({
  params: dkgParamsCodec,
  identifier: identifierCodec,
  coefficients: list(secretCodec(32), LIMITS.participants),
  blinding: fixedBytes(32),
  sealingSeed: secretCodec(XWING_SEED_LENGTH),
  opening: statementCodec,
})

export const dkgRevealedCodec: Codec<DkgRevealed> = struct<DkgRevealed>({
  params: dkgParamsCodec,
  identifier: identifierCodec,
  ownShare: secretCodec(32),
  sealingSeed: secretCodec(XWING_SEED_LENGTH),
  randomness: randomnessCodec,
  opens: statementsCodec,
  reveal: statementCodec,
})

const pendingCodec = struct<DkgPending>({
  signingShare: secretCodec(32),
  public: publicKeyPackageCodec,
  confirmation: signatureCodec,
})

export const dkgJudgedCodec: Codec<DkgJudged> = struct<DkgJudged>({
  params: dkgParamsCodec,
  identifier: identifierCodec,
  randomness: randomnessCodec,
  opens: statementsCodec,
  reveals: statementsCodec,
  pending: nullable(pendingCodec),
})
