import {
  LockKeeperError,
  type LogPosition,
  type SignContent,
  type SignEcdsaOutput,
  signEcdsaInput,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode, toHex } from "@lockkeeper/encoding"
import { type ChildPath, dkls, type Message, messageCodec } from "@lockkeeper/protocols"
import type { Material } from "./ecdsa-material.ts"
import type { IncidentLog } from "./incidents.ts"
import type { KeyInfo } from "./key-info.ts"
import type { Logged } from "./principal.ts"
import type { SignerSet } from "./signer-sets.ts"
import type { Trust } from "./trust.ts"

export interface EcdsaSigningOrder {
  readonly key: KeyInfo
  readonly path: ChildPath
  readonly content: SignContent
  /** 32 bytes: what the servers derive from the content. Here it only judges their answers. */
  readonly digest: Bytes
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

export interface EcdsaSigned {
  /** 32 bytes, big endian. */
  readonly r: Bytes
  /** 32 bytes, big endian, at most half the group's order. */
  readonly s: Bytes
  /** 0 to 3: with it the public key can be found from the signature. */
  readonly recovery: number
  /** 33 bytes: the child key that signed, compressed. */
  readonly publicKey: Bytes
  readonly signers: readonly Identifier[]
  readonly log: readonly Logged[]
}

/** How an attempt ended whose signers all answered. */
export type EcdsaConclusion =
  | { readonly kind: "signed"; readonly signed: EcdsaSigned }
  /** Those to sign without; none where it cannot be told. */
  | { readonly kind: "failed"; readonly unusable: readonly Identifier[] }

/** One use of one presignature by one signer set, and the shares that its signers have sent. */
export class EcdsaAttempt {
  readonly set: SignerSet
  /** The step under which the servers keep their answers. */
  readonly number: number
  readonly #trust: Trust
  readonly #order: EcdsaSigningOrder
  readonly #material: Material
  readonly #signs: dkls.EcdsaOrder
  readonly #shares = new Map<Identifier, Message>()
  readonly #certificates = new Map<string, Bytes>()
  readonly #log: Logged[] = []

  constructor(
    trust: Trust,
    order: EcdsaSigningOrder,
    place: { readonly requestDigest: Bytes; readonly number: number; readonly set: SignerSet },
    material: Material,
  ) {
    const { requestDigest, number, set } = place
    const { keyId, keyEpoch } = order.key.certificate.public
    const { rosterEpoch } = trust.roster
    this.set = set
    this.number = number
    this.#trust = trust
    this.#order = order
    this.#material = material
    this.#signs = {
      ...{ presignatureId: material.presignature, keyId, keyEpoch, rosterEpoch, requestDigest },
      ...{ attempt: number, digest: order.digest, path: order.path, signers: set },
      nonces: material.nonces.map(({ message }) => message),
    }
  }

  /**
   * Whose nonce the others would refuse, or null when all is well: servers blame nobody for it, and
   * neither can we prove more than that.
   *
   * @throws LockKeeperError `invalid-request` when what is asked for cannot be signed by anyone.
   */
  whoseNonceIsWrong(): Identifier | null {
    const { public: pkg } = this.#order.key.certificate
    const { verifyKeys } = this.#trust
    const checked = dkls.checkOrder(this.#signs, { public: pkg, verifyKeys })
    if (checked.ok) return null
    const { field, reason } = checked.abort
    const [part, index] = field.split(".")
    const server = part === "nonces" ? this.set[Number(index)] : undefined
    if (server !== undefined) return server
    throw new LockKeeperError("invalid-request", `It cannot be signed: ${reason}.`, { field })
  }

  /** What is sent to a signer. @param prepare - how many nonces it is to send along. */
  input(prepare: number): Bytes {
    const { presignature, nonces } = this.#material
    const encoded = nonces.map((nonce) => nonce.encoded)
    return encode(signEcdsaInput, {
      keyEpoch: this.#signs.keyEpoch,
      presignature,
      nonces: encoded,
      prepare,
    })
  }

  /** @throws DecodeError on what is no message. */
  add(
    server: Identifier,
    { share, certificate }: Pick<SignEcdsaOutput, "share" | "certificate">,
    log: LogPosition,
  ): void {
    this.#shares.set(server, decode(messageCodec, share))
    this.#certificates.set(toHex(certificate), certificate)
    this.#log.push({ server, log })
  }

  /**
   * The verified signature, or whose shares cannot be used: the incidents say why.
   *
   * @throws LockKeeperError `invalid-request` when all signers signed another digest than the order's.
   */
  conclude(): EcdsaConclusion {
    const { incidents } = this.#order
    let unusable: readonly Identifier[] = []
    // A signer may give another certificate than the others: each is tried.
    for (const encoded of this.#certificates.values()) {
      const outcome = this.#combine(encoded)
      if (outcome === null) continue
      if (outcome.ok) return { kind: "signed", signed: this.#signed(outcome.value) }
      const { culprits, silent } = outcome.abort
      if (silent.length === this.set.length) throw otherDigest()
      if (culprits.length > 0 || unusable.length === 0) unusable = [...culprits, ...silent]
      incidents.aborted(outcome.abort)
    }
    return { kind: "failed", unusable }
  }

  #combine(encoded: Bytes) {
    const certificate = decodeCertificate(encoded)
    if (certificate === null) return null
    return dkls.ecdsaCombine({
      order: this.#signs,
      certificate,
      keyCertificate: this.#order.key.certificate,
      shares: this.#shares,
      verifyKeys: this.#trust.verifyKeys,
    })
  }

  #signed({ r, s, recovery, publicKey }: dkls.EcdsaSignature): EcdsaSigned {
    return { r, s, recovery, publicKey, signers: this.set, log: this.#log }
  }
}

function decodeCertificate(encoded: Bytes): dkls.PresignatureCertificate | null {
  try {
    return decode(dkls.presignatureCertificateCodec, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

function otherDigest(): LockKeeperError {
  return new LockKeeperError(
    "invalid-request",
    "The servers derive another digest from the content than the one given.",
    { field: "digest", remedy: "Compute the digest from the content that is sent." },
  )
}
