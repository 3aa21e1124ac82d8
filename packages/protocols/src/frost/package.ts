import { hashValue, type Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  DecodeError,
  decode,
  equalBytes,
  fixedBytes,
  list,
  mapped,
  struct,
  u32,
} from "@lockkeeper/encoding"
import { type ChildPath, NO_PATH } from "../child-path.ts"
import { type PublicKeyPackage, publicKeyPackageCodec, verifyKeysFor } from "../keys.ts"
import { echoDigest } from "../messages/echo.ts"
import { headerCodec, headerDigest, NO_PREVIOUS, slotMismatch } from "../messages/header.ts"
import { LIMITS } from "../messages/limits.ts"
import { type Message, messageCodec, openMessage } from "../messages/message.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import type { SigningCommitment } from "./binding.ts"
import { COMMITMENT_SLOT, decodeCommitment } from "./commitment.ts"
import { isFrostKeyType } from "./suites.ts"
import type { Tweak } from "./taproot.ts"
import { type SigningTarget, signingTargetOf } from "./target.ts"
import { type TweakedChild, tweakedChildCodec } from "./tweaked-child.ts"

/** Bytes of the longest message that can be signed, so that evidence about it keeps its own bound. */
export const MAX_MESSAGE_LENGTH = 16 * 1024

/**
 * What one signer set is asked to sign, RFC 9591 Section 5.2. Signers sign its digest with their
 * share, so each is judged only against the package it was shown.
 */
export interface SigningPackage {
  readonly keyId: Bytes
  readonly keyEpoch: number
  readonly rosterEpoch: number
  /** Digest of the authorised request that this answers. */
  readonly requestDigest: Bytes
  /** Which try of the request this is, from 1. */
  readonly attempt: number
  readonly message: Bytes
  readonly tweak: Tweak
  /** Which child of the key signs; a tweak is of that child. */
  readonly path: ChildPath
  /** One commitment message of each signer, in strictly ascending order of sender. */
  readonly commitments: readonly Message[]
}

type EncodedPackage = Omit<SigningPackage, "tweak" | "path"> & { readonly signs: TweakedChild }

const encodedPackageCodec = struct<EncodedPackage>({
  keyId: fixedBytes(32),
  keyEpoch: u32,
  rosterEpoch: u32,
  requestDigest: fixedBytes(32),
  attempt: u32,
  message: bytes(MAX_MESSAGE_LENGTH),
  signs: tweakedChildCodec,
  commitments: list(messageCodec, LIMITS.participants),
})

export const signingPackageCodec: Codec<SigningPackage> = mapped(
  encodedPackageCodec,
  ({ tweak, path, ...rest }) => ({ ...rest, signs: { tweak, path } }),
  ({ signs, ...rest }) => ({ ...rest, ...signs }),
)

interface PackageUnderKey {
  readonly key: PublicKeyPackage
  readonly package: SigningPackage
}

const packageUnderKeyCodec: Codec<PackageUnderKey> = struct<PackageUnderKey>({
  key: publicKeyPackageCodec,
  package: signingPackageCodec,
})

/**
 * Names a package under one key: the session of its signature shares. It covers the whole public key
 * package, since several attempts at one key id may each have been confirmed by everyone: a share is
 * judged by the public share that its signer holds, and by no other that it confirmed once.
 */
export function signingPackageDigest(pkg: SigningPackage, key: PublicKeyPackage): Bytes {
  return hashValue("frost-signing-package", packageUnderKeyCodec, { key, package: pkg })
}

/**
 * The session of a participant's own commitment in a package, under which its nonces are stored;
 * null when the package has none. Nothing is verified yet: `sign` does that.
 */
export function commitmentIdIn(pkg: SigningPackage, identifier: Identifier): Bytes | null {
  for (const { header } of pkg.commitments) {
    try {
      const { sender, sessionId } = decode(headerCodec, header.bytes)
      if (sender === identifier) return sessionId
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
  return null
}

/** Whom a package's commitments name as their senders. Nothing is verified yet: `sign` does that. */
export function signersIn(pkg: SigningPackage): readonly Identifier[] {
  const signers: Identifier[] = []
  for (const { header } of pkg.commitments) {
    try {
      signers.push(decode(headerCodec, header.bytes).sender)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
  return signers
}

/** A package that was checked against the key it is for. */
export interface OpenedPackage {
  readonly package: SigningPackage
  readonly target: SigningTarget
  readonly commitments: readonly SigningCommitment[]
  /** The signers that are not additive. */
  readonly servers: readonly Identifier[]
  /** Echo of all commitment messages. */
  readonly previousDigest: Bytes
}

/** One valid commitment and the message that carried it. */
export interface OpenedCommitment {
  readonly commitment: SigningCommitment
  readonly message: Message
  /** Digest of its header. */
  readonly digest: Bytes
}

/** What a package is checked against. */
export interface PackageContext {
  readonly public: PublicKeyPackage
  /** Identity keys of the roster. */
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** A signer's own commitment, which needs no check but equality with what it sent. */
export interface OwnCommitment {
  readonly commitment: SigningCommitment
  readonly message: Message
}

/**
 * Checks everything in a package that does not need a secret. Blames nobody but the author of a
 * signed commitment that is none, since the coordinator puts packages together.
 *
 * @param own - spares a signer the validation of what it made itself.
 */
export function openPackage(
  pkg: SigningPackage,
  context: PackageContext,
  own?: OwnCommitment,
): Outcome<OpenedPackage> {
  const key = context.public
  if (!equalBytes(pkg.keyId, key.keyId)) return abort("wrong-key", { field: "keyId" })
  if (pkg.keyEpoch !== key.keyEpoch) return abort("wrong-key-epoch", { field: "keyEpoch" })
  const commitments: OpenedCommitment[] = []
  for (const [i, message] of pkg.commitments.entries()) {
    const opened = openCommitmentIn(pkg, message, context, `commitments.${i}`, own)
    if (!opened.ok) return opened
    commitments.push(opened.value)
  }
  return assemble(pkg, key, commitments)
}

/** What a coordinator is asked for; the key itself signs where no path is given. */
export type SigningOrder = Omit<SigningPackage, "keyId" | "keyEpoch" | "commitments" | "path"> &
  Partial<Pick<SigningPackage, "path">>

/**
 * The package over commitments that the coordinator has opened already, in whatever order: nothing
 * is validated twice.
 */
export function preparePackage(
  order: SigningOrder,
  key: PublicKeyPackage,
  commitments: readonly OpenedCommitment[],
): Outcome<OpenedPackage> {
  const sorted = [...commitments].sort((a, b) => a.commitment.identifier - b.commitment.identifier)
  const { keyId, keyEpoch } = key
  const messages = sorted.map(({ message }) => message)
  const pkg = { path: NO_PATH, ...order, keyId, keyEpoch, commitments: messages }
  return assemble(pkg, key, sorted)
}

/** Checks that the signers are a signer set of this key. */
function assemble(
  pkg: SigningPackage,
  key: PublicKeyPackage,
  opened: readonly OpenedCommitment[],
): Outcome<OpenedPackage> {
  // One key under two signature schemes: neither's proof covers that.
  if (!isFrostKeyType(key.keyType)) return abort("wrong-key-type", { field: "keyId" })
  const target = signingTargetOf(key, pkg.tweak, pkg.path)
  if (target === null) return abort("unsupported-tweak", { field: "tweak" })
  const digests = new Map<Identifier, Bytes>()
  let last = 0
  for (const [i, { commitment, digest }] of opened.entries()) {
    const { identifier } = commitment
    const field = `commitments.${i}`
    if (identifier === last) return abort("duplicate-signer", { field })
    if (identifier < last) return abort("unsorted-signers", { field })
    last = identifier
    digests.set(identifier, digest)
  }
  const servers = [...digests.keys()].filter((id) => key.verifyingShares.has(id))
  if (servers.length < key.minSigners) return abort("too-few-signers", { field: "commitments" })
  if ([...key.additive.keys()].some((id) => !digests.has(id))) {
    return abort("missing-additive-signer", { field: "commitments" })
  }
  const commitments = opened.map(({ commitment }) => commitment)
  const previousDigest = echoDigest(digests)
  return done({ package: pkg, target, commitments, servers, previousDigest })
}

function openCommitmentIn(
  pkg: SigningPackage,
  message: Message,
  context: PackageContext,
  field: string,
  own: OwnCommitment | undefined,
): Outcome<OpenedCommitment> {
  const { rosterEpoch } = pkg
  if (!own || !sameMessage(message, own.message)) {
    return openCommitment(message, { ...context, rosterEpoch }, field)
  }
  const { header } = message
  if (decode(headerCodec, header.bytes).rosterEpoch !== rosterEpoch) {
    return abort("wrong-roster-epoch", { field })
  }
  return done({ commitment: own.commitment, message, digest: headerDigest(header) })
}

/** Whether two messages without sealed parts are the same to the byte. */
export function sameMessage(a: Message, b: Message): boolean {
  return (
    equalBytes(a.header.bytes, b.header.bytes) &&
    equalBytes(a.header.signature, b.header.signature) &&
    equalBytes(a.broadcast, b.broadcast) &&
    a.sealed.size === 0 &&
    b.sealed.size === 0
  )
}

/**
 * A commitment message from a holder of this key, in this roster, valid as RFC 9591 asks. The
 * coordinator calls it once for each message it fetches.
 *
 * Names the sender, with evidence, only when it signed something that is no commitment at all.
 */
export function openCommitment(
  message: Message,
  context: PackageContext & { readonly rosterEpoch: number },
  field = "",
): Outcome<OpenedCommitment> {
  const verifyKeys = verifyKeysFor(context.public, context.verifyKeys)
  const opened = openMessage(message, verifyKeys, "all-parts")
  if (!opened.ok) return abort(opened.abort.reason, { field })
  const { header, broadcast } = opened.value
  const { rosterEpoch } = context
  const misplaced = slotMismatch(header, {
    ...COMMITMENT_SLOT,
    rosterEpoch,
    sessionId: header.sessionId,
  })
  if (misplaced) return abort(misplaced, { field })
  if (header.parts.size > 1) return abort("unexpected-part", { field })
  if (!equalBytes(header.previousDigest, NO_PREVIOUS)) return abort("echo-mismatch", { field })
  const identifier = header.sender
  const { keyId, keyEpoch, keyType, verifyingShares, additive } = context.public
  if (!verifyingShares.has(identifier) && !additive.has(identifier)) {
    return abort("unknown-sender", { field })
  }
  try {
    const body = decodeCommitment(broadcast)
    if (!body || !equalBytes(body.keyId, keyId) || body.keyType !== keyType) {
      return abort("wrong-key", { field })
    }
    if (body.keyEpoch !== keyEpoch) return abort("wrong-key-epoch", { field })
    const commitment = { identifier, hiding: body.hiding, binding: body.binding }
    return done({ commitment, message, digest: opened.value.digest })
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const evidence = [{ kind: "frost-commitment", commitment: message } as const]
    return abort("invalid-commitment", { culprits: [identifier], evidence, field })
  }
}
