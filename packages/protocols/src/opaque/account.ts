/** What a registration creates, and the codecs of everything of it that is sent or stored. */
import {
  type Element,
  hashValue,
  type Identifier,
  identifierCodec,
  ristretto255,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  concat,
  fixedBytes,
  list,
  mapped,
  nullable,
  numberMap,
  struct,
  text,
  u8,
  u16,
  u32,
  utf8,
} from "@lockkeeper/encoding"
import { LIMITS } from "../messages/limits.ts"
import { signatureCodec } from "../messages/signature.ts"
import { type Identities, type RegistrationRecord, registrationRecordCodec } from "./envelope.ts"
import { type AccountKeys, accountKeysCodec } from "./keys.ts"
import {
  ACCOUNT_ID,
  ACCOUNT_NAME_MAX_BYTES,
  CONTEXT,
  RECORD_DIGEST,
  REGISTRATION,
} from "./labels.ts"
import { type Stretching, stretchingCodec } from "./stretching.ts"

const VERSION = 1

/** The public part of a registration, the same at every server; its digest is what all sign. */
export interface Registration {
  readonly keys: AccountKeys
  readonly rosterEpoch: number
  readonly minSigners: number
  /** Every server with the public key its record's envelope is bound to. */
  readonly servers: ReadonlyMap<Identifier, Element>
  /** Feldman commitments to the OPRF key's polynomial, constant term first. */
  readonly vector: readonly Element[]
  readonly stretching: Stretching
  readonly recordDigests: ReadonlyMap<Identifier, Bytes>
}

/** What one server gets of a registration. Its encoding is secret: seal it to the server. */
export interface AccountDealing {
  readonly registration: Registration
  readonly identifier: Identifier
  /** 32 bytes, a non-zero scalar: k_i. */
  readonly share: Secret
  readonly record: RegistrationRecord
}

/** Every server's signature over the digest of one registration. */
export type Confirmations = ReadonlyMap<Identifier, Bytes>

/** What a server stores: pending while `confirmations` is null, then active. */
export interface AccountRecord extends AccountDealing {
  readonly confirmations: Confirmations | null
}

const version: Codec<number> = mapped(
  u8,
  (value: number) => value,
  (raw, fail) => (raw === VERSION ? raw : fail("unknown version")),
)

function versioned<T>(codec: Codec<T>): Codec<T> {
  return {
    write(writer, value) {
      version.write(writer, VERSION)
      codec.write(writer, value)
    },
    read(reader) {
      version.read(reader)
      return codec.read(reader)
    },
  }
}

export const registrationCodec: Codec<Registration> = versioned(
  struct<Registration>({
    keys: accountKeysCodec,
    rosterEpoch: u32,
    minSigners: u16,
    servers: numberMap(identifierCodec, ristretto255.element, LIMITS.participants),
    vector: list(ristretto255.element, LIMITS.participants),
    stretching: stretchingCodec,
    recordDigests: numberMap(identifierCodec, fixedBytes(32), LIMITS.participants),
  }),
)

const dealingFields = {
  registration: registrationCodec,
  identifier: identifierCodec,
  share: mapped(
    ristretto255.nonZeroScalar,
    (share: Secret) => share.expose() as Scalar,
    (raw) => new Secret(raw),
  ),
  record: registrationRecordCodec,
}

export const accountDealingCodec: Codec<AccountDealing> = struct<AccountDealing>(dealingFields)

export const confirmationsCodec: Codec<Confirmations> = numberMap(
  identifierCodec,
  signatureCodec,
  LIMITS.participants,
)

export const accountRecordCodec: Codec<AccountRecord> = struct<AccountRecord>({
  ...dealingFields,
  confirmations: nullable(confirmationsCodec),
})

/** 32 bytes that stand for a registration; confirmations sign the registration under a label. */
export function registrationDigest(registration: Registration): Bytes {
  return hashValue(REGISTRATION, registrationCodec, registration)
}

export function recordDigest(record: RegistrationRecord): Bytes {
  return hashValue(RECORD_DIGEST, registrationRecordCodec, record)
}

/**
 * The 32-byte identifier of an account name, RFC 9807's credential identifier. Normalising the name
 * (PRECIS UsernameCaseMapped) is the caller's: two spellings are two accounts here.
 *
 * @param name - at most 256 bytes of UTF-8.
 */
export function accountIdOf(name: string): Bytes {
  return hashValue(ACCOUNT_ID, text(ACCOUNT_NAME_MAX_BYTES), name)
}

/** What both ends of a key exchange bind it to: RFC 9807's context and identities. */
export interface Binding {
  readonly context: Bytes
  readonly identities: Identities
}

/**
 * The binding of Lock Keeper's logins. The client's identity is the account; a server's is its
 * public key.
 *
 * @param rosterDigest - 32 bytes that both ends must agree on; the pinned roster's digest.
 */
export function accountBinding(rosterDigest: Bytes, accountId: Bytes): Binding {
  const context = concat(utf8(CONTEXT), rosterDigest)
  return { context, identities: { client: accountId, server: null } }
}
