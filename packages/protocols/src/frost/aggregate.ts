import type { Identifier, Scalar } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, equalBytes } from "@lockkeeper/encoding"
import { deriveChild } from "../child-keys.ts"
import { type ChildPath, NO_PATH } from "../child-path.ts"
import type { FrostShareEvidence } from "../evidence/frost-share.ts"
import { type KeyCertificate, type PublicKeyPackage, verifyKeysFor } from "../keys.ts"
import { slotMismatch } from "../messages/header.ts"
import { type Message, openMessage } from "../messages/message.ts"
import { type AbortReason, abort, done, type Outcome } from "../outcome.ts"
import { type Binding, bind } from "./binding.ts"
import type { OpenedPackage } from "./package.ts"
import { verifySignatureShare } from "./shares.ts"
import { shareBodyCodec, shareSlot } from "./sign.ts"
import { encodeSignature, verifyForTarget } from "./signature.ts"
import { isFrostKeyType } from "./suites.ts"
import { NO_TWEAK, type Tweak, xOnly } from "./taproot.ts"
import { signingTargetOf } from "./target.ts"

export interface AggregateInput {
  /** From `preparePackage`, or from `openPackage` where it was not prepared here. */
  readonly opened: OpenedPackage
  /** One signature share message of each signer, by whom it was received from. */
  readonly shares: ReadonlyMap<Identifier, Message>
  /** Of the key that the package was opened with. */
  readonly certificate: KeyCertificate
  /** Identity keys of the roster in force. */
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/**
 * The signature, RFC 9591 Section 5.3. It is verified before anything else: when it holds, no
 * message around it matters. Only when it does not are single shares judged, and then everyone who
 * signed a wrong one is a culprit, with evidence; whose answer merely cannot be used is in `silent`.
 */
export function aggregate(input: AggregateInput): Outcome<Bytes> {
  const { opened, shares, certificate } = input
  const { target, commitments, package: pkg } = opened
  const silent = commitments.map((c) => c.identifier).filter((id) => !shares.has(id))
  if (silent.length > 0) return abort("missing-messages", { silent })
  const binding = bind(target, commitments, pkg.message)
  const { group } = target.suite
  let z: Scalar | null = group.zero
  for (const { identifier } of commitments) {
    const share = readShare(certificate.public, shares.get(identifier) as Message)
    z = z && share && group.addScalars(z, share)
  }
  if (z) {
    const signature = encodeSignature(target, binding.groupCommitment, z)
    if (verifyForTarget(target, pkg.message, signature)) return done(signature)
  }
  return judge(input, binding)
}

function readShare(key: PublicKeyPackage, message: Message): Scalar | null {
  try {
    return decode(shareBodyCodec(key.keyType), message.broadcast).signatureShare
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/** Why the shares do not add up to a signature. */
function judge(input: AggregateInput, binding: Binding): Outcome<never> {
  const culprits: Identifier[] = []
  const silent: Identifier[] = []
  const evidence: FrostShareEvidence[] = []
  let unusable: AbortReason | null = null
  for (const { identifier } of input.opened.commitments) {
    const share = input.shares.get(identifier) as Message
    const verdict = judgeShare(input, binding, identifier, share)
    if (verdict === null) continue
    if (verdict === "invalid-signature-share") {
      culprits.push(identifier)
      evidence.push(evidenceOf(input, share))
    } else {
      silent.push(identifier)
      unusable ??= verdict
    }
  }
  if (culprits.length > 0) {
    return abort("invalid-signature-share", { culprits, evidence, silent })
  }
  // Good shares that make a bad signature mean that the public shares do not belong to the key.
  return abort(unusable ?? "inconsistent-key", { silent })
}

function evidenceOf(
  { certificate, opened }: Omit<AggregateInput, "shares">,
  share: Message,
): FrostShareEvidence {
  return { kind: "frost-share", certificate, package: opened.package, share }
}

/**
 * Judges the share one signer sent: null when it is good, `invalid-signature-share` when the signer
 * signed a wrong one for this very package, and otherwise why it is no answer to this package, which
 * a relay may have caused.
 */
function judgeShare(
  { opened, certificate, verifyKeys }: Omit<AggregateInput, "shares">,
  binding: Binding,
  identifier: Identifier,
  share: Message,
): AbortReason | null {
  const { target, commitments, servers, previousDigest, package: pkg } = opened
  const everyone = verifyKeysFor(certificate.public, verifyKeys)
  const message = openMessage(share, everyone, "all-parts")
  if (!message.ok) return message.abort.reason
  const { header } = message.value
  const misplaced = slotMismatch(header, shareSlot(pkg, certificate.public))
  if (misplaced) return misplaced
  if (header.sender !== identifier) return "unknown-sender"
  // Further parts would only serve to make the evidence too large.
  if (header.parts.size > 1) return "unexpected-part"
  if (!equalBytes(header.previousDigest, previousDigest)) return "echo-mismatch"
  const value = readShare(certificate.public, share)
  if (value === null) return "invalid-signature-share"
  const { verifyingShares, additive } = certificate.public
  const verifyingShare = verifyingShares.get(identifier) ?? additive.get(identifier)?.publicShare
  const commitment = commitments.find((c) => c.identifier === identifier)
  if (!verifyingShare || !commitment) return "unknown-sender"
  return verifySignatureShare(target, binding, commitment, servers, verifyingShare, value)
    ? null
    : "invalid-signature-share"
}

/**
 * Judges one share alone, before the others have arrived: for a coordinator that must know whether
 * to ask its sender again. Aborts name the sender only with evidence.
 */
export function verifyShare(
  input: Omit<AggregateInput, "shares">,
  identifier: Identifier,
  share: Message,
): Outcome<null> {
  const { target, commitments, package: pkg } = input.opened
  const binding = bind(target, commitments, pkg.message)
  const verdict = judgeShare(input, binding, identifier, share)
  if (verdict === null) return done(null)
  if (verdict !== "invalid-signature-share") return abort(verdict, { silent: [identifier] })
  return abort(verdict, { culprits: [identifier], evidence: [evidenceOf(input, share)] })
}

/**
 * Whether a FROST signature by a child of this key over the message is valid, tweaked as the signer
 * was asked to.
 */
export function verify(
  key: PublicKeyPackage,
  message: Bytes,
  signature: Bytes,
  tweak: Tweak = NO_TWEAK,
  path: ChildPath = NO_PATH,
): boolean {
  if (!isFrostKeyType(key.keyType)) return false
  const target = signingTargetOf(key, tweak, path)
  return target !== null && verifyForTarget(target, message, signature)
}

/**
 * The public key of a child as other software knows it: 32 bytes for Ed25519; for BIP340 the
 * x-coordinate, of the internal key without a tweak and of the Taproot output key with one; for
 * ECDSA, which FROST does not sign for, the 33 bytes of SEC1's compressed form. Null where the key
 * type has no such tweak.
 */
export function publicKeyOf(
  key: PublicKeyPackage,
  tweak: Tweak = NO_TWEAK,
  path: ChildPath = NO_PATH,
): Bytes | null {
  if (!isFrostKeyType(key.keyType)) {
    return tweak.kind === "none" ? deriveChild(key, path).verifyingKey : null
  }
  const target = signingTargetOf(key, tweak, path)
  if (target === null) return null
  return target.suite.xOnly ? xOnly(target.verifyingKey) : target.verifyingKey
}
