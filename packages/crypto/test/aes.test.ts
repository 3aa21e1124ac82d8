import assert from "node:assert/strict"
import { createCipheriv } from "node:crypto"
import { describe, it } from "node:test"
import { concat, fromHex, toHex } from "@lockkeeper/encoding"
import fc from "fast-check"
import { symmetric as inBrowsers } from "../src/backends/symmetric-browser.ts"
import { aes128KeyStream, aes128Permutation } from "../src/index.ts"

const key = fromHex("2b7e151628aed2a6abf7158809cf4f3c")
// SP 800-38A, F.1.1: ECB-AES128.
const PLAIN = [
  "6bc1bee22e409f96e93d7e117393172a",
  "ae2d8a571e03ac9c9eb76fac45af8e51",
  "30c81c46a35ce411e5fbc1191a0a52ef",
  "f69f2445df4f9b17ad2b417be66c3710",
].map(fromHex)
const SEALED = [
  "3ad77bb40d7a3660a89ecaf32466ef97",
  "f5d3d58503b9699de785895a96fdbaaf",
  "43b1cd7f598ece23881b00e3ed030688",
  "7b0c785e27e8ad3f8223207104725dd4",
]

describe("the AES-128 permutation", () => {
  it("equals SP 800-38A's vectors, block by block, in one call and in many", () => {
    const permute = aes128Permutation(key)
    assert.equal(toHex(permute(concat(...PLAIN))), SEALED.join(""))
    assert.deepEqual(
      PLAIN.map((block) => toHex(permute(block))),
      SEALED,
    )
    assert.equal(permute(new Uint8Array(0)).length, 0)
  })

  it("equals the browser's, and writes to no input", () => {
    const inputs = fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(300))
    const property = fc.property(inputs, ([anyKey, blocks]) => {
      const input = aes128KeyStream(anyKey, 16 * blocks)
      const before = toHex(input)
      const output = aes128Permutation(anyKey)(input)
      assert.equal(toHex(output), toHex(inBrowsers.aesPermutation(anyKey)(input)))
      assert.equal(toHex(input), before)
      assert.equal(output.constructor, Uint8Array)
    })
    fc.assert(property, { numRuns: 30 })
  })

  it("gives arrays of its own: two outputs never share memory", () => {
    const permute = aes128Permutation(key)
    const first = permute(PLAIN[0]!)
    const copy = toHex(first)
    permute(PLAIN[1]!).fill(0)
    assert.equal(toHex(first), copy)
    assert.equal(first.buffer.byteLength, 16)
  })

  it("refuses other keys and parts of blocks", () => {
    for (const length of [0, 15, 17, 32]) {
      assert.throws(() => aes128Permutation(new Uint8Array(length)), /key is not 16 bytes/)
    }
    for (const length of [1, 15, 17]) {
      assert.throws(() => aes128Permutation(key)(new Uint8Array(length)), /inside a block/)
    }
  })
})

describe("the AES-128 key stream", () => {
  it("equals OpenSSL's AES-128-CTR, cut where asked", () => {
    for (const length of [0, 1, 16, 17, 4800, 70_000]) {
      const cipher = createCipheriv("aes-128-ctr", key, new Uint8Array(16))
      const expected = cipher.update(new Uint8Array(length)).toString("hex")
      assert.equal(toHex(aes128KeyStream(key, length)), expected)
    }
  })

  it("refuses other keys", () => {
    assert.throws(() => aes128KeyStream(new Uint8Array(32), 16), /key is not 16 bytes/)
  })
})
