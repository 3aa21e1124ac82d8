import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  compareBytes,
  concat,
  DecodeError,
  equalBytes,
  fromBase64url,
  fromHex,
  fromUtf8,
  toBase64url,
  toHex,
  utf8,
} from "../src/index.ts"

const bytes = fc.uint8Array({ maxLength: 100 })
const refused = (message: string) => ({ name: "DecodeError", message })

/** Either the one text of some bytes, or refused: no two texts mean the same. */
function assertOneReading(
  text: string,
  parse: (text: string) => Uint8Array,
  print: (bytes: Uint8Array) => string,
): void {
  try {
    assert.equal(print(parse(text)), text)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
  }
}

describe("hex", () => {
  it("is the lower-case hex that Node writes, and reads back", () => {
    const property = fc.property(bytes, (input) => {
      assert.equal(toHex(input), Buffer.from(input).toString("hex"))
      assert.deepEqual(fromHex(toHex(input)), new Uint8Array(input))
    })
    fc.assert(property)
  })

  it("has one reading", () => {
    const texts = fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCg "), maxLength: 9 })
    fc.assert(fc.property(texts, (text) => assertOneReading(text, fromHex, toHex)))
  })

  it("refuses odd lengths, upper case, and anything else, with the offset", () => {
    assert.throws(() => fromHex("abc"), refused("hex has an odd length at offset 3"))
    assert.throws(() => fromHex("00AB"), refused("not lower-case hex at offset 2"))
    assert.throws(() => fromHex("0x00"), refused("not lower-case hex at offset 0"))
    assert.throws(() => fromHex("00 0"), refused("not lower-case hex at offset 2"))
  })
})

describe("base64url", () => {
  it("is the unpadded base64url that Node writes, and reads back", () => {
    const property = fc.property(bytes, (input) => {
      assert.equal(toBase64url(input), Buffer.from(input).toString("base64url"))
      assert.deepEqual(fromBase64url(toBase64url(input)), new Uint8Array(input))
    })
    fc.assert(property)
  })

  it("has one reading", () => {
    const texts = fc.string({ unit: fc.constantFrom(..."ABZaz019-_+/= "), maxLength: 6 })
    fc.assert(fc.property(texts, (text) => assertOneReading(text, fromBase64url, toBase64url)))
  })

  it("refuses padding, the other alphabet, impossible lengths and spare bits", () => {
    assert.throws(() => fromBase64url("AA=="), refused("not base64url at offset 2"))
    assert.throws(() => fromBase64url("A+AA"), refused("not base64url at offset 1"))
    assert.throws(() => fromBase64url("AA/A"), refused("not base64url at offset 2"))
    assert.throws(
      () => fromBase64url("A"),
      refused("base64url has an impossible length at offset 1"),
    )
    assert.throws(() => fromBase64url("AB"), refused("base64url has spare bits set at offset 1"))
    assert.throws(() => fromBase64url("AAB"), refused("base64url has spare bits set at offset 2"))
  })
})

describe("bytes", () => {
  it("join in order", () => {
    const property = fc.property(fc.array(bytes), (parts) => {
      assert.deepEqual(concat(...parts), new Uint8Array(Buffer.concat(parts)))
    })
    fc.assert(property)
  })

  it("compare and equal as Node's buffers do", () => {
    const short = fc.uint8Array({ maxLength: 4, max: 2 })
    const property = fc.property(short, short, (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b))
      assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0)
    })
    fc.assert(property, { numRuns: 300 })
  })

  it("become text only when they are well-formed UTF-8", () => {
    const property = fc.property(fc.string({ unit: "grapheme" }), (text) => {
      assert.equal(fromUtf8(utf8(text)), text)
    })
    fc.assert(property)
    assert.throws(() => fromUtf8(Uint8Array.of(0xc0, 0x80)), TypeError)
  })
})
