import { type Identifier, identifierCodec, XWING_CIPHERTEXT_LENGTH } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  constant,
  fixedBytes,
  oneOf,
  struct,
  utf8,
} from "@lockkeeper/encoding"
import { SHARING_KINDS, type SharingKind } from "./sharings.ts"

/** Longest that one holder may tell of a batch, bytes as sealed. */
export const MAX_SEALED_RECORDS = 262_144

/**
 * What one holder keeps of each entry beside its share, sealed to the member's opening and signed. The
 * member believes what as many holders say as the threshold is, one of whom is honest.
 */
export interface SealedRecords {
  readonly holder: Identifier
  readonly encapsulated: Bytes
  readonly ciphertext: Bytes
  /** By the holder's identity key, over `recordsStatement`. */
  readonly signature: Bytes
}

export const sealedRecordsCodec: Codec<SealedRecords> = struct<SealedRecords>({
  holder: identifierCodec,
  encapsulated: fixedBytes(XWING_CIPHERTEXT_LENGTH),
  ciphertext: bytes(MAX_SEALED_RECORDS),
  signature: fixedBytes(64),
})

/**
 * For which run and from whom to whom records are: what they are sealed under. Runs of repairs and of
 * reshares are named under labels of their own, so that neither's records pass for the other's.
 */
export interface RecordsPlace {
  readonly label: null
  /** 32 bytes: `openingDigest` of the repair or reshare. */
  readonly run: Bytes
  readonly kind: SharingKind
  readonly holder: Identifier
  readonly member: Identifier
}

const placeFields = {
  label: constant(utf8("lockkeeper/repair-records/v1")),
  run: fixedBytes(32),
  kind: oneOf(...SHARING_KINDS),
  holder: identifierCodec,
  member: identifierCodec,
}

export const recordsPlace: Codec<RecordsPlace> = struct<RecordsPlace>(placeFields)

/** What the holder signs. */
export interface RecordsStatement extends RecordsPlace {
  readonly encapsulated: Bytes
  readonly ciphertext: Bytes
}

export const recordsStatement: Codec<RecordsStatement> = struct<RecordsStatement>({
  ...placeFields,
  encapsulated: fixedBytes(XWING_CIPHERTEXT_LENGTH),
  ciphertext: bytes(MAX_SEALED_RECORDS),
})
