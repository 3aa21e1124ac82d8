import {
  type Element,
  type Group,
  type GroupName,
  groupByName,
  hashValue,
  hmacSha512,
  type Scalar,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  encode,
  fixedBytes,
  struct,
  text,
  u8,
  u32,
} from "@lockkeeper/encoding"
import { assertChildPath, type ChildPath } from "./child-path.ts"
import type { PublicKeyPackage } from "./keys.ts"

/**
 * Child keys: BIP32's public derivation for secp256k1, and the same form under our own label for the
 * other groups, which is not SLIP-10. Everything here is public: a child's secret key is the master's
 * plus `tweak`, so whoever learns one child's secret key and the chain code has the master key too.
 */
export interface ChildKey {
  /** What the child's secret key has more than the master's: the sum of all I_L. */
  readonly tweak: Scalar
  readonly verifyingKey: Element
  readonly chainCode: Bytes
  /** Null for the key itself. */
  readonly parentKey: Element | null
  readonly depth: number
  /** Its number under its parent; 0 for the key itself. */
  readonly childNumber: number
}

interface ChainCodeInput {
  readonly keyId: Bytes
  readonly verifyingKey: Element
}

/**
 * The 32-byte chain code of the master: a hash of what everyone knows of the key, so that it needs no
 * key generation of its own and stays the same through every refresh. As public as an extended key.
 */
export function chainCodeOf(pkg: PublicKeyPackage): Bytes {
  const codec = struct<ChainCodeInput>({
    keyId: fixedBytes(32),
    verifyingKey: groupByName(pkg.group).element,
  })
  return hashValue("chain-code", codec, { keyId: pkg.keyId, verifyingKey: pkg.verifyingKey })
}

/** One step of a derivation: I_L as a scalar, and I_R. */
interface Step {
  readonly tweak: Scalar
  readonly chainCode: Bytes
}

/** I = HMAC-SHA512(c_par, ser_P(K_par) || ser_32(i)), BIP32. */
function bip32Step(group: Group, parentKey: Element, chainCode: Bytes, childNumber: number): Step {
  const digest = hmacSha512(chainCode, parentKey, encode(u32, childNumber))
  try {
    return { tweak: group.decodeScalar(digest.subarray(0, 32)), chainCode: digest.slice(32) }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new RangeError("no such child")
  }
}

interface LabelledStep {
  readonly label: string
  readonly group: GroupName
  readonly parentKey: Element
  readonly childNumber: number
}

/**
 * Ours: as in BIP32, with two labelled HMACs, since a half of one is too short to be reduced modulo
 * an order of 2^252 without bias.
 */
function labelledStep(
  group: Group,
  parentKey: Element,
  chainCode: Bytes,
  childNumber: number,
): Step {
  const codec = struct<LabelledStep>({
    label: text(64),
    group: text(32) as Codec<GroupName>,
    parentKey: group.element,
    childNumber: u32,
  })
  const hash = (purpose: string) => {
    const label = `lockkeeper/child-key/${purpose}`
    const input = { label, group: group.name, parentKey, childNumber }
    return hmacSha512(chainCode, encode(codec, input))
  }
  return {
    tweak: group.scalarFromUniform(hash("tweak")),
    chainCode: hash("chain-code").slice(0, 32),
  }
}

/**
 * CKDpub((K_par, c_par), i) -> (K_i, c_i) of BIP32, with I_L beside them.
 *
 * @throws RangeError "no such child" where BIP32 says to go on with the next number: with
 * probability below 2^-127.
 */
export function ckdPublic(
  group: Group,
  parentKey: Element,
  chainCode: Bytes,
  childNumber: number,
): Step & { readonly verifyingKey: Element } {
  assertChildPath([childNumber])
  const step = group.name === "secp256k1" ? bip32Step : labelledStep
  const { tweak, chainCode: childCode } = step(group, parentKey, chainCode, childNumber)
  // K_i = point(I_L) + K_par
  const verifyingKey = group.add(group.multiplyBase(tweak), parentKey)
  if (group.isIdentity(verifyingKey)) throw new RangeError("no such child")
  return { tweak, chainCode: childCode, verifyingKey }
}

/**
 * The child at the end of a path.
 *
 * @throws RangeError when the path leads to no child: check it with its codec first.
 */
export function deriveChild(pkg: PublicKeyPackage, path: ChildPath): ChildKey {
  assertChildPath(path)
  const group = groupByName(pkg.group)
  let child: ChildKey = {
    tweak: group.zero,
    verifyingKey: pkg.verifyingKey,
    chainCode: chainCodeOf(pkg),
    parentKey: null,
    depth: 0,
    childNumber: 0,
  }
  for (const childNumber of path) {
    const { verifyingKey: parentKey, chainCode, depth } = child
    const step = ckdPublic(group, parentKey, chainCode, childNumber)
    const tweak = group.addScalars(child.tweak, step.tweak)
    child = { ...step, tweak, parentKey, depth: depth + 1, childNumber }
  }
  return child
}

const MAINNET_PUBLIC = 0x0488_b21e

interface ExtendedPublicKey {
  readonly version: number
  readonly depth: number
  readonly fingerprint: Bytes
  readonly childNumber: number
  readonly chainCode: Bytes
  readonly verifyingKey: Element
}

/**
 * BIP32's serialisation of an extended public key, without base58check: 78 bytes, from which a
 * wallet derives all further children by itself.
 *
 * @param fingerprintOfParent - first 4 bytes of HASH160 of the parent key; zeros for the key itself.
 * @throws RangeError for keys of other groups, and for a fingerprint of another length or of no parent.
 */
export function extendedPublicKeyBytes(
  pkg: PublicKeyPackage,
  path: ChildPath,
  fingerprintOfParent: Bytes,
): Bytes {
  if (pkg.group !== "secp256k1") throw new RangeError("only secp256k1 has extended public keys")
  if (path.length === 0 && fingerprintOfParent.some((byte) => byte !== 0)) {
    throw new RangeError("the master key has no parent")
  }
  const { verifyingKey, chainCode, depth, childNumber } = deriveChild(pkg, path)
  return extendedBytes({
    depth,
    fingerprint: fingerprintOfParent,
    childNumber,
    chainCode,
    verifyingKey,
  })
}

/** The serialisation itself. */
export function extendedBytes(key: Omit<ExtendedPublicKey, "version">): Bytes {
  const codec = struct<ExtendedPublicKey>({
    version: u32,
    depth: u8,
    fingerprint: fixedBytes(4),
    childNumber: u32,
    chainCode: fixedBytes(32),
    verifyingKey: groupByName("secp256k1").element,
  })
  return encode(codec, { ...key, version: MAINNET_PUBLIC })
}
