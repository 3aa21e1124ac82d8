import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { DecodeError } from "@lockkeeper/encoding"
import fc from "fast-check"
import { pad, unpad } from "../src/channel/padding.ts"

describe("padding", () => {
  it("gives back any content, and lengths that are multiples of 256", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (content) => {
        const padded = pad(content)
        assert.equal(padded.length % 256, 0)
        assert.ok(padded.length - content.length <= 256 + 3)
        assert.deepEqual(unpad(padded), content.slice())
      }),
    )
  })

  it("has one form for each content: anything else is refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 1100 }), (bytes) => {
        let content: Uint8Array
        try {
          content = unpad(bytes)
        } catch (error) {
          assert.ok(error instanceof DecodeError)
          return
        }
        assert.deepEqual(pad(content), bytes.slice())
      }),
    )
  })

  it("refuses lengths that point outside, extra blocks, and bytes after the content", () => {
    const padded = pad(new Uint8Array(10).fill(1))
    const cases: [string, (copy: Uint8Array<ArrayBuffer>) => Uint8Array][] = [
      ["not a multiple", (copy) => copy.slice(0, 255)],
      ["empty", () => new Uint8Array(0)],
      ["an extra block", (copy) => new Uint8Array([...copy, ...new Uint8Array(256)])],
      ["a length past the end", (copy) => copy.fill(255, 0, 4)],
      ["a byte after the content", (copy) => copy.fill(1, 14, 15)],
      ["a byte at the very end", (copy) => copy.fill(1, 255, 256)],
    ]
    for (const [what, change] of cases) {
      assert.throws(() => unpad(change(padded.slice())), DecodeError, what)
    }
  })
})
