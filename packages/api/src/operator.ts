import {
  hashValue,
  type Identifier,
  identifierCodec,
  type SigningKey,
  verifySignature,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  constant,
  decode,
  encode,
  fixedBytes,
  safeInteger,
  struct,
  u32,
  utf8,
} from "@lockkeeper/encoding"

/** Longest a server's word that a key is its operator's may hold, milliseconds. */
export const MAX_OPERATOR_LIFETIME_MS = 24 * 3_600_000

/**
 * A server's word that whoever has a key is its operator, until then. An operator has no long-term
 * key: the program makes one, and the running server certifies it for whoever owns its directory.
 */
export interface OperatorCredential {
  /** Whose operator it is. */
  readonly server: Identifier
  readonly rosterEpoch: number
  /** Ed25519, 32 bytes: signs sessions and requests. */
  readonly operatorKey: Bytes
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
}

const credentialFields = struct<OperatorCredential & { readonly label: null }>({
  label: constant(utf8("lockkeeper/operator-credential/v1")),
  server: identifierCodec,
  rosterEpoch: u32,
  operatorKey: fixedBytes(32),
  issuedAt: safeInteger,
  expiresAt: safeInteger,
})

/** A credential's bytes as signed, with the server's signature over them. */
export interface SignedCredential {
  readonly credential: Bytes
  readonly signature: Bytes
}

const MAX_CREDENTIAL = 128

export const signedCredentialCodec: Codec<SignedCredential> = struct<SignedCredential>({
  credential: bytes(MAX_CREDENTIAL),
  signature: fixedBytes(64),
})

export function signCredential(
  credential: OperatorCredential,
  identity: SigningKey,
): SignedCredential {
  const encoded = encode(credentialFields, { ...credential, label: null })
  return { credential: encoded, signature: identity.sign(encoded) }
}

/** What it says, signed or not. @throws DecodeError naming the field at fault. */
export function decodeCredential({ credential }: SignedCredential): OperatorCredential {
  const { label: _, ...said } = decode(credentialFields, credential)
  return said
}

/** Whether the server with this identity key signed exactly these bytes. */
export function verifyCredential(signed: SignedCredential, identityKey: Bytes): boolean {
  return verifySignature(identityKey, signed.credential, signed.signature)
}

/** Names an operator in requests and logs, where an owner's account stands: 32 bytes. */
export function operatorIdOf(operatorKey: Bytes): Bytes {
  return hashValue("operator", fixedBytes(32), operatorKey)
}

/** What an operator's key signs to open a session: the keys of that one hello, and when. */
export interface OperatorOpening {
  readonly transcript: Bytes
  readonly issuedAt: number
}

export const operatorOpeningInput: Codec<OperatorOpening & { readonly label: null }> = struct<
  OperatorOpening & { readonly label: null }
>({
  label: constant(utf8("lockkeeper/operate/v1")),
  transcript: fixedBytes(32),
  issuedAt: safeInteger,
})
