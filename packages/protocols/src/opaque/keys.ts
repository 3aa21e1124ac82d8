/**
 * From a login to the account's keys: export key -> master key -> storage key -> everything else.
 * A password change gives a new export key and re-wraps the storage key; nothing below it changes.
 */
import { chacha20Poly1305, hkdfSha512Expand, Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  encode,
  equalBytes,
  fixedBytes,
  struct,
  text,
  u32,
} from "@lockkeeper/encoding"
import { abort, done, type Outcome } from "../outcome.ts"

const KEY_LENGTH = 32
const WRAP_NONCE_LENGTH = chacha20Poly1305.nonceLength
const WRAPPED_MAX_BYTES = 4096

/** A key sealed under another. Useless without it; may be stored anywhere. */
export interface Wrap {
  readonly nonce: Bytes
  readonly sealed: Bytes
}

export const wrapCodec: Codec<Wrap> = struct<Wrap>({
  nonce: fixedBytes(WRAP_NONCE_LENGTH),
  sealed: bytes(WRAPPED_MAX_BYTES + chacha20Poly1305.tagLength),
})

/** What every server keeps and gives back to a logged-in owner: the account's keys, wrapped. */
export interface AccountKeys {
  /** 32 bytes. */
  readonly accountId: Bytes
  /** 1 at registration, more at each password change. */
  readonly opaqueVersion: number
  /** The Ed25519 key that the account's requests are signed with: the principal. */
  readonly signingPublicKey: Bytes
  /** Under the master key of this opaqueVersion. */
  readonly storageKey: Wrap
  /** Under the storage key, so the principal outlives password changes. */
  readonly signingSeed: Wrap
}

export const accountKeysCodec: Codec<AccountKeys> = struct<AccountKeys>({
  accountId: fixedBytes(32),
  opaqueVersion: u32,
  signingPublicKey: fixedBytes(32),
  storageKey: wrapCodec,
  signingSeed: wrapCodec,
})

interface Purpose {
  readonly label: string
  readonly accountId: Bytes
  readonly opaqueVersion: number
}

const purposeCodec: Codec<Purpose> = struct<Purpose>({
  label: text(128),
  accountId: fixedBytes(32),
  opaqueVersion: u32,
})

/** Both the HKDF info and the associated data: a wrap opens for one label, account and version. */
function purpose(label: string, accountId: Bytes, opaqueVersion = 0): Bytes {
  return encode(purposeCodec, { label: `lockkeeper/${label}`, accountId, opaqueVersion })
}

function derive(key: Secret, info: Bytes): Secret {
  return new Secret(hkdfSha512Expand(key.expose(), info, KEY_LENGTH))
}

/** The only thing that an export key is used for: 32 bytes that unwrap the storage key. */
export function masterKeyOf(exportKey: Secret, accountId: Bytes): Secret {
  return derive(exportKey, purpose("master-key", accountId))
}

/** 32 bytes for one use of the storage key; the storage key itself encrypts nothing. */
export function storageSubkey(storageKey: Secret, accountId: Bytes, label: string): Secret {
  return derive(storageKey, purpose(`storage/${label}`, accountId))
}

function seal(key: Secret, aad: Bytes, plaintext: Secret, nonce: Bytes): Wrap {
  if (plaintext.length > WRAPPED_MAX_BYTES) throw new RangeError("more than a wrap holds")
  const sealed = chacha20Poly1305.seal(key.expose(), nonce, aad, plaintext.expose())
  return { nonce, sealed }
}

function open(key: Secret, aad: Bytes, wrap: Wrap, field: string): Outcome<Secret> {
  const opened = chacha20Poly1305.open(key.expose(), wrap.nonce, aad, wrap.sealed)
  return opened === null ? abort("wrong-wrap", { field }) : done(new Secret(opened))
}

/**
 * Seals a secret of the account under the storage key, for one label.
 *
 * @param nonce - 12 fresh random bytes; at most 2^32 wraps for one label.
 */
export function wrapUnderStorageKey(
  storageKey: Secret,
  accountId: Bytes,
  label: string,
  plaintext: Secret,
  nonce: Bytes,
): Wrap {
  using key = storageSubkey(storageKey, accountId, label)
  return seal(key, purpose(label, accountId), plaintext, nonce)
}

/** Opens what `wrapUnderStorageKey` sealed for this account and label. */
export function unwrapUnderStorageKey(
  storageKey: Secret,
  accountId: Bytes,
  label: string,
  wrap: Wrap,
): Outcome<Secret> {
  using key = storageSubkey(storageKey, accountId, label)
  return open(key, purpose(label, accountId), wrap, label)
}

const SIGNING_SEED = "request-signing-seed"
const STORAGE_KEY = "storage-key"

/** What an owner holds in memory after a login, never on disk in the clear. */
export interface OpenAccountKeys {
  readonly storageKey: Secret
  readonly signingSeed: Secret
}

/** Random bytes that `wrapAccountKeys` takes. */
export const WRAP_RANDOMNESS_LENGTH = 2 * WRAP_NONCE_LENGTH

/**
 * Wraps an account's keys for one opaqueVersion: both at registration, and again at a password
 * change with the same keys.
 *
 * @param randomness - 24 fresh bytes.
 */
export function wrapAccountKeys(
  exportKey: Secret,
  accountId: Bytes,
  opaqueVersion: number,
  keys: OpenAccountKeys,
  randomness: Bytes,
): AccountKeys {
  if (randomness.length !== WRAP_RANDOMNESS_LENGTH) throw new RangeError("randomness: 24 bytes")
  if (keys.storageKey.length !== KEY_LENGTH) throw new RangeError("storage key: 32 bytes")
  const nonce = randomness.slice(0, WRAP_NONCE_LENGTH)
  const nonce2 = randomness.slice(WRAP_NONCE_LENGTH)
  using master = masterKeyOf(exportKey, accountId)
  const aad = purpose(STORAGE_KEY, accountId, opaqueVersion)
  return {
    accountId,
    opaqueVersion,
    signingPublicKey: signingKeyFromSeed(keys.signingSeed).publicKey,
    storageKey: seal(master, aad, keys.storageKey, nonce),
    signingSeed: wrapUnderStorageKey(
      keys.storageKey,
      accountId,
      SIGNING_SEED,
      keys.signingSeed,
      nonce2,
    ),
  }
}

/**
 * The account's keys from what a server kept. Refuses wraps of another account, version or key, and
 * a seed that is not the registered principal's. Names nobody: try another server's copy.
 */
export function openAccountKeys(
  exportKey: Secret,
  accountId: Bytes,
  wrapped: AccountKeys,
): Outcome<OpenAccountKeys> {
  using master = masterKeyOf(exportKey, accountId)
  const aad = purpose(STORAGE_KEY, accountId, wrapped.opaqueVersion)
  const storageKey = open(master, aad, wrapped.storageKey, "storageKey")
  if (!storageKey.ok) return storageKey
  const key = storageKey.value
  const seed = unwrapUnderStorageKey(key, accountId, SIGNING_SEED, wrapped.signingSeed)
  if (!seed.ok) {
    key.wipe()
    return seed
  }
  const { publicKey } = signingKeyFromSeed(seed.value)
  if (!equalBytes(publicKey, wrapped.signingPublicKey)) {
    key.wipe()
    seed.value.wipe()
    return abort("wrong-signing-key", { field: "signingPublicKey" })
  }
  return done({ storageKey: key, signingSeed: seed.value })
}
