import {
  type Element,
  hashValue,
  hashValueToScalar,
  type Identifier,
  identifierCodec,
  type Scalar,
  secp256k1,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  list,
  struct,
  u32,
} from "@lockkeeper/encoding"
import { deriveChild } from "../../child-keys.ts"
import { childPathProblem } from "../../child-path.ts"
import { rOf } from "../../ecdsa/index.ts"
import type { PublicKeyPackage } from "../../keys.ts"
import { echoDigest } from "../../messages/echo.ts"
import { headerCodec, NO_PREVIOUS, type Slot, slotMismatch } from "../../messages/header.ts"
import { type Message, openMessage, signMessage } from "../../messages/message.ts"
import { abort, done, type Outcome } from "../../outcome.ts"
import { ecdsaOrderCodec, point } from "../codec.ts"
import { ATTEMPT } from "../first-step.ts"
import { LABELS } from "../labels.ts"
import { MAX_SIGNERS } from "../limits.ts"
import { checkSignerSet } from "../presign/params.ts"
import type { DklsIdentity, EcdsaOrder, PresignatureRecord } from "../types.ts"

const group = secp256k1

const NONCE_STEP = 6
const SHARE_STEP = 7

export interface NonceInput {
  readonly identifier: Identifier
  readonly keyId: Bytes
  readonly keyEpoch: number
  /** Of the roster in force. */
  readonly rosterEpoch: number
  /** 32 fresh uniform bytes: the nonce itself, and the session of its message. */
  readonly randomness: Bytes
}

export const nonceBodyCodec = struct<{ readonly keyId: Bytes; readonly keyEpoch: number }>({
  keyId: fixedBytes(32),
  keyEpoch: u32,
})

/** A signer's fresh nonce for one signature: whoever hands it out remembers it and uses it once. */
export function ecdsaNonce(input: NonceInput, identity: Pick<DklsIdentity, "signer">): Message {
  const { identifier: sender, keyId, keyEpoch, rosterEpoch, randomness } = input
  if (randomness.length !== 32) throw new RangeError("randomness is not 32 bytes")
  const place = { protocol: "dkls", step: NONCE_STEP, attempt: ATTEMPT, rosterEpoch } as const
  const slot: Slot = { ...place, sessionId: new Uint8Array(randomness), sender }
  const broadcast = encode(nonceBodyCodec, { keyId, keyEpoch })
  return signMessage(identity.signer, slot, { previousDigest: NO_PREVIOUS, broadcast })
}

/** A signer's own nonce in an order, so that it can find it. Nothing is verified yet. */
export function nonceIn(order: EcdsaOrder, identifier: Identifier): Bytes | null {
  for (const { header } of order.nonces) {
    try {
      const { sender, sessionId } = decode(headerCodec, header.bytes)
      if (sender === identifier) return sessionId
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
  return null
}

/** Refuses what cannot be signed: anything but 32 bytes, zero, and what is not below the order. */
export function checkDigest(digest: Bytes): Outcome<Scalar> {
  try {
    return done(group.decodeNonZeroScalar(digest))
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return abort("wrong-digest", { field: "digest" })
  }
}

export interface OrderContext {
  readonly public: PublicKeyPackage
  /** Identity keys of the roster in force and of additive participants. */
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** An order that was checked against the key it is for. */
export interface OpenedOrder {
  readonly order: EcdsaOrder
  /** m */
  readonly digest: Scalar
  /** tau */
  readonly tweak: Scalar
  readonly childKey: Element
  readonly nonceDigests: readonly Bytes[]
  /** Echo of all nonce messages. */
  readonly previousDigest: Bytes
}

/**
 * Everything about an order that can be refused before a presignature is taken for it. Blames nobody:
 * the coordinator puts orders together. That a nonce is one's own and fresh is for its signer to know.
 */
export function checkOrder(order: EcdsaOrder, context: OrderContext): Outcome<OpenedOrder> {
  const { public: key } = context
  if (key.keyType !== "ecdsa-secp256k1") return abort("wrong-key-type", { field: "keyId" })
  if (!equalBytes(order.keyId, key.keyId)) return abort("wrong-key", { field: "keyId" })
  if (order.keyEpoch !== key.keyEpoch) return abort("wrong-key-epoch", { field: "keyEpoch" })
  const digest = checkDigest(order.digest)
  if (!digest.ok) return digest
  const signers = checkSignerSet(order.signers, key)
  if (!signers.ok) return signers
  const nonces = openNonces(order, context)
  if (!nonces.ok) return nonces
  if (childPathProblem(order.path) !== null) return abort("wrong-child", { field: "path" })
  const child = deriveChild(key, order.path)
  const digests = nonces.value
  const previousDigest = echoDigest(new Map(order.signers.map((id, i) => [id, digests[i]!])))
  return done({
    ...{ order, digest: digest.value, nonceDigests: digests, previousDigest },
    ...{ tweak: child.tweak, childKey: child.verifyingKey },
  })
}

/** The digest of each signer's nonce message, in the order of the signers. */
function openNonces(order: EcdsaOrder, { verifyKeys }: OrderContext): Outcome<readonly Bytes[]> {
  const { signers, nonces, rosterEpoch } = order
  if (nonces.length !== signers.length) return abort("wrong-nonces", { field: "nonces" })
  const digests: Bytes[] = []
  for (const [i, message] of nonces.entries()) {
    const field = `nonces.${i}`
    const opened = openMessage(message, verifyKeys, "all-parts")
    if (!opened.ok) return abort(opened.abort.reason, { field })
    const { header, broadcast, digest } = opened.value
    const slot = { protocol: "dkls", step: NONCE_STEP, attempt: ATTEMPT, rosterEpoch } as const
    const misplaced = slotMismatch(header, { ...slot, sessionId: header.sessionId })
    if (misplaced) return abort(misplaced, { field })
    const expected = encode(nonceBodyCodec, { keyId: order.keyId, keyEpoch: order.keyEpoch })
    const isForKey = header.sender === signers[i] && equalBytes(broadcast, expected)
    const isPlain = header.parts.size === 1 && equalBytes(header.previousDigest, NO_PREVIOUS)
    if (!isForKey || !isPlain) return abort("wrong-nonces", { field })
    digests.push(digest)
  }
  return done(digests)
}

/** Names an order: the session of its shares. */
export function orderDigest(order: EcdsaOrder): Bytes {
  return hashValue(LABELS.order, ecdsaOrderCodec, order)
}

/** Where the shares of an order belong. */
export function shareSlot(order: EcdsaOrder): Omit<Slot, "sender"> {
  const { attempt, rosterEpoch } = order
  const sessionId = orderDigest(order)
  return { protocol: "dkls", step: SHARE_STEP, attempt, sessionId, rosterEpoch }
}

/** Why a presignature is not for an order, or null. */
export function unfitFor(
  { order }: OpenedOrder,
  id: Bytes,
  record: PresignatureRecord,
  key: PublicKeyPackage,
): Outcome<null> {
  const wrong = (field: string) => abort("wrong-presignature", { field })
  if (!equalBytes(order.presignatureId, id)) return wrong("presignatureId")
  if (!equalBytes(record.keyId, order.keyId)) return wrong("keyId")
  if (record.keyEpoch !== order.keyEpoch) return wrong("keyEpoch")
  if (record.rosterEpoch !== order.rosterEpoch) return wrong("rosterEpoch")
  if (!group.equal(record.verifyingKey, key.verifyingKey)) return wrong("verifyingKey")
  const { signers } = order
  const isSameSet = record.signers.size === signers.length
  if (!isSameSet || !signers.every((id) => record.signers.has(id))) return wrong("signers")
  return done(null)
}

interface DeltaInput {
  readonly presignatureId: Bytes
  readonly nonce: Element
  readonly childKey: Element
  readonly digest: Bytes
  readonly requestDigest: Bytes
  readonly attempt: number
  readonly signers: readonly Identifier[]
  readonly nonceDigests: readonly Bytes[]
}

const deltaCodec: Codec<DeltaInput> = struct<DeltaInput>({
  presignatureId: fixedBytes(32),
  nonce: point,
  childKey: point,
  digest: fixedBytes(32),
  requestDigest: fixedBytes(32),
  attempt: u32,
  signers: list(identifierCodec, MAX_SIGNERS),
  nonceDigests: list(fixedBytes(32), MAX_SIGNERS),
})

/** A presignature's nonce as one order randomises it anew. */
export interface Randomised {
  readonly delta: Scalar
  /** R' = R + delta*G */
  readonly nonce: Element
  /** r' = x(R') */
  readonly r: Scalar
}

/**
 * delta, R' and r' of an order. Everything that the signature depends on goes into delta, and fresh
 * nonces of all signers, so that nobody knows R' before the order is complete.
 */
export function randomise(
  { order, childKey, nonceDigests }: OpenedOrder,
  nonce: Element,
): Randomised {
  const { presignatureId, digest, requestDigest, attempt, signers } = order
  const delta = hashValueToScalar(group, LABELS.delta, deltaCodec, {
    ...{ presignatureId, nonce, childKey, digest, requestDigest, attempt, signers, nonceDigests },
  })
  const randomised = group.add(nonce, group.multiplyBase(delta))
  // No choice of inputs leads here: delta is a hash of all of them, and of R.
  if (group.isIdentity(randomised)) throw new Error("randomised nonce is the identity")
  return { delta, nonce: randomised, r: rOf(randomised) }
}
