import { type Identifier, type Scalar, secp256k1 } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import type { PublicKeyPackage } from "../../keys.ts"
import { type Message, signMessage } from "../../messages/message.ts"
import { abort, done, type Outcome } from "../../outcome.ts"
import { partialSignatureCodec } from "../codec.ts"
import type { DklsIdentity, EcdsaOrder, Presignature } from "../types.ts"
import {
  checkOrder,
  type OpenedOrder,
  type Randomised,
  randomise,
  shareSlot,
  unfitFor,
} from "./order.ts"

const group = secp256k1

export interface EcdsaSigner {
  readonly public: PublicKeyPackage
  readonly identifier: Identifier
  readonly identity: DklsIdentity
}

/**
 * Issues this signer's online share. The caller must already have taken the presignature from
 * storage; it is wiped in any case. Aborts blame nobody: the coordinator puts orders together.
 *
 * @param order - as it came, or as `checkOrder` opened it for this signer's key, so that who looked at
 *   it before taking the presignature does not verify its nonces twice.
 * @throws Error when the presignature was used before.
 */
export function ecdsaSign(
  presignature: Presignature,
  order: EcdsaOrder | OpenedOrder,
  signer: EcdsaSigner,
): Outcome<Message> {
  const { phi, u, v } = presignature
  try {
    const secrets = { phi: phi.expose(), u: u.expose(), v: v.expose() }
    return signOnce(presignature, order, signer, secrets as SecretShares)
  } finally {
    for (const secret of [phi, u, v]) secret.wipe()
  }
}

interface SecretShares {
  readonly phi: Scalar
  readonly u: Scalar
  readonly v: Scalar
}

function signOnce(
  { id, identifier, certificate }: Presignature,
  asked: EcdsaOrder | OpenedOrder,
  signer: EcdsaSigner,
  secrets: SecretShares,
): Outcome<Message> {
  const { record } = certificate
  const { verifyKeys } = signer.identity
  const opened =
    "order" in asked ? done(asked) : checkOrder(asked, { public: signer.public, verifyKeys })
  if (!opened.ok) return opened
  if (identifier !== signer.identifier) return abort("not-a-signer", { field: "presignatureId" })
  const fit = unfitFor(opened.value, id, record, signer.public)
  if (!fit.ok) return fit
  const randomised = randomise(opened.value, record.nonce)
  const shares = onlineShares(opened.value, randomised, secrets)
  const broadcast = encode(partialSignatureCodec, { nonce: record.nonce, ...shares })
  const slot = { ...shareSlot(opened.value.order), sender: identifier }
  const { previousDigest } = opened.value
  return done(signMessage(signer.identity.signer, slot, { previousDigest, broadcast }))
}

/** u_i' = u_i + delta*phi_i and w_i' = m*phi_i + r'*(v_i + tau*phi_i). */
function onlineShares(
  { digest, tweak }: OpenedOrder,
  { delta, r }: Randomised,
  { phi, u, v }: SecretShares,
): { readonly u: Scalar; readonly w: Scalar } {
  const shift = group.multiplyScalars(delta, phi)
  const tweaked = group.multiplyScalars(tweak, phi)
  const keyed = group.addScalars(v, tweaked)
  const message = group.multiplyScalars(digest, phi)
  const product = group.multiplyScalars(r, keyed)
  const shares = { u: group.addScalars(u, shift), w: group.addScalars(message, product) }
  for (const spent of [shift, tweaked, keyed, message, product]) spent.fill(0)
  return shares
}
