import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  bytes,
  type Codec,
  DecodeError,
  encode,
  fixedBytes,
  layoutOf,
  list,
  numberMap,
  struct,
  u8,
  u16,
  union,
} from "../src/index.ts"

type Shape = { readonly kind: "dot"; readonly at: number }

const sample = struct({
  label: bytes(10),
  points: list(fixedBytes(3), 4),
  shape: union<Shape>({ dot: struct({ at: u16 }) }),
  parts: numberMap(u8, u16, 3),
})

const encoded = encode(sample, {
  label: Uint8Array.of(1, 2),
  points: [Uint8Array.of(3, 4, 5), Uint8Array.of(6, 7, 8)],
  shape: { kind: "dot", at: 9 },
  parts: new Map([[7, 10]]),
})

describe("the layout of an encoding", () => {
  it("names every byte once, in order", () => {
    const fields = layoutOf(sample, encoded)
    assert.deepEqual(
      fields.map(({ path, kind, start, end }) => `${path} ${kind} ${start}-${end}`),
      [
        "label integer 0-4",
        "label bytes 4-6",
        "points integer 6-10",
        "points.0 bytes 10-13",
        "points.1 bytes 13-16",
        "shape integer 16-17",
        "shape.dot.at integer 17-19",
        "parts integer 19-23",
        "parts integer 23-24",
        "parts.7 integer 24-26",
      ],
    )
    assert.equal(fields.at(-1)?.end, encoded.length)
  })

  it("is of whole canonical encodings only", () => {
    const codec: Codec<unknown> = sample
    assert.throws(() => layoutOf(codec, encoded.slice(0, -1)), DecodeError)
    assert.throws(() => layoutOf(codec, Uint8Array.of(...encoded, 0)), DecodeError)
  })
})
