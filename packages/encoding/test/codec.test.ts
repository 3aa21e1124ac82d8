import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { isDeepStrictEqual } from "node:util"
import fc from "fast-check"
import { bytes, DecodeError, decode, decodeShared, encode, struct } from "../src/index.ts"
import { compositions, leaves, type Sample } from "./samples.ts"

const withValue = (samples: fc.Arbitrary<Sample>) =>
  samples.chain((sample) => fc.record({ sample: fc.constant(sample), value: sample.value }))

const composed = withValue(compositions(3))

/** What the bytes decode to, or the DecodeError; anything else thrown is a bug and escapes. */
function tryDecode(sample: Sample, bytes: Uint8Array): { value: unknown } | DecodeError {
  try {
    return { value: decode(sample.codec, bytes) }
  } catch (error) {
    if (error instanceof DecodeError) return error
    throw error
  }
}

function assertCanonical(sample: Sample, bytes: Uint8Array): void {
  const decoded = tryDecode(sample, bytes)
  if (decoded instanceof DecodeError) {
    assert.ok(decoded.offset >= 0 && decoded.offset <= bytes.length, decoded.message)
    return
  }
  assert.deepEqual(encode(sample.codec, decoded.value), new Uint8Array(bytes), sample.name)
}

describe("every composition of codecs", () => {
  it("decodes what it encodes", () => {
    const property = fc.property(composed, ({ sample, value }) => {
      assert.deepEqual(decode(sample.codec, encode(sample.codec, value)), value)
    })
    fc.assert(property, { numRuns: 500 })
  })

  it("encodes what it decodes from random bytes, or refuses them with an offset", () => {
    const property = fc.property(compositions(2), fc.uint8Array({ maxLength: 40 }), assertCanonical)
    fc.assert(property, { numRuns: 2000 })
  })

  it("encodes what it decodes from an encoding with one byte changed, or refuses it", () => {
    const property = fc.property(composed, fc.nat(), fc.nat({ max: 255 }), (drawn, at, byte) => {
      const changed = encode(drawn.sample.codec, drawn.value)
      if (changed.length > 0) changed[at % changed.length] = byte
      assertCanonical(drawn.sample, changed)
    })
    fc.assert(property, { numRuns: 2000 })
  })

  it("has no encoding that begins another: each cut and each extension is refused", () => {
    const property = fc.property(composed, ({ sample, value }) => {
      const encoded = encode(sample.codec, value)
      for (let length = 0; length < encoded.length; length += 1 + (encoded.length >> 5)) {
        const cut = tryDecode(sample, encoded.subarray(0, length))
        assert.ok(cut instanceof DecodeError, `${sample.name} cut to ${length}`)
      }
      const extended = tryDecode(sample, Uint8Array.of(...encoded, 0))
      assert.ok(extended instanceof DecodeError, sample.name)
      assert.equal(extended.offset, encoded.length)
      assert.match(extended.message, /1 trailing bytes/)
    })
    fc.assert(property, { numRuns: 300 })
  })

  it("gives distinct values distinct encodings", () => {
    const pairs = compositions(2).chain((sample) =>
      fc.record({ sample: fc.constant(sample), a: sample.value, b: sample.value }),
    )
    const property = fc.property(pairs, ({ sample, a, b }) => {
      const [x, y] = [encode(sample.codec, a), encode(sample.codec, b)]
      const equalValues = isDeepStrictEqual(a, b)
      assert.equal(isDeepStrictEqual(x, y), equalValues, sample.name)
    })
    fc.assert(property, { numRuns: 1000 })
  })

  it("decodes to copies: the input may be wiped afterwards", () => {
    const property = fc.property(composed, ({ sample, value }) => {
      const encoded = encode(sample.codec, value)
      const decoded = decode(sample.codec, encoded)
      encoded.fill(0xff)
      assert.deepEqual(decoded, value)
    })
    fc.assert(property, { numRuns: 100 })
  })

  it("reads from a view into a larger buffer", () => {
    const property = fc.property(composed, ({ sample, value }) => {
      const encoded = encode(sample.codec, value)
      const around = new Uint8Array(encoded.length + 9).fill(0xee)
      around.set(encoded, 4)
      assert.deepEqual(decode(sample.codec, around.subarray(4, 4 + encoded.length)), value)
    })
    fc.assert(property, { numRuns: 100 })
  })
})

describe("the samples", () => {
  it("cover every combinator", () => {
    const drawn = fc.sample(compositions(2), { numRuns: 400, seed: 1 }).map(({ name }) => name)
    const wanted = [...leaves.map(({ name }) => name), "struct", "list", "nullable", "numberMap"]
    for (const name of wanted)
      assert.ok(
        drawn.some((d) => d.startsWith(name)),
        name,
      )
  })
})

describe("decoding with shared values", () => {
  const codec = struct({ short: bytes(4095), long: bytes(8192) })
  const value = { short: new Uint8Array(4095).fill(1), long: new Uint8Array(4096).fill(2) }

  it("views long byte strings where they are, copies short ones, and takes the same encodings", () => {
    const encoded = encode(codec, value)
    const shared = decodeShared(codec, encoded)
    assert.deepEqual(shared, value)
    assert.equal(shared.long.buffer, encoded.buffer)
    assert.notEqual(shared.short.buffer, encoded.buffer)
    assert.throws(() => decodeShared(codec, Uint8Array.of(...encoded, 0)), DecodeError)
  })

  it("is not what plain decoding does", () => {
    const encoded = encode(codec, value)
    assert.notEqual(decode(codec, encoded).long.buffer, encoded.buffer)
  })
})
