import assert from "node:assert/strict"
import { createHash, createHmac, hkdfSync } from "node:crypto"
import { describe, it } from "node:test"
import { bytes, concat, struct, text, toHex, utf8 } from "@lockkeeper/encoding"
import fc from "fast-check"
import { symmetric as browser } from "../src/backends/symmetric-browser.ts"
import { symmetric as node } from "../src/backends/symmetric-node.ts"
import {
  constantTimeEqual,
  edwards25519,
  hashValue,
  hashValueToScalar,
  hkdfSha256Expand,
  hkdfSha256Extract,
  hkdfSha512Expand,
  hkdfSha512Extract,
  hmacSha256,
  hmacSha512,
  ristretto255,
  secp256k1,
  sha3_256,
  sha256,
  sha512,
  symmetricBackend,
} from "../src/index.ts"

const parts = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 })

describe("hashes", () => {
  it("are equal on both platforms, over any parts", () => {
    const property = fc.property(parts, fc.uint8Array({ maxLength: 200 }), (input, key) => {
      for (const name of ["sha256", "sha512", "sha3-256"] as const) {
        assert.deepEqual(node.hash(name, input), browser.hash(name, input), name)
        const expected = createHash(name)
          .update(concat(...input))
          .digest("hex")
        assert.equal(toHex(node.hash(name, input)), expected)
      }
      for (const name of ["sha256", "sha512"] as const) {
        assert.deepEqual(node.hmac(name, key, input), browser.hmac(name, key, input), name)
      }
    })
    fc.assert(property, { numRuns: 50 })
  })

  it("are the ones that their names say", () => {
    const abc = utf8("abc")
    const expected = (name: string) => createHash(name).update("abc").digest("hex")
    assert.equal(toHex(sha256(abc)), expected("sha256"))
    assert.equal(toHex(sha512(abc.subarray(0, 1), abc.subarray(1))), expected("sha512"))
    assert.equal(toHex(sha3_256(abc)), expected("sha3-256"))
    assert.equal(
      toHex(hmacSha256(abc, abc)),
      createHmac("sha256", "abc").update("abc").digest("hex"),
    )
    assert.equal(
      toHex(hmacSha512(abc, abc)),
      createHmac("sha512", "abc").update("abc").digest("hex"),
    )
    assert.equal(symmetricBackend, "node:crypto")
  })

  it("give plain arrays of their own, not views of a pool", () => {
    const digest = sha256(utf8("a"))
    assert.equal(digest.constructor, Uint8Array)
    assert.equal(digest.buffer.byteLength, 32)
  })
})

describe("HKDF", () => {
  it("equals node's own for SHA-256 and SHA-512", () => {
    const input = fc.uint8Array({ maxLength: 100 })
    const length = fc.integer({ min: 1, max: 500 })
    const property = fc.property(input, input, input, length, (key, salt, info, size) => {
      const expected = (hash: string) =>
        Buffer.from(hkdfSync(hash, key, salt, info, size)).toString("hex")
      const short = hkdfSha256Expand(hkdfSha256Extract(salt, key), info, size)
      const long = hkdfSha512Expand(hkdfSha512Extract(salt, key), info, size)
      assert.equal(toHex(short), expected("sha256"))
      assert.equal(toHex(long), expected("sha512"))
    })
    fc.assert(property, { numRuns: 30 })
  })

  it("refuses more than 255 blocks and lengths that are no length", () => {
    const key = new Uint8Array(32)
    assert.equal(hkdfSha256Expand(key, key, 8160).length, 8160)
    assert.equal(hkdfSha512Expand(key, key, 16_320).length, 16_320)
    for (const length of [8161, -1, 0.5, Number.NaN]) {
      const expected = { name: "RangeError", message: `HKDF output of ${length} bytes` }
      assert.throws(() => hkdfSha256Expand(key, key, length), expected)
    }
    assert.throws(() => hkdfSha512Expand(key, key, 16_321), RangeError)
  })
})

describe("constantTimeEqual", () => {
  it("is equality, on both platforms", () => {
    const property = fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(), (a, at) => {
      const b = new Uint8Array(a)
      assert.equal(constantTimeEqual(a, b), true)
      assert.equal(browser.equalConstantTime(a, b), true)
      if (b.length === 0) return
      b[at % b.length] = (b[at % b.length] as number) ^ 1
      assert.equal(constantTimeEqual(a, b), false)
      assert.equal(browser.equalConstantTime(a, b), false)
      assert.equal(constantTimeEqual(a, a.subarray(1)), false)
    })
    fc.assert(property)
  })
})

describe("hashValue", () => {
  interface Pair {
    readonly a: string
    readonly b: Uint8Array<ArrayBuffer>
  }
  const codec = struct<Pair>({ a: text(64), b: bytes(64) })
  const value = { a: "x", b: Uint8Array.of(1) }

  it("is SHA-256 over the length-prefixed label and the encoding", () => {
    const label = utf8("lockkeeper/test")
    const preimage = concat(
      Uint8Array.of(0, 0, 0, label.length),
      label,
      Uint8Array.of(0, 0, 0, 1, 120, 0, 0, 0, 1, 1),
    )
    assert.deepEqual(hashValue("test", codec, value), sha256(preimage))
  })

  it("separates labels, fields and boundaries", () => {
    const digests = [
      hashValue("test", codec, value),
      hashValue("tess", codec, value),
      hashValue("test", codec, { a: "", b: Uint8Array.of(120, 1) }),
      hashValue("test", codec, { a: "x", b: new Uint8Array(0) }),
      hashValue("tes", text(9), "t"),
      hashValue("test", text(9), ""),
    ].map(toHex)
    assert.equal(new Set(digests).size, digests.length)
  })

  it("gives scalars by the group's own wide reduction", () => {
    for (const group of [edwards25519, ristretto255, secp256k1]) {
      const label = utf8("lockkeeper/test")
      const wide = sha512(
        Uint8Array.of(0, 0, 0, label.length),
        label,
        Uint8Array.of(0, 0, 0, 1, 120, 0, 0, 0, 1, 1),
      )
      const scalar = hashValueToScalar(group, "test", codec, value)
      assert.deepEqual(scalar, group.scalarFromUniform(wide))
    }
  })
})
