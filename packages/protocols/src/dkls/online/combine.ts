import { type Identifier, type Scalar, secp256k1 } from "@lockkeeper/crypto"
import { DecodeError, decode, equalBytes } from "@lockkeeper/encoding"
import { recoveryOf, verifyEcdsa, withLowS } from "../../ecdsa/index.ts"
import type { DklsShareEvidence } from "../../evidence/dkls-share.ts"
import type { KeyCertificate } from "../../keys.ts"
import { slotMismatch } from "../../messages/header.ts"
import { type Message, openMessage } from "../../messages/message.ts"
import { type AbortReason, abort, done, type Outcome } from "../../outcome.ts"
import { partialSignatureCodec } from "../codec.ts"
import { recordDigest, verifyPresignatureCertificate } from "../presign/record.ts"
import type {
  EcdsaOrder,
  EcdsaSignature,
  PartialSignature,
  PresignatureCertificate,
  SignerRecord,
} from "../types.ts"
import {
  checkOrder,
  type OpenedOrder,
  type Randomised,
  randomise,
  shareSlot,
  unfitFor,
} from "./order.ts"

const group = secp256k1

export interface CombineInput {
  readonly order: EcdsaOrder
  /** Of the presignature; as any signer gave it. */
  readonly certificate: PresignatureCertificate
  readonly keyCertificate: KeyCertificate
  /** One online share of each signer, by whom it was received from. */
  readonly shares: ReadonlyMap<Identifier, Message>
  /** Identity keys of the roster in force and of additive participants. */
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** What shares are judged by, besides who sent them. */
interface Judging extends Omit<CombineInput, "shares"> {
  readonly opened: OpenedOrder
  readonly randomised: Randomised
}

/**
 * The signature, verified before anything else: when it holds, no message around it matters. Only when
 * it does not are single shares judged: everyone who signed a wrong one is a culprit, with evidence;
 * whose answer merely cannot be used is in `silent`.
 */
export function ecdsaCombine(input: CombineInput): Outcome<EcdsaSignature> {
  const { order, certificate, keyCertificate, verifyKeys, shares } = input
  const key = keyCertificate.public
  const opened = checkOrder(order, { public: key, verifyKeys })
  if (!opened.ok) return opened
  const { record } = certificate
  const fit = unfitFor(opened.value, recordDigest(record), record, key)
  if (!fit.ok) return fit
  const silent = order.signers.filter((signer) => !shares.has(signer))
  if (silent.length > 0) return abort("missing-messages", { silent })
  const randomised = randomise(opened.value, record.nonce)
  const judging = {
    order,
    certificate,
    keyCertificate,
    verifyKeys,
    opened: opened.value,
    randomised,
  }
  const signature = assemble(judging, shares)
  return signature ? done(signature) : judgeAll(judging, shares)
}

function readShare(message: Message): PartialSignature | null {
  try {
    return decode(partialSignatureCodec, message.broadcast)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/** s = sum of w_i' / sum of u_i', low, or null when that is no signature. */
function assemble(
  { opened, randomised, order }: Judging,
  shares: ReadonlyMap<Identifier, Message>,
): EcdsaSignature | null {
  let u: Scalar = group.zero
  let w: Scalar = group.zero
  for (const signer of order.signers) {
    const share = readShare(shares.get(signer)!)
    if (!share) return null
    u = group.addScalars(u, share.u)
    w = group.addScalars(w, share.w)
  }
  if (group.isZeroScalar(u)) return null
  const { r, nonce } = randomised
  const s = group.multiplyScalars(w, group.invertScalar(u))
  const signature = withLowS({ r, s, recovery: recoveryOf(nonce) })
  const { childKey: publicKey } = opened
  return verifyEcdsa(publicKey, order.digest, signature) ? { ...signature, publicKey } : null
}

/** Why the shares do not add up to a signature. */
function judgeAll(judging: Judging, shares: ReadonlyMap<Identifier, Message>): Outcome<never> {
  const { certificate, keyCertificate, order, verifyKeys } = judging
  // Nobody can be measured by a record that not all signers have confirmed.
  const confirmed = verifyPresignatureCertificate(certificate, verifyKeys)
  if (!confirmed.ok) return abort(confirmed.abort.reason, { field: "certificate" })
  const culprits: Identifier[] = []
  const silent: Identifier[] = []
  const evidence: DklsShareEvidence[] = []
  let unusable: AbortReason | null = null
  for (const signer of order.signers) {
    const share = shares.get(signer)!
    const verdict = judgeShare(judging, signer, share)
    if (verdict === null) continue
    if (verdict === "invalid-partial-signature") {
      culprits.push(signer)
      evidence.push({ kind: "dkls-share", keyCertificate, certificate, order, share })
    } else {
      silent.push(signer)
      unusable ??= verdict
    }
  }
  if (culprits.length > 0) {
    return abort("invalid-partial-signature", { culprits, evidence, silent })
  }
  // Good shares make a good signature, unless the record does not belong to the key.
  return abort(unusable ?? "wrong-presignature", { silent })
}

/** u_i'*G = U_i + delta*F_i and w_i'*G = m*F_i + r'*(V_i + tau*F_i). */
function holds(
  { opened, randomised }: Pick<Judging, "opened" | "randomised">,
  { phi, u, v }: SignerRecord,
  share: PartialSignature,
): boolean {
  const { digest, tweak } = opened
  const { delta, r } = randomised
  const expectedU = group.add(u, group.multiplyPublic(phi, delta))
  const shifted = group.add(v, group.multiplyPublic(phi, tweak))
  const expectedW = group.linearCombination([phi, shifted], [digest, r])
  return (
    group.equal(group.multiplyBase(share.u), expectedU) &&
    group.equal(group.multiplyBase(share.w), expectedW)
  )
}

/**
 * Judges one signer's share: null when it is good, `invalid-partial-signature` when the signer signed a
 * wrong one for this very order, and otherwise why it is no answer to the order, which a relay may have
 * caused.
 */
export function judgeShare(
  judging: Judging,
  signer: Identifier,
  message: Message,
): AbortReason | null {
  const { order, verifyKeys, opened, certificate } = judging
  const received = openMessage(message, verifyKeys, "all-parts")
  if (!received.ok) return received.abort.reason
  const { header } = received.value
  const misplaced = slotMismatch(header, shareSlot(order))
  if (misplaced) return misplaced
  if (header.sender !== signer) return "unknown-sender"
  // Further parts would only serve to make the evidence too large.
  if (header.parts.size > 1) return "unexpected-part"
  if (!equalBytes(header.previousDigest, opened.previousDigest)) return "echo-mismatch"
  const share = readShare(message)
  const record = certificate.record.signers.get(signer)
  if (!record) return "unknown-sender"
  const isRight =
    share !== null &&
    group.equal(share.nonce, certificate.record.nonce) &&
    holds(judging, record, share)
  return isRight ? null : "invalid-partial-signature"
}
