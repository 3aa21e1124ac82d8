/**
 * The oblivious pseudorandom function of RFC 9497, mode OPRF (0x00), suite ristretto255-SHA512.
 *
 * The server of the RFC appears here once, as `evaluateWithKey`: in a login no process knows the
 * key, and `combineEvaluations` replaces it.
 */
import {
  type Element,
  hashToRistretto255,
  hashToRistretto255Scalar,
  ristretto255,
  type Scalar,
  Secret,
  sha512,
} from "@lockkeeper/crypto"
import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import { u16Bytes } from "./labels.ts"

/** "OPRFV1-" || I2OSP(mode, 1) || "-" || identifier, RFC 9497 Section 3.1. */
const CONTEXT = concat(utf8("OPRFV1-"), Uint8Array.of(0), utf8("-ristretto255-SHA512"))
const GROUP_TAG = concat(utf8("HashToGroup-"), CONTEXT)
const DERIVE_TAG = concat(utf8("DeriveKeyPair"), CONTEXT)

/** Longest input: the RFC prefixes it with two length bytes. */
const INPUT_MAX_BYTES = 0xffff

function hashInput(input: Bytes): Element {
  if (input.length > INPUT_MAX_BYTES) throw new RangeError("OPRF input above 65535 bytes")
  const element = hashToRistretto255(input, GROUP_TAG)
  // Finding such an input is as hard as inverting the hash; the RFC raises InvalidInputError.
  if (ristretto255.isIdentity(element)) throw new RangeError("OPRF input hashes to the identity")
  return element
}

/**
 * `Blind`, RFC 9497 Section 3.3.1: hides the input behind a uniform non-zero scalar.
 *
 * @param blind - fresh for every login; two blindings with one scalar link their inputs.
 */
export function blind(input: Bytes, blind: Scalar): Element {
  return ristretto255.multiply(hashInput(input), blind)
}

/** `BlindEvaluate` with the whole key: registration's client, vectors and tests only. */
export function evaluateWithKey(key: Scalar, blinded: Element): Element {
  return ristretto255.multiply(blinded, key)
}

/** `Finalize`, RFC 9497 Section 3.3.1: 64 secret bytes that only input and key determine. */
export function finalize(input: Bytes, blind: Scalar, evaluated: Element): Secret {
  const inverse = ristretto255.invertScalar(blind)
  const unblinded = ristretto255.multiply(evaluated, inverse)
  inverse.fill(0)
  return finish(input, unblinded)
}

/** `Evaluate`, RFC 9497 Section 3.3.1: the output without blinding, for who knows key and input. */
export function evaluateUnblinded(key: Scalar, input: Bytes): Secret {
  return finish(input, ristretto255.multiply(hashInput(input), key))
}

function finish(input: Bytes, unblinded: Element): Secret {
  // hashInput = I2OSP(len(input), 2) || input || I2OSP(len(N), 2) || N || "Finalize"
  const output = sha512(
    u16Bytes(input.length),
    input,
    u16Bytes(unblinded.length),
    unblinded,
    utf8("Finalize"),
  )
  unblinded.fill(0)
  return new Secret(output)
}

/** A private scalar and its public image. */
export interface KeyPair {
  readonly privateKey: Secret
  readonly publicKey: Element
}

/**
 * `DeriveKeyPair`, RFC 9497 Section 3.2.1.
 *
 * @param seed - 32 uniform bytes.
 * @param info - at most 65535 bytes of domain separation.
 */
export function deriveKeyPair(seed: Bytes, info: Bytes): KeyPair {
  const input = concat(seed, u16Bytes(info.length), info)
  for (let counter = 0; counter <= 0xff; counter++) {
    const message = concat(input, Uint8Array.of(counter))
    const scalar = hashToRistretto255Scalar(message, DERIVE_TAG)
    message.fill(0)
    if (ristretto255.isZeroScalar(scalar)) continue
    input.fill(0)
    return { privateKey: new Secret(scalar), publicKey: ristretto255.multiplyBase(scalar) }
  }
  // 256 zero scalars in a row: probability 2^-64512.
  throw new RangeError("no key pair follows from this seed")
}

/** The scalar inside a secret; refuses zero and unreduced bytes. @throws DecodeError */
export function scalarOf(secret: Secret): Scalar {
  return ristretto255.decodeNonZeroScalar(secret.expose())
}

/** A uniform non-zero scalar from 64 random bytes. */
export function randomScalar(randomness: Bytes): Scalar {
  const scalar = ristretto255.scalarFromUniform(randomness)
  if (ristretto255.isZeroScalar(scalar)) throw new RangeError("randomness reduces to zero")
  return scalar
}
