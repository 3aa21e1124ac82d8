import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { toHex, utf8 } from "@lockkeeper/encoding"
import { ristretto255_hasher } from "@noble/curves/ed25519.js"
import fc from "fast-check"
import {
  expandMessageXmd,
  hashToRistretto255,
  hashToRistretto255Scalar,
  ristretto255,
} from "../src/index.ts"
import { readVectors } from "./vectors.ts"

interface ExpandFile {
  readonly DST: string
  readonly hash: "SHA256" | "SHA512"
  readonly tests: readonly { len_in_bytes: string; msg: string; uniform_bytes: string }[]
}

describe("expand_message_xmd", () => {
  for (const [file, hash] of [
    ["expand_message_xmd_SHA256_38", "sha256"],
    ["expand_message_xmd_SHA256_256", "sha256"],
    ["expand_message_xmd_SHA512_38", "sha512"],
  ] as const) {
    it(`gives the ten known answers of ${file} in RFC 9380`, () => {
      const { DST, tests } = readVectors<ExpandFile>(`rfc9380-h2c/${file}.json`)
      let ran = 0
      for (const { len_in_bytes, msg, uniform_bytes } of tests) {
        const expanded = expandMessageXmd(hash, utf8(msg), utf8(DST), Number(len_in_bytes))
        assert.equal(toHex(expanded), uniform_bytes)
        ran++
      }
      assert.equal(ran, 10)
    })
  }

  it("refuses an empty tag and impossible lengths", () => {
    const [message, dst] = [utf8("m"), utf8("dst")]
    const noTag = { message: "expand_message without a domain separation tag" }
    assert.throws(() => expandMessageXmd("sha256", message, new Uint8Array(0), 32), noTag)
    for (const [hash, most] of [
      ["sha256", 8160],
      ["sha512", 16_320],
    ] as const) {
      assert.equal(expandMessageXmd(hash, message, dst, most).length, most)
      for (const length of [0, -1, most + 1]) {
        const expected = { message: `expand_message of ${length} bytes` }
        assert.throws(() => expandMessageXmd(hash, message, dst, length), expected)
      }
    }
  })
})

describe("hashing to ristretto255", () => {
  it("equals noble's, elements and scalars, with tags of any length", () => {
    const bytes = fc.uint8Array({ maxLength: 100 })
    const tag = fc.uint8Array({ minLength: 1, maxLength: 300 })
    const property = fc.property(bytes, tag, (message, DST) => {
      const element = hashToRistretto255(message, DST)
      const expected = ristretto255_hasher.hashToCurve(message, { DST }).toBytes()
      assert.deepEqual(element, expected)
      assert.deepEqual(ristretto255.decodeElement(element), element)
      const scalar = ristretto255_hasher.hashToScalar(message, { DST })
      assert.equal(ristretto255.scalarToInteger(hashToRistretto255Scalar(message, DST)), scalar)
    })
    fc.assert(property, { numRuns: 30 })
  })
})
