import {
  type Element,
  evaluatePolynomial,
  type Identifier,
  type Scalar,
  Secret,
  type SigningKey,
  secp256k1,
} from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { confirmKey, type KeyCertificate, type PublicKeyPackage } from "@lockkeeper/protocols"
import { identityOf, seeded } from "../seeded.ts"

const group = secp256k1

export const ROSTER_EPOCH = 7

/** Servers 1 to n with the shares of one key. */
export interface Parties {
  readonly public: PublicKeyPackage
  readonly certificate: KeyCertificate
  readonly verifyKeys: ReadonlyMap<Identifier, Bytes>
  readonly identities: ReadonlyMap<Identifier, SigningKey>
  readonly shares: ReadonlyMap<Identifier, Secret>
}

export interface PartiesOptions {
  readonly minSigners: number
  readonly servers: number
  readonly seed?: string
}

/** An ECDSA key with everyone's identity and the certificate that all have signed. */
export function dealtParties({ minSigners, servers, seed = "key" }: PartiesOptions): Parties {
  const scalar = (name: string): Scalar => group.scalarFromUniform(seeded(`${seed}/${name}`, 64))
  const coefficients = Array.from({ length: minSigners }, (_, i) => scalar(`coefficient/${i}`))
  const identities = new Map<Identifier, SigningKey>()
  const shares = new Map<Identifier, Secret>()
  const images = new Map<Identifier, Element>()
  for (let identifier = 1; identifier <= servers; identifier++) {
    const share = evaluatePolynomial(group, coefficients, identifier)
    // Identities are those of the roster, whatever the key.
    identities.set(identifier, identityOf(identifier))
    shares.set(identifier, Secret.copyOf(share))
    images.set(identifier, group.multiplyBase(share))
  }
  const pkg: PublicKeyPackage = {
    keyId: seeded(`${seed}/id`),
    ...{ keyType: "ecdsa-secp256k1", group: "secp256k1" },
    ...{ keyEpoch: 1, rosterEpoch: ROSTER_EPOCH, minSigners },
    verifyingKey: group.multiplyBase(coefficients[0]!),
    verifyingShares: images,
    additive: new Map(),
  }
  const confirmations = new Map([...identities].map(([id, key]) => [id, confirmKey(key, pkg)]))
  const verifyKeys = new Map([...identities].map(([id, key]) => [id, key.publicKey]))
  return {
    public: pkg,
    certificate: { public: pkg, confirmations },
    verifyKeys,
    identities,
    shares,
  }
}
