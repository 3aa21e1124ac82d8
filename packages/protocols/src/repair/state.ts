import {
  type Identifier,
  identifierCodec,
  Secret,
  XWING_RANDOMNESS_LENGTH,
  XWING_SEED_LENGTH,
} from "@lockkeeper/crypto"
import { bytes, type Codec, mapped, numberMap, struct } from "@lockkeeper/encoding"
import { secretCodec } from "../keys.ts"
import { LIMITS } from "../messages/limits.ts"
import { type Statement, statementCodec, statementsCodec } from "../messages/statement.ts"
import type { Sharing } from "../sharing/sharing.ts"
import { type RepairParams, repairParamsCodec, sharingsCodec } from "./params.ts"

// Each state is the only input its next step accepts. All hold secrets: a server seals the encoding,
// takes it in the transaction that stores the answer, and never runs a step twice.

/** After step 1; the member goes from here to its verdict. */
export interface RepairOpened {
  readonly params: RepairParams
  readonly sharings: readonly Sharing[]
  readonly identifier: Identifier
  readonly sealingSeed: Secret
  readonly opening: Statement
}

/** After step 2, of a helper. */
export interface RepairSplit {
  readonly params: RepairParams
  readonly sharings: readonly Sharing[]
  readonly identifier: Identifier
  readonly sealingSeed: Secret
  /** The summands it keeps, 32 bytes for each key. */
  readonly ownSummands: Secret
  /** Encapsulation randomness by recipient: the answer to its complaint. */
  readonly randomness: ReadonlyMap<Identifier, Secret>
  readonly opens: ReadonlyMap<Identifier, Statement>
  readonly split: Statement
}

/** After step 3, of a helper: nothing is left to do but to answer a complaint. */
export interface RepairSummed {
  readonly params: RepairParams
  readonly identifier: Identifier
  readonly randomness: ReadonlyMap<Identifier, Secret>
  readonly opens: ReadonlyMap<Identifier, Statement>
}

const randomnessCodec = numberMap(
  identifierCodec,
  secretCodec(XWING_RANDOMNESS_LENGTH),
  LIMITS.participants,
)

export const repairOpenedCodec: Codec<RepairOpened> = struct<RepairOpened>({
  params: repairParamsCodec,
  sharings: sharingsCodec,
  identifier: identifierCodec,
  sealingSeed: secretCodec(XWING_SEED_LENGTH),
  opening: statementCodec,
})

export const repairSplitCodec: Codec<RepairSplit> = struct<RepairSplit>({
  params: repairParamsCodec,
  sharings: sharingsCodec,
  identifier: identifierCodec,
  sealingSeed: secretCodec(XWING_SEED_LENGTH),
  ownSummands: mapped(
    bytes(LIMITS.sealed),
    (secret: Secret) => secret.expose(),
    (raw) => new Secret(raw),
  ),
  randomness: randomnessCodec,
  opens: statementsCodec,
  split: statementCodec,
})

export const repairSummedCodec: Codec<RepairSummed> = struct<RepairSummed>({
  params: repairParamsCodec,
  identifier: identifierCodec,
  randomness: randomnessCodec,
  opens: statementsCodec,
})
