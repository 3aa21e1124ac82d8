import type { Element, Identifier, Scalar, Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { ChildPath } from "../child-path.ts"
import type { KeyCertificate, PublicKeyPackage } from "../keys.ts"
import type { Message } from "../messages/message.ts"
import type { Signer } from "../messages/signature.ts"
import type { PairSetup } from "./ot/index.ts"

/** What a participant acts with; `verifyKeys` holds everyone's identity keys, additive ones' too. */
export interface DklsIdentity {
  readonly signer: Signer
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** What a run of pair setups is asked for. */
export interface SetupParams {
  /** 32 bytes, chosen by whoever asks for the run. */
  readonly setupId: Bytes
  readonly rosterEpoch: number
  /** 2 to 24, strictly ascending. */
  readonly participants: readonly Identifier[]
}

/** How one participant stands to another. */
export type PairStatus =
  | { readonly kind: "none" }
  | { readonly kind: "live"; readonly setupDigest: Bytes }
  /** It failed once: never set up again in this rosterEpoch. */
  | { readonly kind: "dead" }

export interface SetupContext {
  readonly params: SetupParams
  readonly identifier: Identifier
  readonly identity: DklsIdentity
  /** Status of the pair with each other participant; one that is missing has none. */
  readonly pairs: ReadonlyMap<Identifier, PairStatus>
}

/** 1 open, 2 exchange, 3 confirm, 4 activate. */
export type SetupStep = 1 | 2 | 3 | 4

export interface SetupAnswer {
  /** Input of the next step; null when there is none. A secret: wipe it once it was used. */
  readonly state: Bytes | null
  /** Null at the last step. */
  readonly message: Message | null
  /** The pairs that this run has set up, at the last step; empty before. */
  readonly pairs: ReadonlyMap<Identifier, PairSetup>
}

/** What a run of presigning is asked for. */
export interface PresignParams {
  /** 32 bytes, chosen by whoever asks for the run. */
  readonly batchId: Bytes
  readonly keyId: Bytes
  readonly keyEpoch: number
  /** The roster in force, to which the pairs belong. */
  readonly rosterEpoch: number
  /** Strictly ascending: minSigners of the servers and every additive participant. */
  readonly signers: readonly Identifier[]
  /** 1 to `maxBatch(signers.length)`. */
  readonly count: number
}

export interface PresignContext {
  readonly params: PresignParams
  readonly public: PublicKeyPackage
  /** Of the same key: what evidence about a share of it needs. */
  readonly certificate: KeyCertificate
  readonly identifier: Identifier
  readonly identity: DklsIdentity
}

/** Not wiped by the steps that use them: their owner does that. */
export interface PresignSecrets {
  readonly signingShare: Secret
  /** The pair with each other signer. */
  readonly pairs: ReadonlyMap<Identifier, PairSetup>
}

/** 1 open, 2 exchange, 3 publish, 4 confirm, 5 activate. */
export type PresignStep = 1 | 2 | 3 | 4 | 5

export interface PresignAnswer {
  /** Input of the next step; null when there is none. A secret: wipe it once it was used. */
  readonly state: Bytes | null
  /** Null at the last step. */
  readonly message: Message | null
  /** Whom `message` accuses: the run is over, and the pair with it is dead. */
  readonly accused: Identifier | null
  /** At the last step; empty before. */
  readonly presignatures: readonly Presignature[]
}

/** One signer's public values of one presignature, by which its online share is judged. */
export interface SignerRecord {
  /** F = phi_i*G */
  readonly phi: Element
  /** U = u_i*G */
  readonly u: Element
  /** V = v_i*G */
  readonly v: Element
}

/** What every signer of a presignature has confirmed of it. */
export interface PresignatureRecord {
  readonly keyId: Bytes
  readonly keyEpoch: number
  readonly rosterEpoch: number
  /** Of the run that made it. */
  readonly sessionId: Bytes
  /** Its place in the batch, from 0. */
  readonly index: number
  readonly verifyingKey: Element
  /** R = r*G, before it is randomised anew. Stays with the signers until it is used. */
  readonly nonce: Element
  readonly signers: ReadonlyMap<Identifier, SignerRecord>
}

export interface PresignatureCertificate {
  readonly record: PresignatureRecord
  /** Digest of every record of the batch, in order: what was confirmed. */
  readonly batch: readonly Bytes[]
  /** Each signer's identity signature over the session and `batch`. */
  readonly confirmations: ReadonlyMap<Identifier, Bytes>
}

/**
 * One signer's part of one presignature. Using it for two messages gives the key away: take it from
 * storage in the transaction whose commit lets the share leave. `ecdsaSign` wipes it.
 */
export interface Presignature {
  /** Digest of the record. */
  readonly id: Bytes
  readonly identifier: Identifier
  readonly certificate: PresignatureCertificate
  readonly phi: Secret
  readonly u: Secret
  readonly v: Secret
}

/** What one signer set is asked to sign. Signers sign its digest with their shares. */
export interface EcdsaOrder {
  readonly presignatureId: Bytes
  readonly keyId: Bytes
  readonly keyEpoch: number
  readonly rosterEpoch: number
  /** Digest of the authorised request that this answers. */
  readonly requestDigest: Bytes
  /** Which try of the request this is, from 1. */
  readonly attempt: number
  /** m: 32 bytes, see `checkDigest`. */
  readonly digest: Bytes
  /** The child key that signs. */
  readonly path: ChildPath
  /** Ascending; those of the presignature. */
  readonly signers: readonly Identifier[]
  /** One nonce message of each signer, in the same order. */
  readonly nonces: readonly Message[]
}

/** A signer's online share, as its body says it. */
export interface PartialSignature {
  /** R of the presignature: with it the coordinator can compute R'. */
  readonly nonce: Element
  /** u_i + delta*phi_i */
  readonly u: Scalar
  /** m*phi_i + r'*(v_i + tau*phi_i) */
  readonly w: Scalar
}

export interface EcdsaSignature {
  /** 32 bytes. */
  readonly r: Scalar
  /** 32 bytes, at most half the order. */
  readonly s: Scalar
  /** 0 to 3: parity of R.y, plus 2 when R.x is not below the order. */
  readonly recovery: number
  /** The child key that signed, compressed. */
  readonly publicKey: Element
}
