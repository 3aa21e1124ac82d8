import assert from "node:assert/strict"
import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, concat, toHex, utf8 } from "@lockkeeper/encoding"
import {
  bitcoinInputDigest,
  evmMessageDigest,
  evmTransactionDigest,
  evmTypedDataDigest,
} from "@lockkeeper/transactions"
import type {
  ChildPath,
  EcdsaSignature,
  SignContent,
  SignContentOptions,
  SignDigestOptions,
  WalletKey,
  WalletSession,
} from "@lockkeeper/wallet"
import { ed25519 } from "@noble/curves/ed25519.js"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { taprootTweakPrivKey, taprootTweakPubkey } from "@scure/btc-signer/utils.js"

export type LocalKeyType = "ecdsa-secp256k1" | "bip340" | "ed25519"

/** The curves of the key types, by @noble/curves. */
const publicKeyOf = (keyType: string, secret: Bytes) =>
  new Uint8Array(
    keyType === "ecdsa-secp256k1"
      ? secp256k1.getPublicKey(secret)
      : keyType === "bip340"
        ? schnorr.getPublicKey(secret)
        : ed25519.getPublicKey(secret),
  )

/**
 * A session over keys in this process. It does what the servers and the SDK do together: it derives
 * the digest from the content, by itself, and lets go of a signature only for that.
 */
export class LocalSession implements WalletSession {
  /** What was asked to be signed, in order. */
  readonly signed: SignContent[] = []
  readonly #secrets = new Map<string, Bytes>()

  readonly keys = {
    childKey: (key: WalletKey, path: ChildPath) => ({
      publicKey: publicKeyOf(key.keyType, this.secretOf(key, path)),
    }),
  }

  createKey(keyType: LocalKeyType, name = "savings"): WalletKey {
    const secret = sha256(utf8(`${keyType} ${name}`))
    const keyId = sha256(secret)
    this.#secrets.set(toHex(keyId), secret)
    return { keyId, keyType, publicKey: publicKeyOf(keyType, secret) }
  }

  /** What only a test may see: the chains' own libraries sign with it, to compare. */
  secretOf(key: WalletKey, path: ChildPath = []): Bytes {
    const secret = this.#secrets.get(toHex(key.keyId))
    assert.ok(secret, "a key of this session")
    return path.reduce((parent, step) => sha256(concat(parent, utf8(String(step)))), secret)
  }

  async signDigestOf(options: SignDigestOptions): Promise<EcdsaSignature> {
    const { key, path = [], content, digest, signal } = options
    signal?.throwIfAborted()
    assert.equal(key.keyType, "ecdsa-secp256k1")
    const secret = this.secretOf(key, path)
    const publicKey = publicKeyOf(key.keyType, secret)
    assert.deepEqual(digestOf(content, publicKey).digest, digest)
    this.signed.push(content)
    const signature = secp256k1.sign(digest, secret, { prehash: false, format: "recovered" })
    const [recovery = 4] = signature
    return { r: signature.slice(1, 33), s: signature.slice(33), recovery, publicKey }
  }

  async sign({ key, path = [], content, digest, taproot, signal }: SignContentOptions) {
    signal?.throwIfAborted()
    const secret = this.secretOf(key, path)
    const publicKey = publicKeyOf(key.keyType, secret)
    if (key.keyType === "ed25519") {
      assert.equal(taproot, undefined)
      assert.ok(content.kind === "message")
      this.signed.push(content)
      return { signature: ed25519.sign(content.message, secret) }
    }
    assert.equal(key.keyType, "bip340")
    assert.ok(taproot !== undefined)
    const merkleRoot = taproot === "key-path" ? new Uint8Array(0) : taproot.merkleRoot
    const derived = digestOf(content, publicKey)
    assert.deepEqual(derived.merkleRoot, merkleRoot)
    assert.deepEqual(derived.digest, digest)
    this.signed.push(content)
    const signature = schnorr.sign(derived.digest, taprootTweakPrivKey(secret, merkleRoot))
    const [outputKey] = taprootTweakPubkey(publicKey, merkleRoot)
    assert.ok(schnorr.verify(signature, derived.digest, outputKey))
    return { signature }
  }
}

function digestOf(content: SignContent, publicKey: Bytes): { digest: Bytes; merkleRoot?: Bytes } {
  switch (content.kind) {
    case "message":
      return { digest: content.message }
    case "evm-transaction":
      return { digest: evmTransactionDigest(content.transaction) }
    case "evm-message":
      return { digest: evmMessageDigest(content.message) }
    case "evm-typed-data":
      return { digest: evmTypedDataDigest(content.typedData) }
    case "bitcoin-input":
      return bitcoinInputDigest({ ...content, publicKey })
  }
}

export const hexOf = (bytes: Uint8Array): `0x${string}` => `0x${toHex(bytes)}`
