import { type Element, hashValue, type Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, equalBytes, fixedBytes, list, struct } from "@lockkeeper/encoding"
import { verifyLabelled } from "../../messages/signature.ts"
import { abort, done, type Outcome } from "../../outcome.ts"
import { presignatureRecordCodec } from "../codec.ts"
import { LABELS } from "../labels.ts"
import { maxBatch } from "../limits.ts"
import type { PresignatureCertificate, PresignatureRecord, PresignParams } from "../types.ts"
import type { PublishPayload } from "./payloads.ts"

/** What all records of a batch have in common. */
export interface Batch {
  readonly params: PresignParams
  readonly sessionId: Bytes
  readonly verifyingKey: Element
  /** R of each. */
  readonly nonces: readonly Element[]
}

/** What everyone knows of each presignature of a batch: the same for all who saw the same payloads. */
export function recordsOf(
  { params, sessionId, verifyingKey, nonces }: Batch,
  published: ReadonlyMap<Identifier, readonly PublishPayload[]>,
): PresignatureRecord[] {
  const { keyId, keyEpoch, rosterEpoch } = params
  return nonces.map((nonce, index) => ({
    ...{ keyId, keyEpoch, rosterEpoch, sessionId, index, verifyingKey, nonce },
    signers: new Map(
      [...published].map(([signer, payloads]) => {
        const { phi, u, v } = payloads[index]!
        return [signer, { phi, u, v }]
      }),
    ),
  }))
}

/** Names a presignature. Says nothing of R to whoever does not know the record. */
export function recordDigest(record: PresignatureRecord): Bytes {
  return hashValue(LABELS.record, presignatureRecordCodec, record)
}

/** What step 4 signs. */
export interface Confirmed {
  readonly sessionId: Bytes
  /** Digest of each record, in order. */
  readonly batch: readonly Bytes[]
}

export const confirmedCodec: Codec<Confirmed> = struct<Confirmed>({
  sessionId: fixedBytes(32),
  batch: list(fixedBytes(32), maxBatch(2)),
})

export function isConfirmed(
  verifyKey: Uint8Array,
  confirmed: Confirmed,
  signature: Uint8Array,
): boolean {
  return verifyLabelled(verifyKey, LABELS.confirmation, confirmedCodec, confirmed, signature)
}

/**
 * Accepts a presignature that every one of its signers has confirmed. Names nobody: whoever passes a
 * certificate on can have altered it.
 *
 * @param verifyKeys - of the roster in which it was made, and of additive participants.
 */
export function verifyPresignatureCertificate(
  certificate: PresignatureCertificate,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<PresignatureRecord> {
  const { record, batch, confirmations } = certificate
  const { sessionId, index, signers } = record
  const listed = batch[index]
  if (!listed || !equalBytes(listed, recordDigest(record))) {
    return abort("wrong-presignature", { field: "batch" })
  }
  const silent = [...signers.keys()].filter((signer) => !confirmations.has(signer))
  if (silent.length > 0) return abort("missing-confirmation", { silent })
  if (confirmations.size !== signers.size) return abort("unexpected-confirmation")
  for (const [signer, signature] of confirmations) {
    const field = `confirmations.${signer}`
    const verifyKey = verifyKeys.get(signer)
    if (!verifyKey) return abort("unknown-sender", { field })
    if (!isConfirmed(verifyKey, { sessionId, batch }, signature)) {
      return abort("wrong-confirmation", { field })
    }
  }
  return done(record)
}
