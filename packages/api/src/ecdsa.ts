import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  struct,
  u8,
  u32,
} from "@lockkeeper/encoding"
import { childPath, type SignContent, signContent } from "./content.ts"
import { MAX_MEMBERS } from "./roster.ts"

/** Most nonces one answer hands out. */
export const MAX_NONCES = 16

/** Longest a nonce may be used after it was handed out, milliseconds. */
export const NONCE_LIFETIME_MS = 60_000

/**
 * Body of `keys.derive`: registers a child of a key, which can sign from then on. Addressed to every
 * holder. Answers nothing; registering a path twice changes nothing.
 */
export interface DeriveBody {
  readonly keyId: Bytes
  readonly path: readonly number[]
}

export const deriveBody: Codec<DeriveBody> = struct<DeriveBody>({
  keyId: fixedBytes(32),
  path: childPath,
})

/** Most children of one key that can be registered. */
export const MAX_CHILDREN = 4096

/** Body of `ecdsa.prepare`, addressed to any of the key's holders. */
export interface PrepareEcdsaBody {
  readonly keyId: Bytes
  readonly keyEpoch: number
  /** The signer set that is to sign, ascending. */
  readonly signers: readonly Identifier[]
  /** How many nonces, 1 to `MAX_NONCES`. */
  readonly count: number
}

export const prepareEcdsaBody: Codec<PrepareEcdsaBody> = struct<PrepareEcdsaBody>({
  keyId: fixedBytes(32),
  keyEpoch: u32,
  signers: list(identifierCodec, MAX_MEMBERS),
  count: u8,
})

/** What a signature takes from one signer ahead of it. */
export interface PreparedEcdsa {
  /** Signed nonce messages, each for one signature within a minute. */
  readonly nonces: readonly Bytes[]
  /**
   * Presignatures of the set that nobody else is offered for a minute. Only the set's first signer
   * offers any, so that two clients do not reach for the same one.
   */
  readonly presignatures: readonly Bytes[]
}

export const preparedEcdsa: Codec<PreparedEcdsa> = struct<PreparedEcdsa>({
  nonces: list(bytes(1024), MAX_NONCES),
  presignatures: list(fixedBytes(32), MAX_NONCES),
})

/** Body of `ecdsa.sign`: one request covers all its attempts and is addressed to every holder. */
export interface SignEcdsaBody {
  readonly keyId: Bytes
  readonly path: readonly number[]
  readonly content: SignContent
}

export const signEcdsaBody: Codec<SignEcdsaBody> = struct<SignEcdsaBody>({
  keyId: fixedBytes(32),
  path: childPath,
  content: signContent,
})

/**
 * Input of `ecdsa.sign`; the step is the attempt, from 1, so that each has an answer of its own. A
 * server that does not have the presignature, or its nonce, answers `conflict` with field
 * `input.presignature` or `input.nonces`, and has taken nothing.
 */
export interface SignEcdsaInput {
  readonly keyEpoch: number
  /** 32 bytes: which presignature. */
  readonly presignature: Bytes
  /** One signed nonce message of each signer, ascending; the same list for all. */
  readonly nonces: readonly Bytes[]
  /** How many nonces to send along for the next signatures. */
  readonly prepare: number
}

export const signEcdsaInput: Codec<SignEcdsaInput> = struct<SignEcdsaInput>({
  keyEpoch: u32,
  presignature: fixedBytes(32),
  nonces: list(bytes(1024), MAX_MEMBERS),
  prepare: u8,
})

export interface SignEcdsaOutput {
  /** The signed message with this server's online share. */
  readonly share: Bytes
  /** The presignature's certificate: what every signer's share is judged by. */
  readonly certificate: Bytes
  /** For the next signatures with the same signer set. */
  readonly prepared: PreparedEcdsa
}

export const signEcdsaOutput: Codec<SignEcdsaOutput> = struct<SignEcdsaOutput>({
  share: bytes(2048),
  certificate: bytes(32_768),
  prepared: preparedEcdsa,
})
