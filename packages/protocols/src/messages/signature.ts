import { type SigningKey, verifySignature } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  encode,
  fixedBytes,
  struct,
  text,
} from "@lockkeeper/encoding"

/** An Ed25519 identity signature. */
export const signatureCodec: Codec<Bytes> = fixedBytes(64)

/** What may sign: the identity key, or a port to one that is held elsewhere. */
export type Signer = Pick<SigningKey, "sign">

const signedInput = struct<{ readonly label: string; readonly body: Bytes }>({
  label: text(64),
  body: bytes(1 << 20),
})

/**
 * Signs `body` under a label, so that a signature made for one purpose is none for another: labels
 * are length-prefixed, hence no label and body read as another label and body.
 */
export function signBytes(signer: Signer, label: string, body: Bytes): Bytes {
  return signer.sign(encode(signedInput, { label: `lockkeeper/${label}`, body }))
}

export function verifyBytes(
  verifyKey: Uint8Array,
  label: string,
  body: Bytes,
  signature: Uint8Array,
): boolean {
  const input = encode(signedInput, { label: `lockkeeper/${label}`, body })
  return verifySignature(verifyKey, input, signature)
}

/** Signs the canonical bytes of a value under a label. */
export function signLabelled<T>(signer: Signer, label: string, codec: Codec<T>, value: T): Bytes {
  return signBytes(signer, label, encode(codec, value))
}

export function verifyLabelled<T>(
  verifyKey: Uint8Array,
  label: string,
  codec: Codec<T>,
  value: T,
  signature: Uint8Array,
): boolean {
  return verifyBytes(verifyKey, label, encode(codec, value), signature)
}
