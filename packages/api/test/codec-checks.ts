import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Codec, DecodeError, decode, encode, toHex } from "@lockkeeper/encoding"
import fc from "fast-check"
import { flipped } from "./fixtures.ts"

export interface Sample<T> {
  readonly name: string
  readonly codec: Codec<T>
  readonly values: readonly T[]
}

export function sample<T>(name: string, codec: Codec<T>, ...values: readonly T[]): Sample<unknown> {
  return { name, codec, values } as unknown as Sample<unknown>
}

/** Decodes; a refusal must be a DecodeError, and an acceptance must be the one encoding. */
function checkCanonical(codec: Codec<unknown>, bytes: Uint8Array): boolean {
  let value: unknown
  try {
    value = decode(codec, bytes)
  } catch (caught) {
    assert.ok(caught instanceof DecodeError, `${caught}`)
    return false
  }
  assert.equal(toHex(encode(codec, value)), toHex(bytes))
  return true
}

/** Registers what holds for every codec of the wire. */
export function testCodec({ name, codec, values }: Sample<unknown>): void {
  describe(`the codec ${name}`, () => {
    it("reads what it wrote", () => {
      for (const value of values) assert.deepEqual(decode(codec, encode(codec, value)), value)
    })

    it("refuses every cut and every addition", () => {
      for (const value of values) {
        const encoded = encode(codec, value)
        for (let cut = 0; cut < encoded.length; cut++) {
          assert.equal(checkCanonical(codec, encoded.slice(0, cut)), false, `cut at ${cut}`)
        }
        assert.equal(checkCanonical(codec, new Uint8Array([...encoded, 0])), false)
      }
    })

    it("reads changed and arbitrary bytes as their one encoding or not at all", () => {
      for (const value of values) {
        const encoded = encode(codec, value)
        for (let i = 0; i < encoded.length; i++) checkCanonical(codec, flipped(encoded, i, i % 8))
      }
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (x) => void checkCanonical(codec, x)),
      )
    })
  })
}
