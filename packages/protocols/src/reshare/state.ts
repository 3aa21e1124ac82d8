import {
  type Identifier,
  identifierCodec,
  Secret,
  XWING_RANDOMNESS_LENGTH,
  XWING_SEED_LENGTH,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  mapped,
  nullable,
  numberMap,
  struct,
} from "@lockkeeper/encoding"
import { secretCodec } from "../keys.ts"
import { LIMITS } from "../messages/limits.ts"
import { signatureCodec } from "../messages/signature.ts"
import { type Statement, statementCodec, statementsCodec } from "../messages/statement.ts"
import { type Sharing, sharingCodec } from "../sharing/sharing.ts"
import { type ReshareKey, reshareKeysCodec } from "./keys.ts"
import { type ReshareParams, reshareParamsCodec } from "./params.ts"

// Each state is the only input its next step accepts. All hold secrets: a server seals the encoding,
// takes it in the transaction that stores the answer, and never runs a step twice.

/** A dealer's part between the first two steps: all its polynomials come from one seed. */
export interface Dealing {
  readonly seed: Secret
  readonly blinding: Bytes
  /** The encoded commitments, as step 2 publishes them. */
  readonly broadcast: Bytes
}

/** After step 1. A dealer deals next; a holder that does not deal waits for the dealings. */
export interface ReshareOpened {
  readonly params: ReshareParams
  readonly keys: readonly ReshareKey[]
  readonly identifier: Identifier
  /** Of holders: what shares are sealed to. */
  readonly sealingSeed: Secret | null
  /** Of dealers. */
  readonly dealing: Dealing | null
  readonly opening: Statement
}

/** After step 2, of a dealer: the polynomials are gone but for its own shares, if it is a holder. */
export interface ReshareDealt {
  readonly params: ReshareParams
  readonly keys: readonly ReshareKey[]
  readonly identifier: Identifier
  readonly sealingSeed: Secret | null
  /** 32 bytes for each key. */
  readonly ownShares: Secret | null
  /** Encapsulation randomness by recipient: the answer to its complaint. */
  readonly randomness: ReadonlyMap<Identifier, Secret>
  readonly opens: ReadonlyMap<Identifier, Statement>
  readonly deal: Statement
}

/** A new sharing with its Feldman commitments, constant term first, as raw elements. */
export interface Reshared {
  readonly sharing: Sharing
  readonly vector: readonly Bytes[]
}

/**
 * New shares that a holder has checked and confirmed, not yet in force. They are kept until a quorum
 * has confirmed these or later ones, whatever became of the run: others may have erased the old
 * shares on the strength of this confirmation.
 */
export interface ResharePending {
  readonly reshared: readonly Reshared[]
  /** 32 bytes for each key. */
  readonly shares: Secret
  readonly root: Bytes
  readonly confirmation: Bytes
}

/** After step 3, and of a dealer that is no holder after step 2. */
export interface ReshareJudged {
  readonly params: ReshareParams
  readonly identifier: Identifier
  /** Of dealers. */
  readonly randomness: ReadonlyMap<Identifier, Secret>
  readonly opens: ReadonlyMap<Identifier, Statement>
  /** Null when this holder complained: then this run gives it no shares. */
  readonly pending: ResharePending | null
}

/** Of a length that depends on the batch. */
const secretBytes: Codec<Secret> = mapped(
  bytes(LIMITS.sealed),
  (secret: Secret) => secret.expose(),
  (raw) => new Secret(raw),
)

const randomnessCodec = numberMap(
  identifierCodec,
  secretCodec(XWING_RANDOMNESS_LENGTH),
  LIMITS.participants,
)

const sealingSeedCodec = nullable(secretCodec(XWING_SEED_LENGTH))

export const reshareOpenedCodec: Codec<ReshareOpened> = struct<ReshareOpened>({
  params: reshareParamsCodec,
  keys: reshareKeysCodec,
  identifier: identifierCodec,
  sealingSeed: sealingSeedCodec,
  dealing: nullable(
    struct<Dealing>({
      seed: secretCodec(32),
      blinding: fixedBytes(32),
      broadcast: bytes(LIMITS.broadcast),
    }),
  ),
  opening: statementCodec,
})

export const reshareDealtCodec: Codec<ReshareDealt> = struct<ReshareDealt>({
  params: reshareParamsCodec,
  keys: reshareKeysCodec,
  identifier: identifierCodec,
  sealingSeed: sealingSeedCodec,
  ownShares: nullable(secretBytes),
  randomness: randomnessCodec,
  opens: statementsCodec,
  deal: statementCodec,
})

const resharedCodec: Codec<Reshared> = struct<Reshared>({
  sharing: sharingCodec,
  vector: list(bytes(33), LIMITS.participants),
})

const pendingCodec: Codec<ResharePending> = struct<ResharePending>({
  reshared: list(resharedCodec, 0xff),
  shares: secretBytes,
  root: fixedBytes(32),
  confirmation: signatureCodec,
})

export const reshareJudgedCodec: Codec<ReshareJudged> = struct<ReshareJudged>({
  params: reshareParamsCodec,
  identifier: identifierCodec,
  randomness: randomnessCodec,
  opens: statementsCodec,
  pending: nullable(pendingCodec),
})
