import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  bool,
  bytes,
  type Codec,
  constant,
  decode,
  encode,
  fixedBytes,
  fromHex,
  list,
  mapped,
  nullable,
  numberMap,
  oneOf,
  safeInteger,
  struct,
  text,
  toHex,
  u8,
  u16,
  u32,
  u64,
  union,
} from "../src/index.ts"

type Row = readonly [name: string, codec: Codec<unknown>, hex: string, message: string]

const any = <T>(codec: Codec<T>) => codec as Codec<unknown>
const shape = union<{ kind: "a"; n: number } | { kind: "b" }>({
  a: struct({ n: u8 }),
  b: struct({}),
})
const nested = struct<{ head: number; rows: readonly { flag: boolean }[] }>({
  head: u16,
  rows: list(struct<{ flag: boolean }>({ flag: bool }), 4),
})
const odd = mapped(
  u8,
  (value: number) => value,
  (raw, fail) => (raw % 2 === 1 ? raw : fail("not odd")),
)

const refusals: readonly Row[] = [
  ["u8 of nothing", any(u8), "", "input ends 1 bytes early at offset 0"],
  ["u16 cut short", any(u16), "01", "input ends 1 bytes early at offset 0"],
  ["u32 cut short", any(u32), "010203", "input ends 1 bytes early at offset 0"],
  ["u64 cut short", any(u64), "01", "input ends 7 bytes early at offset 0"],
  ["a trailing byte", any(u8), "0100", "1 trailing bytes at offset 1"],
  ["2^53", any(safeInteger), "0020000000000000", "integer above 2^53 - 1 at offset 0"],
  ["a boolean of 2", any(bool), "02", "boolean is neither 0 nor 1 at offset 0"],
  ["fixedBytes cut short", any(fixedBytes(3)), "0102", "input ends 1 bytes early at offset 0"],
  ["bytes above their maximum", any(bytes(2)), "00000003010203", "length 3 above 2 at offset 0"],
  [
    "bytes shorter than they say",
    any(bytes(9)),
    "0000000201",
    "input ends 1 bytes early at offset 4",
  ],
  ["malformed UTF-8", any(text(9)), "00000001ff", "malformed UTF-8 at offset 0"],
  ["overlong UTF-8", any(text(9)), "00000002c080", "malformed UTF-8 at offset 0"],
  ["a surrogate in UTF-8", any(text(9)), "00000003eda080", "malformed UTF-8 at offset 0"],
  ["text above its maximum", any(text(1)), "000000026161", "length 2 above 1 at offset 0"],
  ["a word outside", any(oneOf("x", "y")), "02", "word outside the set at offset 0"],
  ["another constant", any(constant(Uint8Array.of(7))), "08", "wrong constant at offset 0"],
  ["a list above its maximum", any(list(u8, 1)), "000000020102", "count 2 above 1 at offset 0"],
  ["a list cut short", any(list(u8, 3)), "0000000201", "1: input ends 1 bytes early at offset 5"],
  [
    "map keys that repeat",
    any(numberMap(u8, u8, 3)),
    "0000000201090109",
    "keys not in ascending order at offset 6",
  ],
  [
    "map keys that descend",
    any(numberMap(u8, u8, 3)),
    "0000000202090109",
    "keys not in ascending order at offset 6",
  ],
  [
    "a map above its maximum",
    any(numberMap(u8, u8, 0)),
    "000000010101",
    "count 1 above 0 at offset 0",
  ],
  [
    "a map's value",
    any(numberMap(u8, bool, 3)),
    "000000010502",
    "5: boolean is neither 0 nor 1 at offset 5",
  ],
  ["a presence flag of 2", any(nullable(u8)), "0201", "boolean is neither 0 nor 1 at offset 0"],
  ["null with a value", any(nullable(u8)), "0001", "1 trailing bytes at offset 1"],
  ["a kind outside the union", any(shape), "02", "kind outside the union at offset 0"],
  ["a field of a variant", any(shape), "00", "a.n: input ends 1 bytes early at offset 1"],
  [
    "a field deep inside",
    any(nested),
    "0001000000020103",
    "rows.1.flag: boolean is neither 0 nor 1 at offset 7",
  ],
  ["what a mapping fails", any(odd), "02", "not odd at offset 0"],
]

describe("decoding refuses, with the offset and the field:", () => {
  for (const [name, codec, hex, message] of refusals) {
    it(name, () => {
      assert.throws(() => decode(codec, fromHex(hex)), { name: "DecodeError", message })
    })
  }

  it("a huge count or length before it allocates anything", () => {
    const input = fromHex("ffffffff")
    const over = { name: "DecodeError", message: "count 4294967295 above 5 at offset 0" }
    assert.throws(() => decode(list(u8, 5), input), over)
    const early = { name: "DecodeError", message: "input ends 4294967295 bytes early at offset 4" }
    assert.throws(() => decode(bytes(0xffff_ffff), input), early)
  })
})

describe("encoding refuses:", () => {
  const rows: readonly (readonly [string, () => unknown, string])[] = [
    ["-1", () => encode(u8, -1), "integer outside 0 to 255"],
    ["256 as u8", () => encode(u8, 256), "integer outside 0 to 255"],
    ["2^16 as u16", () => encode(u16, 65_536), "integer outside 0 to 65535"],
    ["2^32 as u32", () => encode(u32, 2 ** 32), "integer outside 0 to 4294967295"],
    ["a fraction", () => encode(u32, 0.5), "integer outside 0 to 4294967295"],
    ["NaN", () => encode(u16, Number.NaN), "integer outside 0 to 65535"],
    ["2^64", () => encode(u64, 1n << 64n), "integer outside 64 bits"],
    ["a negative bigint", () => encode(u64, -1n), "integer outside 64 bits"],
    ["2^53", () => encode(safeInteger, 2 ** 53), "not a safe non-negative integer"],
    ["a negative time", () => encode(safeInteger, -1), "not a safe non-negative integer"],
    [
      "other fixed lengths",
      () => encode(fixedBytes(2), new Uint8Array(3)),
      "expected 2 bytes, got 3",
    ],
    ["long bytes", () => encode(bytes(2), new Uint8Array(3)), "more than 2 bytes"],
    ["long text, in bytes", () => encode(text(1), "é"), "more than 1 bytes"],
    ["lone surrogates", () => encode(text(9), "\ud800"), "text with lone surrogates"],
    ["words outside", () => encode(oneOf("x") as Codec<string>, "y"), "word outside the set"],
    ["long lists", () => encode(list(u8, 1), [1, 2]), "more than 1 items"],
    ["large maps", () => encode(numberMap(u8, u8, 0), new Map([[1, 1]])), "more than 0 entries"],
    [
      "kinds outside",
      () => encode(shape as Codec<{ kind: string }>, { kind: "c" }),
      "kind outside the union",
    ],
  ]
  for (const [name, write, message] of rows) {
    it(name, () => assert.throws(write, { name: "RangeError", message }))
  }
})

describe("the encoding", () => {
  it("is big-endian, length-prefixed and in the order of the fields", () => {
    const codec = struct<{ a: number; b: string; c: readonly number[]; d: boolean | null }>({
      a: u16,
      b: text(9),
      c: list(u32, 2),
      d: nullable(bool),
    })
    const encoded = encode(codec, { d: true, c: [1], b: "é", a: 258 })
    assert.equal(toHex(encoded), "0102" + "00000002c3a9" + "0000000100000001" + "0101")
  })

  it("sorts maps by key, whatever their insertion order", () => {
    const codec = numberMap(u8, u8, 3)
    const encoded = encode(
      codec,
      new Map([
        [10, 1],
        [9, 2],
      ]),
    )
    assert.equal(toHex(encoded), "0000000209020a01")
    assert.deepEqual([...decode(codec, encoded).keys()], [9, 10])
  })

  it("keeps a byte order mark: it is part of the text", () => {
    assert.equal(decode(text(9), encode(text(9), "\ufeffx")), "\ufeffx")
  })

  it("survives growth of the buffer at every kind of write", () => {
    // 250 bytes leave room for the first few bytes of each of these in the initial buffer.
    for (let filled = 240; filled <= 260; filled++) {
      const codec = struct<{
        fill: Uint8Array<ArrayBuffer>
        a: number
        b: number
        c: number
        d: bigint
      }>({
        fill: fixedBytes(filled),
        a: u8,
        b: u16,
        c: u32,
        d: u64,
      })
      const value = { fill: new Uint8Array(filled).fill(3), a: 1, b: 2, c: 3, d: 4n }
      assert.deepEqual(decode(codec, encode(codec, value)), value, String(filled))
    }
    const large = new Uint8Array(100_000).fill(7)
    assert.deepEqual(decode(bytes(100_000), encode(bytes(100_000), large)), large)
  })
})
