import {
  type DleqProof,
  dleqProofCodec,
  type Element,
  hashValue,
  type Identifier,
  identifierCodec,
  type PossessionProof,
  possessionProofCodec,
  type Scalar,
  secp256k1,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  numberMap,
  struct,
  union,
} from "@lockkeeper/encoding"
import { signatureCodec } from "../../messages/signature.ts"
import { point } from "../codec.ts"
import { LABELS } from "../labels.ts"
import { MAX_SIGNERS, maxBatch, PART_MAX } from "../limits.ts"

const MAX_COUNT = maxBatch(2)

/** Bytes of what one signer publishes at steps 2 or 3, so that all of it fits into evidence. */
export const PAYLOAD_MAX = 8 * 1024

/** Step 1, to all. The nonce is the session of the message. */
export interface OpenPayload {
  /** Digest of the run's parameters. */
  readonly params: Bytes
  /** Digest of the key's public package, see `keyDigest`. */
  readonly key: Bytes
  /** Hash of every R_i and Z_ij, see `noncesCommitment`. */
  readonly commitment: Bytes
  /** Which setup the sender uses with each other signer. */
  readonly setups: ReadonlyMap<Identifier, Bytes>
  /** Diffie-Hellman key for this run alone: see `sealing.ts`. */
  readonly ephemeral: Element
}

export const openPayloadCodec: Codec<OpenPayload> = struct<OpenPayload>({
  params: fixedBytes(32),
  key: fixedBytes(32),
  commitment: fixedBytes(32),
  setups: numberMap(identifierCodec, fixedBytes(32), MAX_SIGNERS),
  ephemeral: point,
})

/** What the sender says of its multiplications with one other signer, for each presignature. */
export interface ProductPayload {
  /** Gamma^u_ij = c^u_ij*G */
  readonly gammaU: readonly Element[]
  /** Gamma^v_ij = c^v_ij*G */
  readonly gammaV: readonly Element[]
  /** psi_ij = phi_i - chi_ij */
  readonly psi: readonly Scalar[]
}

/** Step 2, to all signers and nobody else: its digest is broadcast, itself is sealed to each. */
export interface ExchangePayload {
  readonly blinding: Bytes
  /** R_i of each presignature. */
  readonly nonces: readonly Element[]
  /** Z_ij = zeta_ij*G */
  readonly zeros: ReadonlyMap<Identifier, Element>
  /** pk_i = sk_i*G */
  readonly keyShare: Element
  readonly products: ReadonlyMap<Identifier, ProductPayload>
}

export const exchangePayloadCodec: Codec<ExchangePayload> = struct<ExchangePayload>({
  blinding: fixedBytes(32),
  nonces: list(point, MAX_COUNT),
  zeros: numberMap(identifierCodec, point, MAX_SIGNERS),
  keyShare: point,
  products: numberMap(
    identifierCodec,
    struct<ProductPayload>({
      gammaU: list(point, MAX_COUNT),
      gammaV: list(point, MAX_COUNT),
      psi: list(secp256k1.scalar, MAX_COUNT),
    }),
    MAX_SIGNERS,
  ),
})

/** Step 3, likewise: one signer's public values of one presignature, and proofs about them. */
export interface PublishPayload {
  /** F_i = phi_i*G */
  readonly phi: Element
  /** U_i = u_i*G */
  readonly u: Element
  /** V_i = v_i*G */
  readonly v: Element
  /** phi_i*R */
  readonly phiNonce: Element
  /** phi_i*pk */
  readonly phiKey: Element
  readonly possessionU: PossessionProof
  readonly possessionV: PossessionProof
  /** One phi_i behind F_i, phi_i*R and phi_i*pk. */
  readonly samePhi: DleqProof
}

const possession = possessionProofCodec(secp256k1)

export const publishPayloadCodec: Codec<readonly PublishPayload[]> = list(
  struct<PublishPayload>({
    phi: point,
    u: point,
    v: point,
    phiNonce: point,
    phiKey: point,
    possessionU: possession,
    possessionV: possession,
    samePhi: dleqProofCodec(secp256k1),
  }),
  MAX_COUNT,
)

/** What a message of steps 2 to 4 says to everyone, the coordinator included. */
export type SaidPayload =
  /** Steps 2 and 3: the digest of what is sealed to each signer. */
  | { readonly kind: "digest"; readonly digest: Bytes }
  /** Step 4: a signature over every record of the batch. */
  | { readonly kind: "confirm"; readonly signature: Bytes }
  /** What this signer sealed or multiplied for the sender is wrong. Nothing else is said then. */
  | { readonly kind: "accuse"; readonly accused: Identifier }

export const saidPayloadCodec: Codec<SaidPayload> = union<SaidPayload>({
  digest: struct({ digest: fixedBytes(32) }),
  confirm: struct({ signature: signatureCodec }),
  accuse: struct({ accused: identifierCodec }),
})

/** What is sealed to one signer: what everyone gets, and the multiplication with this one. */
export interface SealedPayload {
  readonly payload: Bytes
  /** Empty at step 3. */
  readonly product: Bytes
}

export const sealedPayloadCodec: Codec<SealedPayload> = struct<SealedPayload>({
  payload: bytes(PAYLOAD_MAX),
  product: bytes(PART_MAX),
})

interface Sealed {
  readonly sessionId: Bytes
  readonly sender: Identifier
  readonly payload: Bytes
}

const digestedCodec = struct<Sealed>({
  sessionId: fixedBytes(32),
  sender: identifierCodec,
  payload: bytes(PAYLOAD_MAX),
})

/** What stands in the broadcast for a payload that the coordinator is not to see. */
export function payloadDigest(sealed: Sealed): Bytes {
  return hashValue(LABELS.payload, digestedCodec, sealed)
}

interface Nonces extends Pick<ExchangePayload, "nonces" | "zeros" | "blinding"> {
  readonly params: Bytes
  readonly sender: Identifier
}

const noncesCodec = struct<Nonces>({
  params: fixedBytes(32),
  sender: identifierCodec,
  nonces: list(point, MAX_COUNT),
  zeros: numberMap(identifierCodec, point, MAX_SIGNERS),
  blinding: fixedBytes(32),
})

/** The hash that step 1 publishes: bound to the run and its sender, so a copied one opens nowhere. */
export function noncesCommitment(nonces: Nonces): Bytes {
  return hashValue(LABELS.commitment, noncesCodec, nonces)
}
