import {
  type Element,
  groupByName,
  hashValue,
  type Identifier,
  identifierCodec,
  lagrangeCoefficient,
  type Scalar,
  secp256k1,
} from "@lockkeeper/crypto"
import { type Bytes, type Codec, equalBytes, fixedBytes, struct } from "@lockkeeper/encoding"
import { type PublicKeyPackage, publicKeyPackageCodec } from "../../keys.ts"
import { type HeaderDigests, headerDigestsCodec } from "../../messages/echo.ts"
import type { Slot } from "../../messages/header.ts"
import { abort, done, type Outcome } from "../../outcome.ts"
import { presignParamsCodec } from "../codec.ts"
import { ATTEMPT } from "../first-step.ts"
import { LABELS } from "../labels.ts"
import { MAX_SIGNERS, maxBatch } from "../limits.ts"
import type { PresignParams, PresignStep } from "../types.ts"

/** Whether identifiers are strictly ascending, so that a set has one order and nobody is in it twice. */
export function isAscending(identifiers: readonly Identifier[], max: number): boolean {
  const ordered = identifiers.every((id, i) => i === 0 || id > identifiers[i - 1]!)
  return ordered && identifiers.length <= max
}

/** Refuses a run that no such key can have. Blames nobody: the coordinator chose it. */
export function checkPresignParams(
  params: PresignParams,
  key: PublicKeyPackage,
): Outcome<PresignParams> {
  const { signers, count } = params
  if (params.batchId.length !== 32) return abort("wrong-params", { field: "batchId" })
  if (key.keyType !== "ecdsa-secp256k1") return abort("wrong-key-type", { field: "keyId" })
  if (!equalBytes(params.keyId, key.keyId)) return abort("wrong-key", { field: "keyId" })
  if (params.keyEpoch !== key.keyEpoch) return abort("wrong-key-epoch", { field: "keyEpoch" })
  const signerSet = checkSignerSet(signers, key)
  if (!signerSet.ok) return signerSet
  if (count < 1 || count > maxBatch(signers.length)) {
    return abort("wrong-params", { field: "count" })
  }
  return done(params)
}

/**
 * Exactly minSigners servers: with fewer the shares are not the key's, and with more each would be
 * one more that can stop the run.
 */
export function checkSignerSet(
  signers: readonly Identifier[],
  key: PublicKeyPackage,
): Outcome<readonly Identifier[]> {
  const field = "signers"
  if (!isAscending(signers, MAX_SIGNERS)) return abort("wrong-participants", { field })
  if ([...key.additive.keys()].some((id) => !signers.includes(id))) {
    return abort("missing-additive-signer", { field })
  }
  const servers = serversOf(signers, key)
  if (servers.length + key.additive.size !== signers.length) {
    return abort("not-a-participant", { field })
  }
  if (servers.length < key.minSigners || signers.length < 2) {
    return abort("too-few-signers", { field })
  }
  if (servers.length > key.minSigners) return abort("wrong-participants", { field })
  return done(signers)
}

/** The signers whose shares are of the t-of-n sharing. */
export function serversOf(
  signers: readonly Identifier[],
  key: PublicKeyPackage,
): readonly Identifier[] {
  return signers.filter((id) => key.verifyingShares.has(id))
}

/** What takes a signer's share to its summand of the key: lambda_j for a server, else one. */
export function weightOf(
  signer: Identifier,
  signers: readonly Identifier[],
  key: PublicKeyPackage,
): Scalar {
  if (key.additive.has(signer)) return secp256k1.one
  return lagrangeCoefficient(secp256k1, signer, serversOf(signers, key))
}

/** lambda_j*X_j, or X_j of an additive participant. `checkSignerSet` has passed the signers. */
export function weightedShare(
  signer: Identifier,
  signers: readonly Identifier[],
  key: PublicKeyPackage,
): Element {
  const group = groupByName(key.group)
  const share = key.verifyingShares.get(signer) ?? key.additive.get(signer)?.publicShare
  return group.multiplyPublic(share!, weightOf(signer, signers, key))
}

export function othersThan(
  signers: readonly Identifier[],
  identifier: Identifier,
): readonly Identifier[] {
  return signers.filter((other) => other !== identifier)
}

/** Names what a run was asked for. */
export function presignParamsDigest(params: PresignParams): Bytes {
  return hashValue(LABELS.presignParams, presignParamsCodec, params)
}

/**
 * Names what a signer takes for the key. An id and an epoch do not: a key generation that everyone has
 * confirmed and nobody has kept leaves a certificate behind, and the next one may have the same id.
 */
export function keyDigest(key: PublicKeyPackage): Bytes {
  return hashValue(LABELS.presignKey, publicKeyPackageCodec, key)
}

/** What the session of the steps after the first is the hash of. */
export interface PresignRun {
  readonly params: PresignParams
  /** Digest of every signer's opening header. */
  readonly openings: HeaderDigests
}

export const presignRunCodec: Codec<PresignRun> = struct<PresignRun>({
  params: presignParamsCodec,
  openings: headerDigestsCodec,
})

/**
 * Session of steps 2 to 5. Each opening header covers a fresh nonce of its sender, so no message of
 * another run fits, and signers who were shown different openings are in different sessions.
 */
export function presignSession(run: PresignRun): Bytes {
  return hashValue(LABELS.presignSession, presignRunCodec, run)
}

/** The slot of every sender's message of one step after the first. */
export function presignSlot(
  { rosterEpoch }: PresignParams,
  step: PresignStep,
  sessionId: Bytes,
): Omit<Slot, "sender"> {
  return { protocol: "dkls", step, attempt: ATTEMPT, sessionId, rosterEpoch }
}

interface ReceiverContext {
  readonly params: Bytes
  readonly receiver: Identifier
  readonly sender: Identifier
  readonly nonce: Bytes
}

const receiverContextCodec = struct<ReceiverContext>({
  params: fixedBytes(32),
  receiver: identifierCodec,
  sender: identifierCodec,
  nonce: fixedBytes(32),
})

/**
 * What the receiver's side of one multiplication is bound to. It is fixed at step 1, when the receiver
 * knows nothing of the others, so only its own nonce makes it new.
 */
export function receiverContext(context: ReceiverContext): Bytes {
  return hashValue(LABELS.receiverContext, receiverContextCodec, context)
}

interface SenderContext {
  readonly sessionId: Bytes
  readonly sender: Identifier
  readonly receiver: Identifier
}

const senderContextCodec = struct<SenderContext>({
  sessionId: fixedBytes(32),
  sender: identifierCodec,
  receiver: identifierCodec,
})

/** What the sender's side is bound to: the session, hence the nonces of both ends. */
export function senderContext(context: SenderContext): Bytes {
  return hashValue(LABELS.senderContext, senderContextCodec, context)
}
