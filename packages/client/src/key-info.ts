import {
  asksFor,
  type Custody,
  identityKeys,
  KEY_TYPES,
  type KeyListing,
  type KeyState,
  type KeyType,
  LockKeeperError,
  OWNER_DEVICE,
  placeOfShares,
  type Roster,
  thresholdsOf,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, equalBytes } from "@lockkeeper/encoding"
import {
  frost,
  type KeyCertificate,
  keyCertificateCodec,
  type PublicKeyPackage,
  verifyKeyCertificate,
} from "@lockkeeper/protocols"
import { rosterOf, type Trust } from "./trust.ts"

/** What each custody means for the owner, to be shown wherever a key is. */
export const CUSTODY_MEANING: Readonly<Record<Custody, string>> = {
  custodial:
    "The key servers hold all shares: any minSigners of them could sign together without the " +
    "owner. They do so only on the owner's signed request.",
  self:
    "Your device holds a share of its own: the key servers cannot sign without it, however many of " +
    "them there are, and it cannot sign without minSigners of them.",
}

/** A key whose certificate was verified: every holder signed that these parts belong together. */
export interface KeyInfo {
  /** 32 bytes. */
  readonly keyId: Bytes
  readonly keyType: KeyType
  readonly label: string
  readonly custody: Custody
  readonly custodyMeaning: string
  readonly state: KeyState
  /** Milliseconds since the Unix epoch, by a server's clock. */
  readonly createdAt: number
  /** When the servers stop signing with it, by the roster in force; null when they do not. */
  readonly expiresAt: number | null
  /**
   * 32 bytes: an Ed25519 public key, or a BIP340 x-only key before any Taproot tweak. 33 bytes: a
   * compressed ECDSA public key.
   */
  readonly publicKey: Bytes
  /** How many of the holders a signature takes. */
  readonly minSigners: number
  /** Those that the roster in force lists. */
  readonly holders: readonly Identifier[]
  readonly certificate: KeyCertificate
}

/** A listing without its certificate. */
export type KeyFacts = Omit<KeyListing, "certificate">

/** By whom listings are read. */
interface ListingReader {
  readonly trust: Trust
  /** The account's own public key, which its device signs with. */
  readonly owner: Bytes
}

/**
 * A listed key, if everyone who holds a share of it has signed the same public outcome, and the roster in
 * force lets such shares be used. Otherwise the reason: the listing is worth nothing then.
 */
export function openListing(
  { trust, owner }: ListingReader,
  facts: KeyFacts,
  certificate: KeyCertificate | Bytes,
): { readonly key: KeyInfo } | { readonly reason: string } {
  const decoded = certificate instanceof Uint8Array ? decodeCertificate(certificate) : certificate
  if (decoded === null) return { reason: "malformed-certificate" }
  const { roster } = trust
  const then = rosterOf(trust, decoded.public.rosterEpoch)
  if (then === null) return { reason: "wrong-roster-epoch" }
  const verified = verifyKeyCertificate(decoded, identityKeys(then))
  if (!verified.ok) return { reason: verified.abort.reason }
  const { keyId, keyType, minSigners, verifyingShares } = verified.value
  const shape = { holders: [...verifyingShares.keys()], minSigners }
  // Fewer than the threshold could certify a key that they hold alone, and those that join or leave any.
  const isKnown = minSigners === then.minSigners && thresholdsOf(roster).includes(minSigners)
  if (!isKnown) return { reason: "wrong-threshold" }
  if (!asksFor(then, shape)) return { reason: "wrong-participants" }
  if (placeOfShares(roster, shape) === "stranded") return { reason: "wrong-participants" }
  if (!equalBytes(keyId, facts.keyId)) return { reason: "wrong-key" }
  if (!fitsCustody(verified.value, facts, owner)) return { reason: "wrong-custody" }
  const publicKey = frost.publicKeyOf(verified.value)
  if (publicKey === null || !isKeyType(keyType)) return { reason: "wrong-key-type" }
  const { label, state, createdAt } = facts
  const custody = facts.custody.kind
  const key: KeyInfo = {
    ...{ keyId, keyType, label, custody, custodyMeaning: CUSTODY_MEANING[custody] },
    ...{ state, createdAt, expiresAt: expiryOf(roster, createdAt), publicKey, minSigners },
    holders: shape.holders.filter((one) => membersOf(roster).includes(one)),
    certificate: decoded,
  }
  return { key }
}

/** Whether exactly those hold shares who are to, by the custody that a server names. */
function fitsCustody({ additive }: PublicKeyPackage, { custody }: KeyFacts, owner: Bytes): boolean {
  if (custody.kind === "custodial") return additive.size === 0
  const device = additive.get(OWNER_DEVICE)
  return additive.size === 1 && device !== undefined && equalBytes(device.identityKey, owner)
}

function membersOf({ members }: Roster): readonly Identifier[] {
  return members.map(({ identifier }) => identifier)
}

function expiryOf({ cryptoperiodDays }: Roster, createdAt: number): number | null {
  return cryptoperiodDays === 0 ? null : createdAt + cryptoperiodDays * 86_400_000
}

/** Protocols know key types of their own, for OPAQUE. */
function isKeyType(keyType: string): keyType is KeyType {
  return (KEY_TYPES as readonly string[]).includes(keyType)
}

function decodeCertificate(encoded: Bytes): KeyCertificate | null {
  try {
    return decode(keyCertificateCodec, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/** Bytes where bytes are due: a hexadecimal string has another length and another meaning. */
export function bytesOf(value: unknown, field: string, length?: number): Bytes {
  if (value instanceof Uint8Array && (length === undefined || value.length === length)) {
    return new Uint8Array(value)
  }
  const what = length === undefined ? "a Uint8Array" : `a Uint8Array of ${length} bytes`
  throw new LockKeeperError("invalid-request", `\`${field}\` is not ${what}.`, {
    field,
    remedy:
      'Decode text to bytes first: TextEncoder for text, `Buffer.from(text, "hex")` for digits.',
  })
}
