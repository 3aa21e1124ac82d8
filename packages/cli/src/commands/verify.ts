import { KEY_TYPES, type KeyType, LockKeeperError } from "@lockkeeper/api"
import { type Element, edwards25519, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError, decode } from "@lockkeeper/encoding"
import { ecdsa, frost, type PublicKeyPackage } from "@lockkeeper/protocols"
import { type AddCommands, option, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import { checkDigestLength, MESSAGE_OPTIONS, type MessageOptions, readMessage } from "../message.ts"
import { hexArgument } from "../text.ts"
import { merkleRootOf, TAPROOT_OPTIONS, type TaprootOptions } from "./sign.ts"

interface VerifyOptions extends MessageOptions, TaprootOptions {
  readonly type: KeyType
  readonly publicKey: string
  readonly signature: string
}

/** `lockkeeper verify`: check a signature offline, with nothing but the public key. */
export const addVerify: AddCommands = (add) =>
  add<VerifyOptions>({
    usage: "verify",
    summary: "Check a signature offline against a public key",
    options: [
      option("--type <type>", "ed25519, bip340 or ecdsa-secp256k1")
        .choices(KEY_TYPES)
        .makeOptionMandatory(),
      option(
        "--public-key <digits>",
        "32 or 33 bytes, as keys show prints it",
      ).makeOptionMandatory(),
      option("--signature <digits>", "64 bytes").makeOptionMandatory(),
      ...MESSAGE_OPTIONS,
      ...TAPROOT_OPTIONS,
    ],
    examples: [
      "lockkeeper verify --type ed25519 --public-key $KEY --signature $SIG --message hello",
      "lockkeeper verify --type bip340 --public-key $KEY --signature $SIG --hex $SIGHASH --taproot",
      "lockkeeper verify --type ecdsa-secp256k1 --public-key $KEY --signature $SIG --hex $DIGEST",
    ],
    async run({ terminal }, options) {
      const message = await readMessage(options, terminal.input)
      const { type } = options
      const signature = hexArgument(options.signature, "signature", 64)
      const publicKey = decodeKey(type, hexArgument(options.publicKey, "public-key"))
      const root = merkleRootOf(options)
      if (root !== null && type !== "bip340") {
        throw new LockKeeperError("invalid-request", "Only bip340 keys have Taproot outputs.", {
          field: "taproot",
          remedy: "Leave out --taproot and --merkle-root.",
        })
      }
      const valid =
        type === "ecdsa-secp256k1"
          ? verifyDigest(publicKey, message, signature)
          : frost.verify(publicKeyOnly(type, publicKey), message, signature, tweakOf(root))
      if (valid) return report("The signature is valid.\n", { valid })
      return report("The signature is NOT valid.\n", { valid }, EXIT.verification)
    },
  })

/** ECDSA as chains take it: of a 32-byte digest, with s in the lower half. */
function verifyDigest(publicKey: Element, digest: Bytes, signature: Bytes): boolean {
  checkDigestLength(digest)
  try {
    const numbers = decode(ecdsa.ecdsaSignatureCodec, signature)
    return ecdsa.isLowS(numbers) && ecdsa.verifyEcdsa(publicKey, digest, numbers)
  } catch (error) {
    // Numbers that no signature has: zero, or not below the order.
    if (error instanceof DecodeError) return false
    throw error
  }
}

function tweakOf(root: Bytes | null) {
  if (root === null) return { kind: "none" } as const
  return root.length === 0
    ? ({ kind: "key-path" } as const)
    : ({ kind: "merkle-root", root } as const)
}

/** A key of which nothing but the public key is known: enough to verify, not enough to sign. */
function publicKeyOnly(
  keyType: Exclude<KeyType, "ecdsa-secp256k1">,
  verifyingKey: Element,
): PublicKeyPackage {
  const known = { keyId: new Uint8Array(32), keyEpoch: 1, rosterEpoch: 1, minSigners: 1 }
  const shares = { verifyingShares: new Map(), additive: new Map() }
  const group = keyType === "ed25519" ? "edwards25519" : "secp256k1"
  return { ...known, ...shares, keyType, group, verifyingKey }
}

function decodeKey(keyType: KeyType, publicKey: Bytes): Element {
  try {
    if (keyType === "ed25519") return edwards25519.decodeElement(publicKey)
    if (keyType === "ecdsa-secp256k1") return secp256k1.decodeElement(publicKey)
    // BIP340 keys are x-coordinates; the point with even y is meant.
    return secp256k1.decodeElement(concat(Uint8Array.of(2), publicKey))
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw new LockKeeperError("invalid-request", `This is no ${keyType} public key.`, {
      field: "public-key",
      remedy: "Copy it from `lockkeeper keys show`.",
      cause,
    })
  }
}
