import {
  edwards25519,
  expandMessageXmd,
  type Group,
  ristretto255,
  type Scalar,
  secp256k1,
  sha256,
  sha512,
} from "@lockkeeper/crypto"
import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import { KEY_TYPES, type KeyType } from "../key-types.ts"
import { taggedHash } from "./taproot.ts"

/**
 * A FROST ciphersuite: a group and the hashes H1 to H5, RFC 9591 Section 6. Each hash takes the
 * parts of its input, already encoded without ambiguity by the caller.
 */
export interface Ciphersuite {
  readonly contextString: string
  readonly group: Group
  /** Keys, commitments and signatures by x-coordinate, with even y (BIP340). */
  readonly xOnly: boolean
  /** Binding factors. */
  h1(...parts: readonly Uint8Array[]): Scalar
  /** Challenge. */
  h2(...parts: readonly Uint8Array[]): Scalar
  /** Nonces. */
  h3(...parts: readonly Uint8Array[]): Scalar
  /** Message digest. */
  h4(message: Uint8Array): Bytes
  /** Commitment list digest. */
  h5(commitments: Uint8Array): Bytes
}

type Hash = (...parts: readonly Uint8Array[]) => Bytes
type ToScalar = (...parts: readonly Uint8Array[]) => Scalar

/** The three suites over SHA-512 and the two over SHA-256 differ in how bytes become scalars. */
function ciphersuite(
  contextString: string,
  group: Group,
  hash: Hash,
  toScalar: (label: Bytes) => ToScalar,
  options: { readonly xOnly?: boolean; readonly h2?: ToScalar } = {},
): Ciphersuite {
  const label = (purpose: string) => utf8(contextString + purpose)
  const message = label("msg")
  const commitments = label("com")
  return {
    contextString,
    group,
    xOnly: options.xOnly ?? false,
    h1: toScalar(label("rho")),
    h2: options.h2 ?? toScalar(label("chal")),
    h3: toScalar(label("nonce")),
    h4: (input) => hash(message, input),
    h5: (input) => hash(commitments, input),
  }
}

const wideSha512 =
  (group: Group) =>
  (label: Bytes): ToScalar =>
  (...parts) => {
    const digest = sha512(label, ...parts)
    const scalar = group.scalarFromUniform(digest)
    // Nonces are made this way.
    digest.fill(0)
    return scalar
  }

/** Left-pads to the 64 bytes that the group reduces, big-endian as secp256k1 reads them. */
function reduceBigEndian(bytes: Uint8Array): Scalar {
  const wide = new Uint8Array(64)
  wide.set(bytes, 64 - bytes.length)
  const scalar = secp256k1.scalarFromUniform(wide)
  wide.fill(0)
  return scalar
}

/** `hash_to_field` of RFC 9380 Section 5.2 with L = 48 and the label as DST, modulo the order. */
const hashToField =
  (label: Bytes): ToScalar =>
  (...parts) => {
    const message = concat(...parts)
    const expanded = expandMessageXmd("sha256", message, label, 48)
    const scalar = reduceBigEndian(expanded)
    // Nonces are made this way, from a message that ends in the signing share.
    message.fill(0)
    expanded.fill(0)
    return scalar
  }

/** The tagged hash as an integer modulo the order, BIP340 verification step 4. */
const bip340Challenge: ToScalar = (...parts) =>
  reduceBigEndian(taggedHash("BIP0340/challenge", ...parts))

/** RFC 9591 Section 6.1. The challenge has no label, so that the result is an Ed25519 signature. */
export const frostEd25519: Ciphersuite = ciphersuite(
  "FROST-ED25519-SHA512-v1",
  edwards25519,
  sha512,
  wideSha512(edwards25519),
  { h2: wideSha512(edwards25519)(utf8("")) },
)

/** RFC 9591 Section 6.2. */
export const frostRistretto255: Ciphersuite = ciphersuite(
  "FROST-RISTRETTO255-SHA512-v1",
  ristretto255,
  sha512,
  wideSha512(ristretto255),
)

/** RFC 9591 Section 6.5. */
export const frostSecp256k1: Ciphersuite = ciphersuite(
  "FROST-secp256k1-SHA256-v1",
  secp256k1,
  sha256,
  hashToField,
)

/**
 * BIP340 signatures, in the form of ZF frost's `frost-secp256k1-tr`. Not in RFC 9591: the challenge
 * is BIP340's tagged hash, and keys and group commitments are negated to even y.
 */
export const frostBip340: Ciphersuite = ciphersuite(
  "FROST-secp256k1-SHA256-TR-v1",
  secp256k1,
  sha256,
  hashToField,
  { xOnly: true, h2: bip340Challenge },
)

const SUITES: Readonly<Record<FrostKeyType, Ciphersuite>> = {
  ed25519: frostEd25519,
  bip340: frostBip340,
  "frost-ristretto255": frostRistretto255,
  "frost-secp256k1": frostSecp256k1,
}

/** Key types that FROST signs for. An ECDSA key never signs both ways. */
export type FrostKeyType = Exclude<KeyType, "ecdsa-secp256k1">

export function isFrostKeyType(keyType: KeyType): keyType is FrostKeyType {
  return keyType !== "ecdsa-secp256k1"
}

export const FROST_KEY_TYPES: readonly FrostKeyType[] = KEY_TYPES.filter(isFrostKeyType)

/** The suite that signs for keys of a type. @throws RangeError for one that is not FROST's. */
export function suiteOf(keyType: KeyType): Ciphersuite {
  if (!isFrostKeyType(keyType)) throw new RangeError(`FROST does not sign for ${keyType} keys`)
  return SUITES[keyType]
}
