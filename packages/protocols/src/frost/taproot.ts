import { type Element, type Scalar, secp256k1, sha256 } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  concat,
  encode,
  equalBytes,
  fixedBytes,
  struct,
  union,
  utf8,
} from "@lockkeeper/encoding"

/**
 * How the key that signs differs from the key that was generated, BIP341: not at all; tweaked for
 * spending by key alone (an empty merkle root, as BIP86 asks); or tweaked with a script tree's root.
 */
export type Tweak =
  | { readonly kind: "none" }
  | { readonly kind: "key-path" }
  | { readonly kind: "merkle-root"; readonly root: Bytes }

export const NO_TWEAK: Tweak = { kind: "none" }

/** Append nothing here: what follows them is taken, see `tweaked-child.ts`. */
export const tweakVariants = {
  none: struct({}),
  "key-path": struct({}),
  "merkle-root": struct<{ readonly root: Bytes }>({ root: fixedBytes(32) }),
}

export const tweakCodec: Codec<Tweak> = union<Tweak>(tweakVariants)

/** Whether two tweaks are the same. */
export function equalTweaks(a: Tweak, b: Tweak): boolean {
  return equalBytes(encode(tweakCodec, a), encode(tweakCodec, b))
}

/** SHA-256(SHA-256(tag) || SHA-256(tag) || parts), BIP340. */
export function taggedHash(tag: string, ...parts: readonly Uint8Array[]): Bytes {
  const tagHash = sha256(utf8(tag))
  return sha256(tagHash, tagHash, ...parts)
}

/** Whether a secp256k1 element's y is even: what BIP340 assumes of every x-only key. */
export function hasEvenY(element: Element): boolean {
  return element[0] === 2
}

/** The 32-byte x-coordinate under which BIP340 and BIP341 know a secp256k1 element. */
export function xOnly(element: Element): Bytes {
  return element.slice(1)
}

/** The element with even y for an x-coordinate, BIP340 `lift_x`. @throws DecodeError off the curve. */
export function liftX(x: Uint8Array): Element {
  return secp256k1.decodeElement(concat(Uint8Array.of(2), x))
}

/**
 * t = int(hash_TapTweak(x(P) || root)), BIP341 `taproot_tweak_pubkey`; null when nothing is tweaked.
 *
 * @throws DecodeError when the hash is not below the group order, which happens to no one.
 */
export function tweakScalar(internalKey: Element, tweak: Tweak): Scalar | null {
  if (tweak.kind === "none") return null
  const root = tweak.kind === "merkle-root" ? tweak.root : new Uint8Array(0)
  return secp256k1.decodeScalar(taggedHash("TapTweak", xOnly(internalKey), root))
}
