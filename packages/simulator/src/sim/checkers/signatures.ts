import { createHash, createPublicKey, verify } from "node:crypto"
import { toHex } from "@lockkeeper/encoding"
import type { GrantedSignature } from "../observed.ts"
import { verifyBip340 } from "./bip340.ts"
import type { Checker } from "./checker.ts"

/** DER prefixes of a SubjectPublicKeyInfo, before the bare key. */
const ED25519_PREFIX = Buffer.from("302a300506032b6570032100", "hex")
const SECP256K1_PREFIX = Buffer.from("3036301006072a8648ce3d020106052b8104000a032200", "hex")

/** Judged by OpenSSL, and for BIP340 by arithmetic of its own: never by the code under test. */
export const signatures: Checker = {
  name: "signatures",
  holds: "every signature that a client was given verifies for software that is not ours",
  check: ({ signatures: all }) =>
    all
      .filter((signature) => !isValid(signature))
      .map(({ actor, keyType, message }) => {
        return `${actor}: the ${keyType} signature over ${toHex(message).slice(0, 16)} is invalid`
      }),
}

function isValid({ keyType, publicKey, message, signature }: GrantedSignature): boolean {
  if (keyType === "ed25519") {
    return verify(null, message, keyOf(ED25519_PREFIX, publicKey), signature)
  }
  if (keyType === "bip340") return verifyBip340(publicKey, message, signature)
  // What was signed is the SHA-256 digest of the message, so that OpenSSL can verify it.
  const key = keyOf(SECP256K1_PREFIX, publicKey)
  return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature)
}

function keyOf(prefix: Buffer, publicKey: Uint8Array) {
  const key = Buffer.concat([prefix, publicKey])
  return createPublicKey({ key, format: "der", type: "spki" })
}

/** What is asked to be signed with an ECDSA key for `message`. */
export function digestOf(message: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(message).digest())
}
