import { type Element, identifierCodec, secp256k1 } from "@lockkeeper/crypto"
import {
  bytes,
  type Codec,
  fixedBytes,
  list,
  numberMap,
  struct,
  u8,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { childPathCodec } from "../child-path.ts"
import { secretCodec } from "../keys.ts"
import { signedHeaderCodec } from "../messages/header.ts"
import { LIMITS } from "../messages/limits.ts"
import { type Message, messageCodec } from "../messages/message.ts"
import { signatureCodec } from "../messages/signature.ts"
import { maxBatch, PART_MAX } from "./limits.ts"
import type {
  EcdsaOrder,
  PartialSignature,
  Presignature,
  PresignatureCertificate,
  PresignatureRecord,
  PresignParams,
  SetupParams,
  SignerRecord,
} from "./types.ts"

/** Elements of the one group that ECDSA keys live in. */
export const point: Codec<Element> = secp256k1.element

/** A message whose parts carry the multiplication: larger than in any other protocol. */
export const dklsMessageCodec: Codec<Message> = struct<Message>({
  header: signedHeaderCodec,
  broadcast: bytes(LIMITS.broadcast),
  sealed: numberMap(u16, bytes(PART_MAX), LIMITS.participants),
})

export const setupParamsCodec: Codec<SetupParams> = struct<SetupParams>({
  setupId: fixedBytes(32),
  rosterEpoch: u32,
  participants: list(identifierCodec, LIMITS.participants),
})

export const presignParamsCodec: Codec<PresignParams> = struct<PresignParams>({
  batchId: fixedBytes(32),
  keyId: fixedBytes(32),
  keyEpoch: u32,
  rosterEpoch: u32,
  signers: list(identifierCodec, LIMITS.participants),
  count: u8,
})

const signerRecordCodec: Codec<SignerRecord> = struct<SignerRecord>({
  phi: point,
  u: point,
  v: point,
})

export const presignatureRecordCodec: Codec<PresignatureRecord> = struct<PresignatureRecord>({
  keyId: fixedBytes(32),
  keyEpoch: u32,
  rosterEpoch: u32,
  sessionId: fixedBytes(32),
  index: u8,
  verifyingKey: point,
  nonce: point,
  signers: numberMap(identifierCodec, signerRecordCodec, LIMITS.participants),
})

export const presignatureCertificateCodec: Codec<PresignatureCertificate> =
  struct<PresignatureCertificate>({
    record: presignatureRecordCodec,
    batch: list(fixedBytes(32), maxBatch(2)),
    confirmations: numberMap(identifierCodec, signatureCodec, LIMITS.participants),
  })

const presignatureFields: Codec<Presignature> = struct<Presignature>({
  id: fixedBytes(32),
  identifier: identifierCodec,
  certificate: presignatureCertificateCodec,
  phi: secretCodec(32),
  u: secretCodec(32),
  v: secretCodec(32),
})

/** Refuses shares that are not reduced scalars. The encoding is a secret: seal it. */
export const presignatureCodec: Codec<Presignature> = {
  write: (writer, value) => presignatureFields.write(writer, value),
  read(reader) {
    const value = presignatureFields.read(reader)
    for (const share of [value.phi, value.u, value.v]) secp256k1.decodeScalar(share.expose())
    return value
  },
}

export const ecdsaOrderCodec: Codec<EcdsaOrder> = struct<EcdsaOrder>({
  presignatureId: fixedBytes(32),
  keyId: fixedBytes(32),
  keyEpoch: u32,
  rosterEpoch: u32,
  requestDigest: fixedBytes(32),
  attempt: u32,
  digest: fixedBytes(32),
  path: childPathCodec,
  signers: list(identifierCodec, LIMITS.participants),
  nonces: list(messageCodec, LIMITS.participants),
})

export const partialSignatureCodec: Codec<PartialSignature> = struct<PartialSignature>({
  nonce: point,
  u: secp256k1.scalar,
  w: secp256k1.scalar,
})
