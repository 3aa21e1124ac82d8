import {
  MAX_SEALED_RECORDS,
  type RecordsPlace,
  recordsPlace,
  recordsStatement,
  type SealedRecords,
} from "@lockkeeper/api"
import {
  hpkeOpen,
  hpkeSeal,
  type Secret,
  verifySignature,
  XWING_RANDOMNESS_LENGTH,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  list,
} from "@lockkeeper/encoding"
import type { Randomness } from "../ports/dependencies.ts"
import { MAX_RECORD } from "./rows.ts"

/** What a holder tells of a batch: an encoding for each entry, which its kind of shares reads. */
export const recordsCodec: Codec<readonly Bytes[]> = list(bytes(MAX_RECORD), 0xff)

/** Bytes that sealing adds. */
const TAG = 16

const NO_AAD = new Uint8Array(0)

/** Null where the batch is more than one answer holds. */
export function sealRecords(
  place: RecordsPlace,
  records: readonly Bytes[],
  sealingKey: Bytes,
  signer: { sign(message: Uint8Array): Bytes },
  randomness: Randomness,
): SealedRecords | null {
  const plaintext = encode(recordsCodec, records)
  if (plaintext.length + TAG > MAX_SEALED_RECORDS) return null
  const fresh = randomness.bytes(XWING_RANDOMNESS_LENGTH)
  const info = encode(recordsPlace, place)
  const sealed = hpkeSeal(sealingKey, info, NO_AAD, plaintext, fresh)
  fresh.fill(0)
  plaintext.fill(0)
  const signature = signer.sign(encode(recordsStatement, { ...place, ...sealed }))
  return { holder: place.holder, ...sealed, signature }
}

/** What the holder told, or null where it did not tell that, or not for this. */
export function openRecords(
  place: RecordsPlace,
  { encapsulated, ciphertext, signature }: SealedRecords,
  sealingSeed: Secret,
  identityKey: Bytes,
): readonly Bytes[] | null {
  const statement = encode(recordsStatement, { ...place, encapsulated, ciphertext })
  if (!verifySignature(identityKey, statement, signature)) return null
  const info = encode(recordsPlace, place)
  const plaintext = hpkeOpen(sealingSeed, encapsulated, info, NO_AAD, ciphertext)
  if (plaintext === null) return null
  try {
    return decode(recordsCodec, plaintext)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  } finally {
    plaintext.fill(0)
  }
}
