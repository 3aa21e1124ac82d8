import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Bytes, concat, fromHex, toHex } from "@lockkeeper/encoding"
import { ml_kem768_x25519 } from "@noble/post-quantum/hybrid.js"
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js"
import fc from "fast-check"
import { mlKemInJavaScript } from "../src/backends/ml-kem.ts"
import { symmetric } from "../src/backends/symmetric-node.ts"
import {
  isXwingPublicKey,
  sha256,
  XWING_CIPHERTEXT_LENGTH,
  XWING_PUBLIC_KEY_LENGTH,
  xwingDecapsulate,
  xwingEncapsulate,
  xwingKeyPair,
} from "../src/index.ts"

const fixed = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => new Uint8Array(array))

// draft-connolly-cfrg-xwing-kem, Appendix C; public keys and ciphertexts by their SHA-256.
const knownAnswers = [
  {
    seed: "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
    eseed:
      "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2" +
      "35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
    sharedSecret: "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
    publicKeyHash: "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
    ciphertextHash: "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
  },
  {
    seed: "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
    eseed:
      "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef" +
      "aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
    sharedSecret: "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
    publicKeyHash: "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
    ciphertextHash: "1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154",
  },
  {
    seed: "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
    eseed:
      "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619" +
      "f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b",
    sharedSecret: "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
    publicKeyHash: "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
    ciphertextHash: "d3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6",
  },
]

const [seed, randomness] = [new Uint8Array(32).fill(3), new Uint8Array(64).fill(4)]
const { publicKey, secretKey } = xwingKeyPair(seed)
const { ciphertext, sharedSecret } = xwingEncapsulate(publicKey, randomness)

/** The key or ciphertext with its last 32 bytes, the X25519 part, replaced. */
const withX25519 = (bytes: Bytes, point: Bytes) => concat(bytes.subarray(0, -32), point)

// The points of small order on Curve25519 and its twist, canonical and not.
const smallOrder = [
  "00".repeat(32),
  "01".padEnd(64, "0"),
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ec".padEnd(62, "f").concat("7f"),
  "ed".padEnd(62, "f").concat("7f"),
  "ee".padEnd(62, "f").concat("7f"),
].map(fromHex)

describe("X-Wing", () => {
  it("gives the three known answers of its draft", () => {
    let ran = 0
    for (const answer of knownAnswers) {
      const pair = xwingKeyPair(fromHex(answer.seed))
      const sent = xwingEncapsulate(pair.publicKey, fromHex(answer.eseed))
      assert.equal(toHex(sha256(pair.publicKey)), answer.publicKeyHash)
      assert.equal(toHex(sha256(sent.ciphertext)), answer.ciphertextHash)
      assert.equal(toHex(sent.sharedSecret.expose()), answer.sharedSecret)
      const received = xwingDecapsulate(pair.secretKey, sent.ciphertext)
      assert.equal(received && toHex(received.expose()), answer.sharedSecret)
      ran++
    }
    assert.equal(ran, 3)
  })

  it("equals noble's hybrid, whatever seed and randomness", () => {
    const property = fc.property(fixed(32), fixed(64), (s, r) => {
      const ours = xwingKeyPair(s)
      assert.deepEqual(ours.publicKey, ml_kem768_x25519.keygen(s).publicKey)
      const sent = xwingEncapsulate(ours.publicKey, r)
      const theirs = ml_kem768_x25519.encapsulate(ours.publicKey, r)
      assert.deepEqual(sent.ciphertext, theirs.cipherText)
      assert.deepEqual(sent.sharedSecret.expose(), theirs.sharedSecret)
      assert.deepEqual(
        xwingDecapsulate(ours.secretKey, sent.ciphertext)?.expose(),
        theirs.sharedSecret,
      )
    })
    fc.assert(property, { numRuns: 5 })
  })

  it("has the lengths it names", () => {
    assert.equal(publicKey.length, XWING_PUBLIC_KEY_LENGTH)
    assert.equal(ciphertext.length, XWING_CIPHERTEXT_LENGTH)
    assert.equal(secretKey.length, 32)
    assert.equal(sharedSecret.length, 32)
  })

  it("is deterministic, and keeps its inputs", () => {
    const again = xwingEncapsulate(publicKey, randomness)
    assert.deepEqual(again.ciphertext, ciphertext)
    assert.deepEqual(again.sharedSecret.expose(), sharedSecret.expose())
    assert.deepEqual([seed, randomness], [new Uint8Array(32).fill(3), new Uint8Array(64).fill(4)])
  })

  it("gives another secret for a changed ciphertext or key, never an error", () => {
    for (const at of [0, 500, 1087, 1088, 1118]) {
      const changed = new Uint8Array(ciphertext)
      changed[at] = (changed[at] as number) ^ 1
      const other = xwingDecapsulate(secretKey, changed)
      assert.ok(other, `byte ${at}`)
      assert.notDeepEqual(other.expose(), sharedSecret.expose(), `byte ${at}`)
    }
    const stranger = xwingKeyPair(new Uint8Array(32).fill(5)).secretKey
    assert.notDeepEqual(xwingDecapsulate(stranger, ciphertext)?.expose(), sharedSecret.expose())
  })

  it("refuses ciphertexts of another length or with a small-order point", () => {
    assert.equal(xwingDecapsulate(secretKey, ciphertext.subarray(1)), null)
    assert.equal(xwingDecapsulate(secretKey, new Uint8Array(0)), null)
    assert.equal(xwingDecapsulate(secretKey, concat(ciphertext, Uint8Array.of(0))), null)
    for (const point of smallOrder) {
      assert.equal(xwingDecapsulate(secretKey, withX25519(ciphertext, point)), null)
    }
  })

  it("refuses public keys of another length, unreduced or with a small-order point", () => {
    const bad = [
      new Uint8Array(0),
      publicKey.subarray(1),
      concat(publicKey, Uint8Array.of(0)),
      ...smallOrder.map((point) => withX25519(publicKey, point)),
    ]
    // 3329, the modulus, as the first, the second, and the last coefficient.
    for (const [at, pattern] of [
      [0, [0x01, 0x0d]],
      [1, [0x10, 0xd0]],
      [1150, [0x10, 0xd0]],
    ] as const) {
      const unreduced = new Uint8Array(publicKey)
      unreduced.set(pattern, at)
      bad.push(unreduced)
    }
    for (const key of bad) {
      assert.equal(isXwingPublicKey(key), false)
      const expected = { name: "RangeError", message: "invalid X-Wing public key" }
      assert.throws(() => xwingEncapsulate(key, randomness), expected)
    }
    assert.equal(isXwingPublicKey(publicKey), true)
  })

  it("takes seeds of 32 and randomness of 64 bytes only", () => {
    for (const length of [0, 31, 33, 64]) {
      const expected = { name: "RangeError", message: "X-Wing seed is not 32 bytes" }
      assert.throws(() => xwingKeyPair(new Uint8Array(length)), expected)
    }
    for (const length of [0, 32, 63, 65]) {
      const expected = { name: "RangeError", message: "X-Wing randomness is not 64 bytes" }
      assert.throws(() => xwingEncapsulate(publicKey, new Uint8Array(length)), expected)
    }
  })
})

describe("ML-KEM-768 on this platform", () => {
  it("equals the JavaScript one, on altered ciphertexts too", () => {
    assert.notEqual(symmetric.mlKem768, mlKemInJavaScript)
    fc.assert(
      fc.property(fixed(64), fixed(32), fc.nat(1087), (seed, coins, position) => {
        const publicKey = symmetric.mlKem768.publicKey(seed)
        assert.deepEqual(publicKey, mlKemInJavaScript.publicKey(seed))
        const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey, coins)
        assert.deepEqual(
          symmetric.mlKem768.decapsulate(seed, cipherText),
          new Uint8Array(sharedSecret),
        )
        cipherText[position] = (cipherText[position] as number) ^ 1
        const rejected = symmetric.mlKem768.decapsulate(seed, cipherText)
        assert.deepEqual(rejected, mlKemInJavaScript.decapsulate(seed, cipherText))
        assert.notDeepEqual(rejected, new Uint8Array(sharedSecret))
      }),
      { numRuns: 25 },
    )
  })
})
