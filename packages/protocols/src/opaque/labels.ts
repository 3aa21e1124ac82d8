import { type Bytes, utf8 } from "@lockkeeper/encoding"

/** Lengths of OPAQUE-3DH with ristretto255-SHA512, RFC 9807 Section 2.1, in bytes. */
export const NONCE_LENGTH = 32
export const SEED_LENGTH = 32
export const ELEMENT_LENGTH = 32
export const MAC_LENGTH = 64
export const HASH_LENGTH = 64
export const KE1_LENGTH = 96
export const KE3_LENGTH = 64

/** Labels of RFC 9807, Sections 4 and 6. */
export const MASKING_KEY = utf8("MaskingKey")
export const AUTH_KEY = utf8("AuthKey")
export const EXPORT_KEY = utf8("ExportKey")
export const PRIVATE_KEY = utf8("PrivateKey")
export const RESPONSE_PAD = utf8("CredentialResponsePad")
export const DIFFIE_HELLMAN_INFO = utf8("OPAQUE-DeriveDiffieHellmanKeyPair")
export const PREAMBLE = utf8("OPAQUEv1-")
export const SECRET_LABEL = "OPAQUE-"

/** Labels that are ours; each enters a hash behind its length and "lockkeeper/". */
export const CONTEXT = "lockkeeper/opaque/v1"
export const ACCOUNT_ID = "opaque/account"
export const EVALUATION = "opaque/evaluation"
export const EVALUATION_PROOF = "opaque/evaluation-proof"
export const REGISTRATION = "opaque/registration"
export const CONFIRMATION = "opaque/confirmation"
export const RECORD_DIGEST = "opaque/record"

/** Bounds of what may arrive. */
export const PASSWORD_MAX_BYTES = 4096
export const ACCOUNT_NAME_MAX_BYTES = 256

/** I2OSP(value, 2). */
export function u16Bytes(value: number): Bytes {
  return Uint8Array.of(value >> 8, value & 0xff)
}
