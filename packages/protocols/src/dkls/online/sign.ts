import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { PublicKeyPackage } from "../../keys.ts"
import type { Message } from "../../messages/message.ts"
import type { Outcome } from "../../outcome.ts"
import type { DklsIdentity, EcdsaOrder, Presignature } from "../types.ts"

export interface NonceInput {
  readonly identifier: Identifier
  readonly keyId: Bytes
  readonly keyEpoch: number
  readonly rosterEpoch: number
  /** 32 fresh uniform bytes: the nonce itself, and the session of its message. */
  readonly randomness: Bytes
}

/** A signer's fresh nonce for one signature: whoever hands it out remembers it and uses it once. */
export function ecdsaNonce(_input: NonceInput, _identity: Pick<DklsIdentity, "signer">): Message {
  throw new Error("not implemented")
}

/** The nonces of an order, by sender: so that a signer finds its own. Nothing is verified yet. */
export function nonceIn(_order: EcdsaOrder, _identifier: Identifier): Bytes | null {
  throw new Error("not implemented")
}

/** Refuses what cannot be signed: anything but 32 bytes, zero, and what is not below the order. */
export function checkDigest(_digest: Bytes): Outcome<Bytes> {
  throw new Error("not implemented")
}

/** Everything about an order that can be refused before a presignature is taken for it. */
export function checkOrder(
  _order: EcdsaOrder,
  _context: {
    readonly public: PublicKeyPackage
    readonly rosterEpoch: number
    readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  },
): Outcome<null> {
  throw new Error("not implemented")
}

export interface EcdsaSigner {
  readonly public: PublicKeyPackage
  readonly identifier: Identifier
  readonly identity: DklsIdentity
}

/**
 * Issues this signer's online share. The caller must already have taken the presignature from
 * storage; it is wiped in any case. Aborts blame nobody: the coordinator puts orders together.
 *
 * @throws Error when the presignature was used before.
 */
export function ecdsaSign(
  _presignature: Presignature,
  _order: EcdsaOrder,
  _signer: EcdsaSigner,
): Outcome<Message> {
  throw new Error("not implemented")
}
