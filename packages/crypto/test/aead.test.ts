import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Bytes } from "@lockkeeper/encoding"
import { chacha20poly1305 } from "@noble/ciphers/chacha.js"
import fc from "fast-check"
import { symmetric as browser } from "../src/backends/symmetric-browser.ts"
import { symmetric as node } from "../src/backends/symmetric-node.ts"
import { aes256Gcm, chacha20Poly1305 } from "../src/index.ts"

const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const input = fc.record({
  key: fixed(32),
  nonce: fixed(12),
  aad: fc.uint8Array({ maxLength: 60 }),
  plaintext: fc.uint8Array({ maxLength: 200 }),
})
const flipped = (bytes: Uint8Array, at: number): Bytes =>
  new Uint8Array(bytes.map((byte, i) => (i === at % bytes.length ? byte ^ 1 : byte)))

for (const [name, aead] of Object.entries({ aes256Gcm, chacha20Poly1305 })) {
  describe(name, () => {
    it("opens what it sealed, and the tag is 16 bytes", () => {
      const property = fc.property(input, ({ key, nonce, aad, plaintext }) => {
        const sealed = aead.seal(key, nonce, aad, plaintext)
        assert.equal(sealed.length, plaintext.length + aead.tagLength)
        assert.deepEqual(aead.open(key, nonce, aad, sealed), new Uint8Array(plaintext))
      })
      fc.assert(property, { numRuns: 50 })
    })

    it("opens nothing when key, nonce, aad, ciphertext or tag differ", () => {
      const property = fc.property(input, fc.nat(), ({ key, nonce, aad, plaintext }, at) => {
        const sealed = aead.seal(key, nonce, aad, plaintext)
        assert.equal(aead.open(flipped(key, at), nonce, aad, sealed), null)
        assert.equal(aead.open(key, flipped(nonce, at), aad, sealed), null)
        assert.equal(aead.open(key, nonce, new Uint8Array([...aad, 0]), sealed), null)
        if (aad.length > 0) assert.equal(aead.open(key, nonce, flipped(aad, at), sealed), null)
        assert.equal(aead.open(key, nonce, aad, flipped(sealed, at)), null)
        assert.equal(aead.open(key, nonce, aad, flipped(sealed, sealed.length - 1)), null)
        assert.equal(aead.open(key, nonce, aad, sealed.subarray(1)), null)
        assert.equal(aead.open(key, nonce, aad, sealed.subarray(0, at % sealed.length)), null)
      })
      fc.assert(property, { numRuns: 50 })
    })

    it("refuses keys and nonces of another length", () => {
      const empty = new Uint8Array(0)
      const sealed = new Uint8Array(16)
      for (const length of [0, 16, 31, 33]) {
        const expected = { name: "RangeError", message: "AEAD key is not 32 bytes" }
        const key = new Uint8Array(length)
        assert.throws(() => aead.seal(key, new Uint8Array(12), empty, empty), expected)
        assert.throws(() => aead.open(key, new Uint8Array(12), empty, sealed), expected)
      }
      for (const length of [0, 8, 11, 13, 24]) {
        const expected = { name: "RangeError", message: "AEAD nonce is not 12 bytes" }
        const nonce = new Uint8Array(length)
        assert.throws(() => aead.seal(new Uint8Array(32), nonce, empty, empty), expected)
        assert.throws(() => aead.open(new Uint8Array(32), nonce, empty, sealed), expected)
      }
    })
  })
}

describe("the AEAD backends", () => {
  it("seal to the same bytes and open each other's, ChaCha also as noble does", () => {
    const property = fc.property(input, ({ key, nonce, aad, plaintext }) => {
      const gcm = node.aesGcmSeal(key, nonce, aad, plaintext)
      assert.deepEqual(browser.aesGcmSeal(key, nonce, aad, plaintext), gcm)
      assert.deepEqual(browser.aesGcmOpen(key, nonce, aad, gcm), new Uint8Array(plaintext))
      const chacha = node.chachaSeal(key, nonce, aad, plaintext)
      assert.deepEqual(browser.chachaSeal(key, nonce, aad, plaintext), chacha)
      assert.deepEqual(browser.chachaOpen(key, nonce, aad, chacha), new Uint8Array(plaintext))
      assert.deepEqual(chacha20poly1305(key, nonce, aad).encrypt(plaintext), chacha)
    })
    fc.assert(property, { numRuns: 50 })
  })

  it("both give null for short or changed input", () => {
    const [key, nonce, empty] = [new Uint8Array(32), new Uint8Array(12), new Uint8Array(0)]
    for (const backend of [node, browser]) {
      for (const length of [0, 1, 15, 16, 17]) {
        const junk = new Uint8Array(length)
        assert.equal(backend.aesGcmOpen(key, nonce, empty, junk), null)
        assert.equal(backend.chachaOpen(key, nonce, empty, junk), null)
      }
    }
  })
})
