import {
  type Element,
  type GroupName,
  groupByName,
  type Identifier,
  identifierCodec,
  Secret,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  fixedBytes,
  mapped,
  numberMap,
  type Reader,
  struct,
  u8,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { groupOf, type KeyType, keyTypeCodec } from "./key-types.ts"
import { LIMITS } from "./messages/limits.ts"
import { signatureCodec, signLabelled, verifyLabelled } from "./messages/signature.ts"
import { abort, done, type Outcome } from "./outcome.ts"
import { checkConfirmed } from "./reshare/certificate.ts"
import { sharingDigest } from "./sharing/sharing.ts"
import { sharingOfKey } from "./sharing/sources.ts"
import { rootFrom, type TreePlace, treePlaceCodec } from "./sharing/tree.ts"

/** What everyone may know of a key: the outcome of a key generation, refresh or reshare. */
export interface PublicKeyPackage {
  /** 32 bytes, chosen by whoever asked for the key. */
  readonly keyId: Bytes
  readonly keyType: KeyType
  /** Always `groupOf(keyType)`. */
  readonly group: GroupName
  /** Generation of the shares: 1 after key generation. */
  readonly keyEpoch: number
  /** The roster whose identity keys confirmed this. */
  readonly rosterEpoch: number
  readonly minSigners: number
  readonly verifyingKey: Element
  /** The public share of every holder of the t-of-n sharing. */
  readonly verifyingShares: ReadonlyMap<Identifier, Element>
  /**
   * Participants whose share is needed in every signature and counts with weight one (an owner's or
   * a delegate's). Never also in `verifyingShares`.
   */
  readonly additive: ReadonlyMap<Identifier, AdditiveShare>
}

/** What everyone may know of an additive participant, which no roster lists. */
export interface AdditiveShare {
  /** The image of its share, which no refresh changes. */
  readonly publicShare: Element
  /** Ed25519: what its messages are signed with. */
  readonly identityKey: Bytes
}

/** One holder's share. A share that exists was checked against the public package. */
export interface KeyPackage {
  readonly identifier: Identifier
  /** 32 bytes, a `Scalar` of the group. */
  readonly signingShare: Secret
  readonly public: PublicKeyPackage
}

/**
 * A public package that every holder and additive participant has signed; or, after a refresh or
 * reshare, the sharing of which a quorum of the holders has signed, together with a batch of others.
 */
export interface KeyCertificate {
  readonly public: PublicKeyPackage
  /** Identity signatures over `public`, or over the root of the batch. */
  readonly confirmations: ReadonlyMap<Identifier, Bytes>
  /** The place of the key's sharing in its batch; absent after key generation. */
  readonly batch?: TreePlace
}

/** Everyone who holds a share, in ascending order. */
export function holdersOf(pkg: PublicKeyPackage): readonly Identifier[] {
  return [...pkg.verifyingShares.keys(), ...pkg.additive.keys()].sort((a, b) => a - b)
}

function elementsOf(group: GroupName): Codec<ReadonlyMap<Identifier, Element>> {
  return numberMap(identifierCodec, groupByName(group).element, LIMITS.participants)
}

function additiveOf(group: GroupName): Codec<ReadonlyMap<Identifier, AdditiveShare>> {
  const share = struct<AdditiveShare>({
    publicShare: groupByName(group).element,
    identityKey: fixedBytes(32),
  })
  return numberMap(identifierCodec, share, LIMITS.participants)
}

const VERSION = 1

function fieldsFor(group: GroupName) {
  return struct<Omit<PublicKeyPackage, "keyType" | "group">>({
    keyId: fixedBytes(32),
    keyEpoch: u32,
    rosterEpoch: u32,
    minSigners: u16,
    verifyingKey: groupByName(group).element,
    verifyingShares: elementsOf(group),
    additive: additiveOf(group),
  })
}

function readPackage(reader: Reader, version: number, start: number): PublicKeyPackage {
  if (version !== VERSION) reader.fail("unknown version of a public key package", start)
  const keyType = keyTypeCodec.read(reader)
  const group = groupOf(keyType)
  const value = fieldsFor(group).read(reader)
  const { minSigners, verifyingShares, additive } = value
  if (minSigners < 1 || minSigners > verifyingShares.size) {
    reader.fail("minSigners outside 1 to the number of holders", start)
  }
  if (verifyingShares.size + additive.size > LIMITS.participants) {
    reader.fail("more holders than one run has participants", start)
  }
  for (const identifier of additive.keys()) {
    if (verifyingShares.has(identifier)) reader.fail("additive participant is a holder", start)
  }
  return { ...value, keyType, group }
}

/** Refuses thresholds the holders cannot meet, too many holders, and holders that are also additive. */
export const publicKeyPackageCodec: Codec<PublicKeyPackage> = {
  write(writer, value) {
    u8.write(writer, VERSION)
    keyTypeCodec.write(writer, value.keyType)
    fieldsFor(groupOf(value.keyType)).write(writer, value)
  },
  read(reader) {
    const start = reader.offset
    return readPackage(reader, u8.read(reader), start)
  },
}

/** Secret bytes of a fixed length. The encoding itself is a secret: seal it before it is stored. */
export function secretCodec(length: number): Codec<Secret> {
  return mapped(
    fixedBytes(length),
    (secret: Secret) => secret.expose(),
    (raw) => new Secret(raw),
  )
}

const keyPackageFields = struct<KeyPackage>({
  public: publicKeyPackageCodec,
  identifier: identifierCodec,
  signingShare: secretCodec(32),
})

/** Refuses a share that is not a reduced scalar or whose holder the public package does not list. */
export const keyPackageCodec: Codec<KeyPackage> = {
  write: (writer, value) => keyPackageFields.write(writer, value),
  read(reader) {
    const start = reader.offset
    const value = keyPackageFields.read(reader)
    const { verifyingShares, additive, group } = value.public
    if (!verifyingShares.has(value.identifier) && !additive.has(value.identifier)) {
      reader.fail("not a holder of this key", start)
    }
    groupByName(group).decodeScalar(value.signingShare.expose())
    return value
  },
}

const confirmationsCodec = numberMap(identifierCodec, signatureCodec, LIMITS.participants)

/** Before the place in a batch, where a certificate of key generation has its package's version. */
const IN_BATCH = 2

export const keyCertificateCodec: Codec<KeyCertificate> = {
  write(writer, { public: pkg, confirmations, batch }) {
    if (batch) {
      u8.write(writer, IN_BATCH)
      treePlaceCodec.write(writer, batch)
    }
    publicKeyPackageCodec.write(writer, pkg)
    confirmationsCodec.write(writer, confirmations)
  },
  read(reader) {
    const start = reader.offset
    const first = u8.read(reader)
    const batch = first === IN_BATCH && reader.within("batch", () => treePlaceCodec.read(reader))
    const pkg = reader.within("public", () =>
      batch ? publicKeyPackageCodec.read(reader) : readPackage(reader, first, start),
    )
    const confirmations = reader.within("confirmations", () => confirmationsCodec.read(reader))
    return batch ? { public: pkg, confirmations, batch } : { public: pkg, confirmations }
  },
}

/**
 * Identity keys of everyone who holds a share: the roster's, and those of additive participants as the
 * package names them. A number that the roster has stays the roster's, or a package could speak for
 * a server.
 */
export function verifyKeysFor(
  { additive }: PublicKeyPackage,
  servers: ReadonlyMap<Identifier, Uint8Array>,
): ReadonlyMap<Identifier, Uint8Array> {
  if (additive.size === 0) return servers
  const keys = [...additive].map(([id, { identityKey }]) => [id, identityKey] as const)
  return new Map<Identifier, Uint8Array>([...keys, ...servers])
}

/** Those of the servers, without what additive participants have signed. */
export function confirmationsOfHolders({
  public: { additive },
  confirmations,
}: KeyCertificate): ReadonlyMap<Identifier, Bytes> {
  return new Map([...confirmations].filter(([identifier]) => !additive.has(identifier)))
}

/** A holder's signature that it holds its share of exactly this public package. */
export function confirmKey(
  signingKey: { sign(message: Uint8Array): Bytes },
  pkg: PublicKeyPackage,
): Bytes {
  return signLabelled(signingKey, "key-confirmation", publicKeyPackageCodec, pkg)
}

type AddedTo = Pick<PublicKeyPackage, "keyId" | "keyType" | "verifyingKey" | "additive">

function addedToCodec(group: GroupName): Codec<AddedTo> {
  return struct<AddedTo>({
    keyId: fixedBytes(32),
    keyType: keyTypeCodec,
    verifyingKey: groupByName(group).element,
    additive: additiveOf(group),
  })
}

/**
 * An additive participant's signature that its share is part of this key. It covers what no refresh
 * or reshare changes, and goes along with every later certificate: servers that made up a sharing
 * among themselves could otherwise show a key of their own as one that the participant has a share of.
 */
export function confirmAddition(
  signingKey: { sign(message: Uint8Array): Bytes },
  pkg: PublicKeyPackage,
): Bytes {
  return signLabelled(signingKey, "key-addition", addedToCodec(pkg.group), pkg)
}

/** What a holder or additive participant confirms a key with. */
export function verifyConfirmation(
  identifier: Identifier,
  verifyKey: Uint8Array,
  pkg: PublicKeyPackage,
  signature: Uint8Array,
): boolean {
  return pkg.additive.has(identifier)
    ? verifyLabelled(verifyKey, "key-addition", addedToCodec(pkg.group), pkg, signature)
    : verifyLabelled(verifyKey, "key-confirmation", publicKeyPackageCodec, pkg, signature)
}

/**
 * Accepts a key only when everyone who holds a share of it has signed the same public package: one
 * honest signature among them means the shares, the threshold and the verifying key belong together.
 * After a refresh or reshare a quorum of the holders suffices, with every additive participant, and
 * nobody is to be blamed by such a certificate who has not confirmed it. Names nobody: whoever passes it on can have altered it.
 *
 * @param servers - identity keys of the roster `rosterEpoch`.
 */
export function verifyKeyCertificate(
  certificate: KeyCertificate,
  servers: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<PublicKeyPackage> {
  const { public: pkg, confirmations, batch } = certificate
  const verifyKeys = verifyKeysFor(pkg, servers)
  if (batch) return verifyInBatch(pkg, batch, confirmations, verifyKeys)
  const holders = holdersOf(pkg)
  const silent = holders.filter((identifier) => !confirmations.has(identifier))
  if (silent.length > 0) return abort("missing-confirmation", { silent })
  if (confirmations.size !== holders.length) return abort("unexpected-confirmation")
  for (const identifier of holders) {
    const verifyKey = verifyKeys.get(identifier)
    if (!verifyKey) return abort("unknown-sender", { field: `confirmations.${identifier}` })
    const signature = confirmations.get(identifier) as Bytes
    if (!verifyConfirmation(identifier, verifyKey, pkg, signature)) {
      return abort("wrong-confirmation", { field: `confirmations.${identifier}` })
    }
  }
  return done(pkg)
}

function verifyInBatch(
  pkg: PublicKeyPackage,
  batch: TreePlace,
  confirmations: ReadonlyMap<Identifier, Bytes>,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<PublicKeyPackage> {
  const { rosterEpoch, minSigners, verifyingShares, additive } = pkg
  const root = rootFrom(sharingDigest(sharingOfKey(pkg)), batch)
  if (!root) return abort("wrong-batch", { field: "batch" })
  const statement = { rosterEpoch, size: batch.size, root }
  const silent = [...additive.keys()].filter((identifier) => !confirmations.has(identifier))
  if (silent.length > 0) return abort("missing-confirmation", { silent })
  for (const identifier of additive.keys()) {
    const verifyKey = verifyKeys.get(identifier) as Uint8Array
    const signature = confirmations.get(identifier) as Bytes
    if (!verifyConfirmation(identifier, verifyKey, pkg, signature)) {
      return abort("wrong-confirmation", { field: `confirmations.${identifier}` })
    }
  }
  const holders = { minSigners, identifiers: [...verifyingShares.keys()] }
  const ofHolders = confirmationsOfHolders({ public: pkg, confirmations })
  const confirmed = checkConfirmed(statement, ofHolders, holders, verifyKeys)
  return confirmed.ok ? done(pkg) : confirmed
}
