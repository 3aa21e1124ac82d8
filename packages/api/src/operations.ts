import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  constant,
  fixedBytes,
  list,
  nullable,
  oneOf,
  safeInteger,
  struct,
  text,
  u8,
  u16,
  u32,
  utf8,
} from "@lockkeeper/encoding"
import { childPath, MAX_MESSAGE, type SignContent, signContent } from "./content.ts"
import { type KeyCustody, keyCustody } from "./custody.ts"
import { MAX_MEMBERS } from "./roster.ts"

/** Most commitments one `sign.prepare` hands out. */
export const MAX_PREPARED = 16

/** Most signing attempts, each with another signer set, under one request. */
export const MAX_ATTEMPTS = 16

/** Longest account name, bytes of UTF-8. */
export const MAX_NAME = 256

export const KEY_TYPES = ["ed25519", "bip340", "ecdsa-secp256k1"] as const
export type KeyType = (typeof KEY_TYPES)[number]

/** NIST SP 800-57 Part 1 key states. */
export const KEY_STATES = [
  "pre-active",
  "active",
  "suspended",
  "deactivated",
  "compromised",
  "destroyed",
] as const
export type KeyState = (typeof KEY_STATES)[number]

export interface CreateKeyBody {
  /** 32 fresh random bytes. */
  readonly keyId: Bytes
  readonly keyType: KeyType
  readonly custody: KeyCustody
  /** Name for people, may be empty. */
  readonly label: string
  readonly minSigners: number
  /** The servers that will hold a share, ascending. */
  readonly holders: readonly Identifier[]
  readonly attempt: number
}

export const createKeyBody: Codec<CreateKeyBody> = struct<CreateKeyBody>({
  keyId: fixedBytes(32),
  keyType: oneOf(...KEY_TYPES),
  custody: keyCustody,
  label: text(64),
  minSigners: u16,
  holders: list(identifierCodec, MAX_MEMBERS),
  attempt: u16,
})

/**
 * Input of one step of `keys.create`: the other participants' messages of the step before, each as
 * `deliver` cuts it for this server; none for step 1. Steps 1 open, 2 reveal and 3 verdict answer
 * this server's encoded message; with custody `self` the owner's device is one of the others. Step 4, activate, takes all others' confirmations and answers the
 * encoded KeyCertificate; or, for an accused dealer, step 5, answer, takes the complaints against it
 * and answers a message, after which the run is over for it. A server that stops a run refuses with
 * `aborted`; who is at fault the coordinator judges from the messages it holds. A new attempt is a
 * new request with its own attempt number and, in general, fewer holders.
 */
export interface ProtocolStepInput {
  readonly messages: readonly Bytes[]
}

export const protocolStepInput: Codec<ProtocolStepInput> = struct<ProtocolStepInput>({
  messages: list(bytes(65_536), MAX_MEMBERS),
})

export interface KeyListing {
  readonly keyId: Bytes
  readonly label: string
  readonly custody: KeyCustody
  readonly state: KeyState
  readonly createdAt: number
  /** Canonical encoding of the KeyCertificate, signed by every holder. */
  readonly certificate: Bytes
}

export const keyListing: Codec<KeyListing> = struct<KeyListing>({
  keyId: fixedBytes(32),
  label: text(64),
  custody: keyCustody,
  state: oneOf(...KEY_STATES),
  createdAt: safeInteger,
  certificate: bytes(16_384),
})

export interface ListKeysBody {
  /** Only keys after this id, or null from the start. */
  readonly after: Bytes | null
  readonly limit: number
}

/** Most keys on one page of a listing. */
export const MAX_PAGE = 64

export const listKeysBody: Codec<ListKeysBody> = struct<ListKeysBody>({
  after: nullable(fixedBytes(32)),
  limit: u8,
})

export const keyListings: Codec<readonly KeyListing[]> = list(keyListing, MAX_PAGE)

export const showKeyBody: Codec<{ readonly keyId: Bytes }> = struct<{ readonly keyId: Bytes }>({
  keyId: fixedBytes(32),
})

export interface PrepareBody {
  readonly keyId: Bytes
  /**
   * Of the shares that are to sign. A server that holds another generation answers `conflict` with
   * field `keyEpoch` to whatever uses its share: the client then fetches the key's certificate again.
   */
  readonly keyEpoch: number
  /** 1 to 16. */
  readonly count: number
}

export const prepareBody: Codec<PrepareBody> = struct<PrepareBody>({
  keyId: fixedBytes(32),
  keyEpoch: u32,
  count: u8,
})

/** Signed commitment messages, one for each future signature. */
export const commitmentList: Codec<readonly Bytes[]> = list(bytes(1024), MAX_PREPARED)

/** Body of `sign`, for `ed25519` and `bip340` keys. */
export interface SignBody {
  readonly keyId: Bytes
  /** The child that signs; empty for the key itself. */
  readonly path: readonly number[]
  readonly content: SignContent
  /** For bip340: null signs for the key itself; empty, for the BIP341 output key without scripts;
   * 32 bytes, for the output key committing to that Merkle root. Null for ed25519. */
  readonly merkleRoot: Bytes | null
}

export const signBody: Codec<SignBody> = struct<SignBody>({
  keyId: fixedBytes(32),
  path: childPath,
  content: signContent,
  merkleRoot: nullable(bytes(32)),
})

/**
 * Input of `sign`: one request covers all its attempts, and is addressed to every holder. The step is
 * the signing package's attempt (from 1), so that each attempt has an answer of its own and a
 * repeated call gets the same one. A server that no longer has its nonces of the package answers `conflict`
 * with field `signingPackage.signers`: the client then prepares fresh ones.
 */
export interface SignStepInput {
  /** Canonical encoding of the SigningPackage. */
  readonly signingPackage: Bytes
  /** How many new commitments to send along, so that the next signature takes one round trip. */
  readonly prepare: number
}

export const signStepInput: Codec<SignStepInput> = struct<SignStepInput>({
  signingPackage: bytes(MAX_MESSAGE + 32_768),
  prepare: u8,
})

export interface SignStepOutput {
  /** The signed signature-share message. */
  readonly share: Bytes
  readonly commitments: readonly Bytes[]
}

export const signStepOutput: Codec<SignStepOutput> = struct<SignStepOutput>({
  share: bytes(2048),
  commitments: commitmentList,
})

/**
 * The dealing's digest is signed by the account; the dealing itself differs from server to server.
 * Step 1: the input is this server's dealing, the output its signature over the registration digest.
 * Step 2: the input is the canonical Confirmations, the output the registration digest, and the
 * account's other sessions end; where a server missed it, a later request repeats it there alone.
 * Step 3, when every server has activated the change: no input, no output; the record before, which
 * until then still answers whoever asks for its version, is destroyed.
 */
export interface ChangePasswordBody {
  readonly opaqueVersion: number
  readonly registrationDigest: Bytes
}

export const changePasswordBody: Codec<ChangePasswordBody> = struct<ChangePasswordBody>({
  opaqueVersion: u32,
  registrationDigest: fixedBytes(32),
})

/** How many failed guesses the owner says were their own. */
export const forgiveGuessesBody: Codec<{ readonly seen: number }> = struct<{
  readonly seen: number
}>({ seen: u8 })

export interface AccountListing {
  readonly accountId: Bytes
  readonly name: string
  readonly opaqueVersion: number
  readonly createdAt: number
}

export const accountListing: Codec<AccountListing> = struct<AccountListing>({
  accountId: fixedBytes(32),
  name: text(MAX_NAME),
  opaqueVersion: u32,
  createdAt: safeInteger,
})

/** A server's signed word that it saw this account log in: t of them resume a session elsewhere. */
export interface LoginStatement {
  readonly server: Identifier
  readonly rosterEpoch: number
  readonly accountId: Bytes
  readonly opaqueVersion: number
  readonly loginAt: number
  readonly expiresAt: number
}

export const loginStatement: Codec<LoginStatement & { readonly label: null }> = struct<
  LoginStatement & { readonly label: null }
>({
  label: constant(utf8("lockkeeper/login-statement/v1")),
  server: identifierCodec,
  rosterEpoch: u32,
  accountId: fixedBytes(32),
  opaqueVersion: u32,
  loginAt: safeInteger,
  expiresAt: safeInteger,
})

export interface SignedStatement {
  readonly statement: Bytes
  readonly signature: Bytes
}

export const signedStatement: Codec<SignedStatement> = struct<SignedStatement>({
  statement: bytes(256),
  signature: fixedBytes(64),
})

/** What the account key signs to resume a session: the keys of that one hello, and when. */
export interface Resumption {
  readonly transcript: Bytes
  readonly issuedAt: number
}

export const resumptionInput: Codec<Resumption & { readonly label: null }> = struct<
  Resumption & { readonly label: null }
>({
  label: constant(utf8("lockkeeper/resume/v1")),
  transcript: fixedBytes(32),
  issuedAt: safeInteger,
})
