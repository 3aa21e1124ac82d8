import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import { bytes, concat, encode, list, struct, u16, Writer } from "../src/index.ts"

const lengths = fc.constantFrom(0, 1, 255, 256, 257, 4095, 4096, 4097, 20_000)

test("values of any length stand where they were written", () => {
  const property = fc.property(fc.array(lengths, { maxLength: 12 }), (sizes) => {
    const writer = new Writer()
    const expected = sizes.map((size, i) => new Uint8Array(size).fill(i + 1))
    for (const value of expected) {
      writer.u16(value.length)
      writer.bytes(value)
    }
    const prefixed = expected.flatMap((value) => [encode(u16, value.length), value])
    assert.deepEqual(concat(...writer.parts()), concat(...prefixed))
    assert.deepEqual(writer.finish(), concat(...prefixed))
  })
  fc.assert(property, { numRuns: 200 })
})

test("what is written is a copy, and the value is left as it is", () => {
  const value = new Uint8Array(5000).fill(7)
  const codec = struct<{ items: readonly Uint8Array<ArrayBuffer>[] }>({
    items: list(bytes(10_000), 2),
  })
  const encoded = encode(codec, { items: [value, value] })
  encoded.fill(0)
  assert.ok(value.every((byte) => byte === 7))
})

test("wiping overwrites what the writer copied", () => {
  const writer = new Writer()
  writer.bytes(new Uint8Array(100).fill(7))
  writer.bytes(new Uint8Array(5000).fill(8))
  writer.bytes(new Uint8Array(300).fill(9))
  const [before, borrowed, after] = writer.parts()
  writer.wipe()
  assert.ok(before?.every((byte) => byte === 0))
  assert.ok(borrowed?.every((byte) => byte === 8))
  assert.ok(after?.every((byte) => byte === 0))
})
