/**
 * One deterministic run through every backend, for Node and for browsers: the outputs must be equal
 * byte for byte. A browser calls `globalThis.cryptoOutputs()`.
 */
import { concat, toHex, utf8 } from "@lockkeeper/encoding"
import {
  type Aead,
  aes128KeyStream,
  aes128Permutation,
  aes256Gcm,
  chacha20Poly1305,
  edwards25519,
  type Group,
  hashToRistretto255,
  hkdfSha256Expand,
  hkdfSha256Extract,
  hkdfSha512Expand,
  hmacSha512,
  hpkeOpen,
  hpkeSeal,
  ristretto255,
  Secret,
  secp256k1,
  sha3_256,
  sha256,
  sha512,
  signingKeyFromSeed,
  verifySignature,
  xwingDecapsulate,
  xwingEncapsulate,
  xwingKeyPair,
} from "../src/index.ts"

const pattern = (length: number, start: number) =>
  Uint8Array.from({ length }, (_, index) => (start + 37 * index) % 251)

function groupOutputs(group: Group): Record<string, string> {
  const a = group.scalarFromUniform(pattern(64, 1))
  const b = group.scalarFromUniform(pattern(64, 2))
  const point = group.multiplyBase(a)
  const product = group.multiply(point, b)
  const outputs = {
    point,
    product,
    sum: group.add(point, product),
    difference: group.subtract(product, point),
    scalarSum: group.addScalars(a, b),
    scalarProduct: group.multiplyScalars(a, b),
    inverse: group.invertScalar(a),
    combined: group.linearCombination([point, product], [b, a]),
    multiplied: group.multiplyPublic(product, a),
  }
  return named(group.name, outputs)
}

function aeadOutputs(name: string, aead: Aead): Record<string, string> {
  const key = pattern(32, 3)
  const nonce = pattern(12, 4)
  const sealed = aead.seal(key, nonce, utf8("aad"), pattern(100, 5))
  const opened = aead.open(key, nonce, utf8("aad"), sealed)
  const forged = aead.open(key, nonce, utf8("aae"), sealed)
  return named(name, { sealed, opened: opened ?? utf8("no"), forged: forged ?? utf8("refused") })
}

function kemOutputs(): Record<string, string> {
  const pair = xwingKeyPair(pattern(32, 6))
  const { sharedSecret, ciphertext } = xwingEncapsulate(pair.publicKey, pattern(64, 7))
  const received = xwingDecapsulate(pair.secretKey, ciphertext)
  const info = utf8("info")
  const sealed = hpkeSeal(pair.publicKey, info, utf8("aad"), pattern(64, 8), pattern(64, 9))
  const { encapsulated } = sealed
  const opened = hpkeOpen(pair.secretKey, encapsulated, info, utf8("aad"), sealed.ciphertext)
  return named("x-wing", {
    publicKey: pair.publicKey,
    ciphertext,
    sharedSecret: sharedSecret.expose(),
    received: received?.expose() ?? utf8("no"),
    hpke: concat(encapsulated, sealed.ciphertext),
    hpkeOpened: opened ?? utf8("no"),
  })
}

function signatureOutputs(): Record<string, string> {
  const message = utf8("message")
  const key = signingKeyFromSeed(new Secret(pattern(32, 10)))
  const signature = key.sign(message)
  const verified = verifySignature(key.publicKey, message, signature)
  const forged = verifySignature(key.publicKey, utf8("massage"), signature)
  return named("signature", {
    publicKey: key.publicKey,
    signature,
    verdicts: utf8(`${verified} ${forged}`),
  })
}

function hashOutputs(): Record<string, string> {
  const input = pattern(200, 11)
  const extracted = hkdfSha256Extract(utf8("salt"), input)
  return named("hash", {
    sha256: sha256(input),
    sha512: sha512(input),
    sha3: sha3_256(input),
    hmac: hmacSha512(utf8("key"), input),
    hkdf256: hkdfSha256Expand(extracted, utf8("info"), 80),
    hkdf512: hkdfSha512Expand(sha512(input), utf8("info"), 80),
    ristretto255: hashToRistretto255(input, utf8("dst")),
    permutation: aes128Permutation(pattern(16, 12))(pattern(160, 13)),
    keyStream: aes128KeyStream(pattern(16, 14), 100),
  })
}

function named(prefix: string, outputs: Record<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, bytes]) => [`${prefix} ${name}`, toHex(bytes)]),
  )
}

export function cryptoOutputs(): Record<string, string> {
  return {
    ...groupOutputs(edwards25519),
    ...groupOutputs(ristretto255),
    ...groupOutputs(secp256k1),
    ...aeadOutputs("aes-256-gcm", aes256Gcm),
    ...aeadOutputs("chacha20-poly1305", chacha20Poly1305),
    ...kemOutputs(),
    ...signatureOutputs(),
    ...hashOutputs(),
  }
}

Object.assign(globalThis, { cryptoOutputs })
