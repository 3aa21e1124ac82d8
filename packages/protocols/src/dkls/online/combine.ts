import type { Identifier } from "@lockkeeper/crypto"
import type { KeyCertificate } from "../../keys.ts"
import type { Message } from "../../messages/message.ts"
import type { Outcome } from "../../outcome.ts"
import type { EcdsaOrder, EcdsaSignature, PresignatureCertificate } from "../types.ts"

export interface CombineInput {
  readonly order: EcdsaOrder
  /** Of the presignature; as any signer gave it. */
  readonly certificate: PresignatureCertificate
  readonly keyCertificate: KeyCertificate
  /** One online share of each signer, by whom it was received from. */
  readonly shares: ReadonlyMap<Identifier, Message>
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/**
 * The signature, verified before anything else. Only when it does not verify are single shares
 * judged: everyone who signed a wrong one is a culprit, with evidence; whose answer merely cannot be
 * used is in `silent`.
 */
export function ecdsaCombine(_input: CombineInput): Outcome<EcdsaSignature> {
  throw new Error("not implemented")
}
