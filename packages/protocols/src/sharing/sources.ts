import {
  type Element,
  groupByName,
  hashValue,
  type Identifier,
  identifierCodec,
  ristretto255,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  equalBytes,
  fixedBytes,
  numberMap,
  struct,
  u32,
} from "@lockkeeper/encoding"
import { groupOf, keyTypeCodec } from "../key-types.ts"
import type { AdditiveShare, KeyCertificate, PublicKeyPackage } from "../keys.ts"
import { LIMITS } from "../messages/limits.ts"
import type { Registration } from "../opaque/account.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import type { ReshareCertificate } from "../reshare/certificate.ts"
import { publicShares } from "./public-shares.ts"
import { compareGenerations, type Sharing } from "./sharing.ts"

// How each kind of key becomes a sharing, and how it comes back with its new generation of shares.

type KeyContext = Pick<PublicKeyPackage, "keyType" | "additive">

/** What of a key is not its sharing and stays: its type, and the additive shares beside it. */
function keyContext({ keyType, additive }: PublicKeyPackage): Bytes {
  const share = struct<AdditiveShare>({
    publicShare: groupByName(groupOf(keyType)).element,
    identityKey: fixedBytes(32),
  })
  const codec: Codec<KeyContext> = struct<KeyContext>({
    keyType: keyTypeCodec,
    additive: numberMap(identifierCodec, share, LIMITS.participants),
  })
  return hashValue("sharing/1/key", codec, { keyType, additive })
}

/** The servers' sharing of a key. Additive shares are not part of it: no refresh changes those. */
export function sharingOfKey(pkg: PublicKeyPackage): Sharing {
  const { keyId, group, keyEpoch, rosterEpoch, minSigners, verifyingKey, verifyingShares } = pkg
  return {
    ...{ id: keyId, context: keyContext(pkg), group, keyEpoch, rosterEpoch, minSigners },
    // The servers share what the additive participants do not hold.
    verifyingKey: sharedPart(pkg, verifyingKey),
    verifyingShares,
  }
}

/** verifyingKey - sum of the additive shares' images: what the t-of-n sharing is a sharing of. */
function sharedPart({ group, additive }: PublicKeyPackage, verifyingKey: Element): Element {
  const field = groupByName(group)
  return [...additive.values()].reduce(
    (rest, { publicShare }) => field.subtract(rest, publicShare),
    verifyingKey,
  )
}

/**
 * The key with the shares of a later sharing of it. The sharing is one whose certificate was checked,
 * or the outcome of a run: its elements are taken as they are.
 */
export function keyWithSharing(pkg: PublicKeyPackage, sharing: Sharing): Outcome<PublicKeyPackage> {
  const fits = continues(sharingOfKey(pkg), sharing)
  if (!fits.ok) return fits
  const { keyEpoch, rosterEpoch, minSigners } = sharing
  const verifyingShares = sharing.verifyingShares as ReadonlyMap<Identifier, Element>
  return done({ ...pkg, keyEpoch, rosterEpoch, minSigners, verifyingShares })
}

/**
 * What proves a key after a refresh or reshare, from what proved it before and what proves its sharing:
 * what additive participants signed at key generation stays.
 */
export function certificateOfKey(
  before: KeyCertificate,
  { sharing, index, size, path, confirmations: ofHolders }: ReshareCertificate,
): Outcome<KeyCertificate> {
  const { additive } = before.public
  const pkg = keyWithSharing(before.public, sharing)
  if (!pkg.ok) return pkg
  const kept = [...before.confirmations].filter(([identifier]) => additive.has(identifier))
  const sorted = [...ofHolders, ...kept].sort(([a], [b]) => a - b)
  return done({ public: pkg.value, confirmations: new Map(sorted), batch: { index, size, path } })
}

/** The generation that a registration deals. */
export const FIRST_KEY_EPOCH = 1

const versionCodec = struct<{ readonly opaqueVersion: number }>({ opaqueVersion: u32 })

/**
 * The sharing of an account's OPRF key. A password change deals another key under the next
 * opaqueVersion, so that no refresh of the old one applies to it.
 */
export function sharingOfAccount(registration: Registration, keyEpoch: number): Sharing {
  const { keys, rosterEpoch, minSigners, servers, vector } = registration
  const verifyingShares = publicShares(ristretto255, vector, [...servers.keys()])
  const { accountId: id, opaqueVersion } = keys
  const context = hashValue("sharing/1/account", versionCodec, { opaqueVersion })
  return {
    ...{ id, context, group: "ristretto255", keyEpoch, rosterEpoch, minSigners },
    ...{ verifyingKey: vector[0]!, verifyingShares },
  }
}

/** Whether `later` shares the same secret for the same purpose, in a later generation. */
export function continues(held: Sharing, later: Sharing): Outcome<null> {
  if (!equalBytes(held.id, later.id)) return abort("wrong-key", { field: "id" })
  if (!equalBytes(held.context, later.context)) return abort("wrong-key", { field: "context" })
  if (held.group !== later.group) return abort("wrong-key", { field: "group" })
  if (!equalBytes(held.verifyingKey, later.verifyingKey)) {
    return abort("wrong-key", { field: "verifyingKey" })
  }
  if (later.rosterEpoch < held.rosterEpoch) {
    return abort("wrong-roster-epoch", { field: "rosterEpoch" })
  }
  const isLater = compareGenerations(held, later) < 0
  return isLater ? done(null) : abort("wrong-key-epoch", { field: "keyEpoch" })
}
