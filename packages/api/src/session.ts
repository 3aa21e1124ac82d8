import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  safeInteger,
  struct,
  text,
  u8,
  u16,
  u32,
  union,
} from "@lockkeeper/encoding"
import type { opaque } from "@lockkeeper/protocols"
import { type ErrorBody, errorBody } from "./errors.ts"
import { MAX_NAME, type SignedStatement, signedStatement } from "./operations.ts"
import { type SignedCredential, signedCredentialCodec } from "./operator.ts"
import { MAX_STEP } from "./presigning.ts"
import { type SignedRequest, signedRequestCodec } from "./request.ts"
import { MAX_MEMBERS } from "./roster.ts"

/** First payload of a session, inside the hello. */
export type OpenPayload =
  | {
      readonly kind: "register"
      readonly issuedAt: number
      readonly name: string
    }
  | {
      readonly kind: "login"
      readonly issuedAt: number
      readonly name: string
      /** 0 asks for the active version; another one for that of a change that is not final. */
      readonly shownVersion: number
      readonly ke1: Bytes
    }
  | {
      readonly kind: "resume"
      readonly issuedAt: number
      readonly accountId: Bytes
      readonly statements: readonly SignedStatement[]
      /** Account key's signature over the resumption input. */
      readonly signature: Bytes
    }
  | {
      readonly kind: "operate"
      readonly issuedAt: number
      readonly credential: SignedCredential
      /** The credential's key's signature over the operator's opening input. */
      readonly signature: Bytes
    }
  | {
      readonly kind: "visit"
      readonly issuedAt: number
      /** In whose charter the person is. */
      readonly accountId: Bytes
      /** One of the person's keys there. */
      readonly credential: Bytes
      /** Its signature over the visit's input. */
      readonly signature: Bytes
    }

export const openPayload: Codec<OpenPayload> = union<OpenPayload>({
  register: struct({ issuedAt: safeInteger, name: text(MAX_NAME) }),
  login: struct({
    issuedAt: safeInteger,
    name: text(MAX_NAME),
    shownVersion: u32,
    ke1: bytes(256),
  }),
  resume: struct({
    issuedAt: safeInteger,
    accountId: fixedBytes(32),
    statements: list(signedStatement, MAX_MEMBERS),
    signature: fixedBytes(64),
  }),
  operate: struct({
    issuedAt: safeInteger,
    credential: signedCredentialCodec,
    signature: fixedBytes(64),
  }),
  visit: struct({
    issuedAt: safeInteger,
    accountId: fixedBytes(32),
    credential: fixedBytes(32),
    signature: fixedBytes(64),
  }),
})

export type OpenAnswer =
  | { readonly kind: "refused"; readonly error: ErrorBody }
  | { readonly kind: "register" }
  | {
      readonly kind: "login"
      /** Canonical encoding of a LoginResponse: KE2 and the signed evaluation frame. */
      readonly response: Bytes
      /** Guesses left at this server after this one. */
      readonly guessesRemaining: number
    }
  | { readonly kind: "resume"; readonly expiresAt: number }
  | { readonly kind: "operate"; readonly expiresAt: number }
  | { readonly kind: "visit"; readonly person: string; readonly expiresAt: number }

const refused = struct<{ readonly error: ErrorBody }>({ error: errorBody })

export const openAnswer: Codec<OpenAnswer> = union<OpenAnswer>({
  refused,
  register: struct({}),
  login: struct({ response: bytes(8192), guessesRemaining: u8 }),
  resume: struct({ expiresAt: safeInteger }),
  operate: struct({ expiresAt: safeInteger }),
  visit: struct({ person: text(64), expiresAt: safeInteger }),
})

/**
 * One frame towards the server. The answer carries the frame's counter. With a `login-finish` that
 * is not refused both sides advance the channel to phase 1 by mixing in the OPAQUE session key; the
 * answer that says so is sealed in phase 1 already, while a refusal comes in phase 0. The counter
 * goes on. A resumed session, an operator's and a person's stay in phase 0: their key's signature over the hello
 * authenticates them, and there is no password in it.
 */
export type CallPayload =
  /** An AccountDealing. It travels here, not in the hello, so that it is forward secret. */
  | { readonly kind: "register-deal"; readonly dealing: Bytes }
  /** Canonical Confirmations: every server's signature over the registration. */
  | { readonly kind: "register-activate"; readonly confirmations: Bytes }
  | { readonly kind: "login-finish"; readonly ke3: Bytes }
  | {
      readonly kind: "act"
      readonly request: SignedRequest
      /** 1-based step of a protocol; 1 for operations of one step. */
      readonly step: number
      readonly input: Bytes
    }
  | { readonly kind: "close" }

export const callPayload: Codec<CallPayload> = union<CallPayload>({
  "register-deal": struct({ dealing: bytes(16_384) }),
  "register-activate": struct({ confirmations: bytes(8192) }),
  "login-finish": struct({ ke3: bytes(256) }),
  act: struct({ request: signedRequestCodec, step: u16, input: bytes(MAX_STEP) }),
  close: struct({}),
})

/** Where the answer's log entry stands: committed before the answer left. */
export interface LogPosition {
  readonly index: number
  /** Head of the server's log after that entry, 32 bytes. */
  readonly head: Bytes
}

const logPosition: Codec<LogPosition> = struct<LogPosition>({
  index: safeInteger,
  head: fixedBytes(32),
})

export type CallAnswer =
  | { readonly kind: "refused"; readonly error: ErrorBody }
  /** This server's signature over the registration digest. */
  | { readonly kind: "register-deal"; readonly signature: Bytes }
  | { readonly kind: "register-activate"; readonly log: LogPosition }
  | {
      readonly kind: "login-finish"
      readonly accountId: Bytes
      readonly opaqueVersion: number
      readonly statement: SignedStatement
      /** Canonical encoding of the AccountKeys that the client registered. */
      readonly accountKeys: Bytes
      /** Canonical Confirmations of this version: activates servers that missed them. */
      readonly confirmations: Bytes
      readonly expiresAt: number
      readonly log: LogPosition
    }
  | { readonly kind: "act"; readonly output: Bytes; readonly log: LogPosition }
  | { readonly kind: "close" }

export const callAnswer: Codec<CallAnswer> = union<CallAnswer>({
  refused,
  "register-deal": struct({ signature: fixedBytes(64) }),
  "register-activate": struct({ log: logPosition }),
  "login-finish": struct({
    accountId: fixedBytes(32),
    opaqueVersion: u32,
    statement: signedStatement,
    accountKeys: bytes(8192),
    confirmations: bytes(8192),
    expiresAt: safeInteger,
    log: logPosition,
  }),
  act: struct({ output: bytes(MAX_STEP), log: logPosition }),
  close: struct({}),
})

/**
 * Argon2id for new accounts and passwords, and what servers show for names without an account, which
 * must look new: 64 MiB, three passes, one lane. RFC 9106's second recommended option with its four
 * lanes made one, since browsers run lanes one after the other. Stored with each registration, so
 * that it can change here without breaking what exists.
 */
export const DEFAULT_STRETCHING: opaque.Stretching = { memoryKib: 65_536, passes: 3, lanes: 1 }
